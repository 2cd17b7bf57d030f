/**
 * Repair of one row of a path table after arcs changed: first everything that hung on an arc that became longer is
 * lifted to what its old path costs now (or to unreachable), then every lifted slot looks back for a better way in,
 * then what became shorter spreads forward, nearest first.
 *
 *   root --- u ==(longer)== v --- x --- z        lift: v, x, z
 *                   y ------------'              rescan: x is nearer by y; settle: z follows x
 *
 * After the lift each entry is the length of a real path, so all that remains are falls, and a fall ends exactly where
 * a fresh run would. This is the increase and the decrease step of G. Ramalingam and T. Reps, "An incremental algorithm
 * for a generalization of the shortest-path problem", Journal of Algorithms 21 (1996), for a batch at once.
 */
import { NO_PREDECESSOR, type PathTable, UNREACHABLE } from '../path-table.ts';
import { RepairQueue } from './repair-queue.ts';
import type { TableChanges } from './table-changes.ts';
import type { TransposedDistance } from './transposed-distance.ts';
import type { TreeRules } from './tree-rules.ts';

export class RowRepair {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #turned: TransposedDistance;
  readonly #queue = new RepairQueue();
  /** By slot: equal to #round when it was touched in this repair. */
  readonly #mark: Int32Array;
  #round = 0;
  #root = 0;
  #row = 0;
  /** Slots touched, and what their entries were. */
  readonly #touched: Int32Array;
  readonly #distanceWas: Uint32Array;
  readonly #hopsWas: Uint16Array;
  readonly #predecessorWas: Uint16Array;
  #count = 0;
  /** How many of the touched slots have their subtree lifted. */
  #followed = 0;
  /** The greatest distance that a slot was lifted to. */
  #farthest = 0;
  /** Entries lifted since the beginning: what the work is reckoned by. */
  lifted = 0;
  /** A path may have become too long for the table: only a fresh run of the row can tell. */
  isDoubtful = false;

  constructor(rules: TreeRules, table: PathTable, turned: TransposedDistance) {
    this.#rules = rules;
    this.#table = table;
    this.#turned = turned;
    this.#mark = new Int32Array(table.capacity);
    this.#touched = new Int32Array(table.capacity);
    this.#distanceWas = new Uint32Array(table.capacity);
    this.#hopsWas = new Uint16Array(table.capacity);
    this.#predecessorWas = new Uint16Array(table.capacity);
  }

  begin(root: number): void {
    this.#root = root;
    this.#row = root * this.#table.stride;
    this.#round++;
    this.#count = 0;
    this.#followed = 0;
    this.#farthest = 0;
    this.isDoubtful = false;
  }

  isTouched(slot: number): boolean {
    return this.#mark[slot] === this.#round;
  }

