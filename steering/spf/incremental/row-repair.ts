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
import type { TreeRules } from './tree-rules.ts';

export class RowRepair {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
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
  /** Entries lifted since the beginning: what the work is reckoned by. */
  lifted = 0;
  /** A path may have become too long for the table: only a fresh run of the row can tell. */
  isDoubtful = false;

  constructor(rules: TreeRules, table: PathTable) {
    this.#rules = rules;
    this.#table = table;
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
    distances[at] = Math.min(distance, UNREACHABLE);
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

  /** Every slot lifted so far looks at its arcs from behind for a better way in. */
  rescan(): void {
    const { graph, behind, transitHopUs } = this.#rules;
    const { start, length, transitLength, neighbour, weight } = behind;
    const { index, transit } = graph;
    const { distance, hops, predecessor } = this.#table;
    const [row, root, touched, count] = [this.#row, this.#root, this.#touched, this.#count];
    const rootForwards = transit[root] === 1;
    this.lifted += count;
    for (let i = 0; i < count; i++) {
      const x = touched[i] ?? 0;
      const lifted = distance[row + x] ?? 0;
      const liftedHops = hops[row + x] ?? 0;
      let best = lifted;
      let fewest = liftedHops;
      let via = predecessor[row + x] ?? 0;
      const from = start[x] ?? 0;
      const end = from + ((rootForwards ? transitLength[x] : length[x]) ?? 0);
      for (let k = from; k < end; k++) {
        const y = neighbour[k] ?? 0;
        let through = (distance[row + y] ?? 0) + (weight[k] ?? 0);
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
      if (best === lifted && fewest === liftedHops) {
        predecessor[row + x] = via;
        if (best === UNREACHABLE) this.#doubtBehind(x);
        continue;
      }
      distance[row + x] = best;
      hops[row + x] = fewest;
      predecessor[row + x] = via;
      if (transit[x] === 1) this.#queue.push(best, x);
    }
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
    const { distance, hops } = this.#table;
    const base = distance[this.#row + near] ?? 0;
    if (base === UNREACHABLE || (near !== this.#root && graph.transit[near] === 0)) return;
    const through = base + weight + (near === this.#root ? 0 : transitHopUs);
    this.#improve(near, far, through, (hops[this.#row + near] ?? 0) + 1);
  }

  /** Sets the entry if the way is better by the tie rule of the table. */
  #improve(via: number, slot: number, through: number, h: number): void {
    const { index, transit } = this.#rules.graph;
    const { distance, hops, predecessor } = this.#table;
    const at = this.#row + slot;
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

  /** The slot may forward from now on: its arcs are to be looked at. */
  expand(slot: number): void {
    const distance = this.#table.distance[this.#row + slot] ?? 0;
    if (distance !== UNREACHABLE) this.#queue.push(distance, slot);
  }

  /** Spreads what became shorter, nearest first. */
  settle(): void {
    const queue = this.#queue;
    const { graph, ahead, transitHopUs } = this.#rules;
    const { start, length, neighbour, weight } = ahead;
    const { index, transit } = graph;
    const { distance, hops, predecessor } = this.#table;
    const [row, root] = [this.#row, this.#root];
    if (queue.size === 0) return;
    const safe = UNREACHABLE - graph.weightCeiling;
    while (queue.pop()) {
      const x = queue.slot;
      const base = queue.distance + (x === root ? 0 : transitHopUs);
      if (distance[row + x] !== queue.distance) continue;
      if (base >= safe) this.isDoubtful = true;
      const h = (hops[row + x] ?? 0) + 1;
      const end = (start[x] ?? 0) + (length[x] ?? 0);
      for (let k = start[x] ?? 0; k < end; k++) {
        const z = neighbour[k] ?? 0;
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

  /** Ends the repair and lists what differs from before. True when anything does. */
  finish(changes: TableChanges): boolean {
    const { distance, hops, predecessor } = this.#table;
    let changed = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#touched[i] ?? 0;
      const at = this.#row + slot;
      const moved = predecessor[at] !== this.#predecessorWas[i];
      if (moved) changes.addEntry(this.#root, slot);
      if (moved || distance[at] !== this.#distanceWas[i] || hops[at] !== this.#hopsWas[i]) changed++;
    }
    changes.entries += changed;
    if (changed > 0) changes.addRow(this.#root);
    return changed > 0;
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