  /**
   * Lifts `slot` to `distance` (UNREACHABLE or more: its way is gone), which must be the length of its path through its
   * predecessor, lifted or not.
   */
  lift(slot: number, distance: number, hops: number): void {
    const at = this.#row + slot;
    const { distance: distances, hops: allHops, predecessor } = this.#table;
    this.#touch(slot);
    const lifted = Math.min(distance, UNREACHABLE);
    distances[at] = lifted;
    if (lifted > this.#farthest) this.#farthest = lifted;
    if (distance >= UNREACHABLE) {
      predecessor[at] = NO_PREDECESSOR;
      allHops[at] = 0;
    } else {
      allHops[at] = hops;
    }
  }

  /** Lifts what hangs on the slots lifted so far, by the weights that the arcs have now. */
  liftSubtrees(): void {
    const { graph, ahead, transitHopUs } = this.#rules;
    const { start, length, neighbour, weight } = ahead;
    const { transit } = graph;
    const { distance, hops, predecessor } = this.#table;
    const [row, mark, round, touched] = [this.#row, this.#mark, this.#round, this.#touched];
    for (; this.#followed < this.#count; this.#followed++) {
      const x = touched[this.#followed] ?? 0;
      const base = distance[row + x] ?? 0;
      const carries = transit[x] === 1 && base !== UNREACHABLE;
      const h = (hops[row + x] ?? 0) + 1;
      const end = (start[x] ?? 0) + (length[x] ?? 0);
      for (let k = start[x] ?? 0; k < end; k++) {
        const z = neighbour[k] ?? 0;
        if (predecessor[row + z] !== x || mark[z] === round) continue;
        this.lift(z, carries ? base + transitHopUs + (weight[k] ?? 0) : UNREACHABLE, h);
      }
    }
  }

  /**
   * Every slot lifted so far looks for a better way in. One whose old path became shorter in all, since an arc farther
   * along it fell by more than the first one rose, offers its way as if it had found it.
   */
  rescanLifted(): void {
    this.lifted += this.#count;
    const { distance } = this.#table;
    const { transit } = this.#rules.graph;
    for (let i = 0, count = this.#count; i < count; i++) {
      const slot = this.#touched[i] ?? 0;
      this.rescan(slot, true);
      const now = distance[this.#row + slot] ?? 0;
      if (now < (this.#distanceWas[i] ?? 0) && transit[slot] === 1) this.#queue.push(now, slot);
    }
  }

  /**
   * A lifted slot looks at its arcs from behind for a better way in. With `spread` it offers what it found to the slots
   * behind it when the row is settled.
   */
  rescan(x: number, spread: boolean): void {
    const { graph, behind, transitHopUs } = this.#rules;
    const { start, length, transitLength, neighbour, weight } = behind;
    const { index, transit } = graph;
    const { distance, hops, predecessor } = this.#table;
    const [row, root] = [this.#row, this.#root];
    const lifted = distance[row + x] ?? 0;
    const liftedHops = hops[row + x] ?? 0;
    let best = lifted;
    let fewest = liftedHops;
    let via = predecessor[row + x] ?? 0;
    const from = start[x] ?? 0;
    const middle = from + (transitLength[x] ?? 0);
    // arcs from slots that do not forward matter only when one of them is the root
    const end = transit[root] === 1 ? middle : from + (length[x] ?? 0);
    for (let k = from; k < end; k++) {
      const direct = weight[k] ?? 0;
      if (direct > best) {
        // both parts are in the order of weights
        if (k >= middle) break;
        k = middle - 1;
        continue;
      }
      const y = neighbour[k] ?? 0;
      let through = (distance[row + y] ?? 0) + direct;
      if (through > best) continue;
      if (y !== root) {
        if (transit[y] === 0) continue;
        through += transitHopUs;
        if (through > best) continue;
      }
      const h = (hops[row + y] ?? 0) + 1;
      if (through === best) {
        if (best === UNREACHABLE || h > fewest) continue;
        if (h === fewest && (index[y] ?? 0) >= (index[via] ?? 0)) continue;
      }
      best = through;
      fewest = h;
      via = y;
    }
    predecessor[row + x] = via;
    if (best === lifted && fewest === liftedHops) {
      if (best === UNREACHABLE) this.#doubtBehind(x);
      return;
    }
    distance[row + x] = best;
    hops[row + x] = fewest;
    if (spread && transit[x] === 1) this.#queue.push(best, x);
  }

  /** Whether a slot that no way short enough leads to has a way at all. */
  #doubtBehind(slot: number): void {
    const { graph, behind } = this.#rules;
    const end = (behind.start[slot] ?? 0) + (behind.length[slot] ?? 0);
    for (let k = behind.start[slot] ?? 0; k < end; k++) {
      const y = behind.neighbour[k] ?? 0;
      if (this.#table.distance[this.#row + y] === UNREACHABLE) continue;
      if (y === this.#root || graph.transit[y] === 1) this.isDoubtful = true;
    }
  }

  /** Offers the way to `far` over an arc from `near` that is new or became shorter. */
  offer(near: number, far: number, weight: number): void {
    const { graph, transitHopUs } = this.#rules;
    const { distance } = this.#table;
    const base = distance[this.#row + near] ?? 0;
    if (base === UNREACHABLE || (near !== this.#root && graph.transit[near] === 0)) return;
    this.improve(near, far, base + weight + (near === this.#root ? 0 : transitHopUs));
  }

  /** Takes the way of length `through` whose last arc is (via, slot), if it is better by the tie rule of the table. */
  improve(via: number, slot: number, through: number): void {
    const { index, transit } = this.#rules.graph;
    const { distance, hops, predecessor } = this.#table;
    const at = this.#row + slot;
    const h = (hops[this.#row + via] ?? 0) + 1;
    const known = distance[at] ?? 0;
    if (through >= UNREACHABLE) this.isDoubtful = true;
    if (through > known || through === UNREACHABLE) return;
    const knownHops = hops[at] ?? 0;
    if (through === known) {
      if (h > knownHops) return;
      if (h === knownHops && (index[via] ?? 0) >= (index[predecessor[at] ?? 0] ?? 0)) return;
    }
    this.#touch(slot);
    distance[at] = through;
    hops[at] = h;
    predecessor[at] = via;
    if (transit[slot] === 1 && (through < known || h < knownHops)) this.#queue.push(through, slot);
  }

  /** Lifts a lifted slot anew, to where its way by `via` has come to. */
  relift(slot: number, distance: number, hops: number, via: number): void {
    this.lift(slot, distance, hops);
    if (distance < UNREACHABLE) this.#table.predecessor[this.#row + slot] = via;
  }

  /** The slot may forward from now on: its arcs are to be looked at. */
  expand(slot: number): void {
    const distance = this.#table.distance[this.#row + slot] ?? 0;
    if (distance !== UNREACHABLE) this.#queue.push(distance, slot);
  }

  /** Spreads what became shorter, nearest first; to slots that were lifted alone, when nothing else can gain. */
  settle(onlyLifted = false): void {
    const queue = this.#queue;
    const { graph, ahead, transitHopUs } = this.#rules;
    const { start, length, transitLength, neighbour, weight } = ahead;
    const { index, transit } = graph;
    const { distance, hops, predecessor } = this.#table;
    const [row, root] = [this.#row, this.#root];
    if (queue.size === 0) return;
    const [mark, round] = [this.#mark, this.#round];
    const farthest = onlyLifted ? this.#farthest : Number.POSITIVE_INFINITY;
    const safe = UNREACHABLE - graph.weightCeiling;
    while (queue.pop()) {
      const x = queue.slot;
      const base = queue.distance + (x === root ? 0 : transitHopUs);
      if (distance[row + x] !== queue.distance) continue;
      if (base >= safe) this.isDoubtful = true;
      const h = (hops[row + x] ?? 0) + 1;
      const middle = (start[x] ?? 0) + (transitLength[x] ?? 0);
      const end = (start[x] ?? 0) + (length[x] ?? 0);
      for (let k = start[x] ?? 0; k < end; k++) {
        if (base + (weight[k] ?? 0) > farthest) {
          // both parts are in the order of weights
          if (k >= middle) break;
          k = middle - 1;
          continue;
        }
        const z = neighbour[k] ?? 0;
        if (onlyLifted && mark[z] !== round) continue;
        const at = row + z;
        const through = base + (weight[k] ?? 0);
        const known = distance[at] ?? 0;
        if (through > known || through === UNREACHABLE) continue;
        const knownHops = hops[at] ?? 0;
        if (through === known) {
          if (h > knownHops) continue;
          if (h === knownHops) {
            const via = predecessor[at] ?? 0;
            if (via === x || (index[x] ?? 0) >= (index[via] ?? 0)) continue;
          }
        }
        this.#touch(z);
        distance[at] = through;
        hops[at] = h;
        predecessor[at] = x;
        if (transit[z] === 1 && (through < known || h < knownHops)) queue.push(through, z);
      }
    }
  }

  /** Ends the repair: hands the row's distances on to the transposed ones, and lists what differs from before. */
  finish(changes: TableChanges): void {
    const { distance, hops, predecessor } = this.#table;
    const { distance: turned, stride } = this.#turned;
    let changed = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#touched[i] ?? 0;
      const at = this.#row + slot;
      turned[slot * stride + this.#root] = distance[at] ?? 0;
      const moved = predecessor[at] !== this.#predecessorWas[i];
      if (moved) changes.addEntry(this.#root, slot);
      if (moved || distance[at] !== this.#distanceWas[i] || hops[at] !== this.#hopsWas[i]) changed++;
    }
    changes.entries += changed;
    if (changed > 0) changes.addRow(this.#root);
  }

  #touch(slot: number): void {
    if (this.#mark[slot] === this.#round) return;
    this.#mark[slot] = this.#round;
    const i = this.#count++;
    const at = this.#row + slot;
    this.#touched[i] = slot;
    this.#distanceWas[i] = this.#table.distance[at] ?? 0;
    this.#hopsWas[i] = this.#table.hops[at] ?? 0;
    this.#predecessorWas[i] = this.#table.predecessor[at] ?? 0;
  }
}
