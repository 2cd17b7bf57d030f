/**
 * The arcs of a graph as the kernels want them, and fewer with every round: an arc that a shorter path goes round is on
 * no shortest path, and rows that are finished know such paths. In a random graph two thirds of the arcs go.
 */
import type { PathTable } from '../path-table.ts';
import type { RowRules } from '../plain-rows.ts';
import { hubRoom, LANES } from './lane-memory.ts';

/** Finished neighbours that are asked for ways round: the nearest ones. Eight find few more. */
const NEAR = 4;
/** One slot in so many says whether pruning pays. */
const SAMPLED_SLOTS = 8;

export class LaneGraph {
  readonly #rules: RowRules;
  readonly slots: number;
  /** Vertices that stand first: hubs, whose trees many others can use. A multiple of LANES. */
  readonly hubs: number;
  /** By arc, in the order of slots, then of weights: where those of a slot start, to which slot they lead. */
  readonly start: Int32Array;
  readonly head: Int32Array;
  /** By arc: microseconds, the price of a transit hop included; 1 until it is dropped. */
  readonly cost: Uint32Array;
  readonly alive: Uint8Array;
  /** By slot: 1 when it forwards. */
  readonly transit: Uint8Array;
  /** Vertices by slot, slots by vertex, slots from the least stable index to the greatest. */
  readonly vertexOf: Int32Array;
  readonly slotOf: Int32Array;
  readonly byIndex: Int32Array;
  /** Slots in use, from those that most others have among their nearest transit neighbours to the least. */
  readonly mostWanted: Int32Array;
  /** By slot: its place in the order of nearest first. */
  readonly #place: Int32Array;
  #mostCost = 0;

  constructor(rules: RowRules) {
    const { start, length, neighbour, weight } = rules.arcs;
    const slots = rules.graph.slotCount;
    this.#rules = rules;
    this.slots = slots;
    this.start = new Int32Array(slots + 1);
    for (let slot = 0; slot < slots; slot++) this.start[slot + 1] = (this.start[slot] ?? 0) + (length[slot] ?? 0);
    const arcs = this.start[slots] ?? 0;
    this.head = new Int32Array(arcs);
    this.cost = new Uint32Array(arcs);
    this.alive = new Uint8Array(arcs).fill(1);
    // weight and position in one exact number: sorts without a comparison function
    const POSITIONS = 2 ** 22;
    const packed = new Float64Array(length.reduce((most, count) => Math.max(most, count), 0));
    for (let slot = 0, at = 0; slot < slots; slot++) {
      const from = start[slot] ?? 0;
      const count = length[slot] ?? 0;
      for (let k = 0; k < count; k++) packed[k] = (weight[from + k] ?? 0) * POSITIONS + k;
      for (const value of packed.subarray(0, count).sort()) {
        const cost = Math.floor(value / POSITIONS);
        this.head[at] = neighbour[from + (value - cost * POSITIONS)] ?? 0;
        this.cost[at] = cost + rules.transitHopUs;
        at++;
      }
      this.#mostCost = Math.max(this.#mostCost, count > 0 ? (this.cost[at - 1] ?? 0) : 0);
    }
    this.transit = Uint8Array.from({ length: slots }, (_, slot) => rules.graph.transit[slot] ?? 0);
    this.mostWanted = this.#byVotes();
    this.hubs = Math.min(hubRoom(slots), Math.floor(this.mostWanted.length / LANES) * LANES);
    const order = this.#nearestFirst();
    this.#place = inverse(order);
    this.slotOf = this.#hubsFirst(order);
    this.vertexOf = inverse(this.slotOf);
    this.byIndex = Int32Array.from({ length: slots }, (_, slot) => slot);
    this.byIndex.sort((a, b) => (rules.graph.index[a] ?? 0) - (rules.graph.index[b] ?? 0));
  }

  get arcCount(): number {
    return this.head.length;
  }

  /** The greatest weight with the price of a transit hop; all weights in a key include it. */
  get mostCost(): number {
    return this.#mostCost;
  }

  /** Bits that a rank of its own takes for every arc into the vertex with the most. */
  get rankBits(): number {
    return 32 - Math.clz32(this.countIn().reduce((most, count) => Math.max(most, count), 0));
  }

  /** Sorts slots so that neighbours are near each other: trees of such sources are alike. */
  sortByPlace(slots: Int32Array): Int32Array {
    return slots.sort((a, b) => (this.#place[a] ?? 0) - (this.#place[b] ?? 0));
  }

  #byVotes(): Int32Array {
    const { index, transit } = this.#rules.graph;
    const votes = new Int32Array(this.slots);
    for (let slot = 0; slot < this.slots; slot++) {
      let near = 0;
      for (let k = this.start[slot] ?? 0; k < (this.start[slot + 1] ?? 0) && near < NEAR; k++) {
        const head = this.head[k] ?? 0;
        if (transit[head] !== 1) continue;
        votes[head] = (votes[head] ?? 0) + 1;
        near++;
      }
    }
    return Int32Array.from({ length: this.slots }, (_, slot) => slot)
      .filter((slot) => index[slot] !== 0)
      .sort((a, b) => (votes[b] ?? 0) - (votes[a] ?? 0) || a - b);
  }

  /**
   * Drops the arcs that a finished row, of their tail or of a nearest neighbour, knows a shorter path for. Equally
   * short ways have more hops, and leave the arc. Sound for every tree: such a path could replace the arc wherever it stood.
   * False when that drops a smaller share than `least` of those that were left; a sample of the slots is asked first, and
   * when that says so the others are left alone.
   */
  prune(table: PathTable, finished: Uint8Array, least: number): boolean {
    let before = 0;
    let after = 0;
    for (let first = 0; first < SAMPLED_SLOTS; first++) {
      for (let slot = first; slot < this.slots; slot += SAMPLED_SLOTS) {
        before += this.#countAlive(slot);
        this.#pruneSlot(slot, table, finished);
        after += this.#countAlive(slot);
      }
      if (before - after < least * before) return false;
    }
    return true;
  }

  #countAlive(slot: number): number {
    let count = 0;
    for (let k = this.start[slot] ?? 0; k < (this.start[slot + 1] ?? 0); k++) count += this.alive[k] ?? 0;
    return count;
  }

  #pruneSlot(slot: number, table: PathTable, finished: Uint8Array): void {
    const { alive, transit } = this;
    const from = this.start[slot] ?? 0;
    const to = this.start[slot + 1] ?? 0;
    const own = slot * table.stride;
    for (let k = from; k < to && finished[slot] === 1; k++) {
      const weight = (this.cost[k] ?? 0) - this.#rules.transitHopUs;
      if ((table.distance[own + (this.head[k] ?? 0)] ?? 0) < weight) alive[k] = 0;
    }
    for (let near = 0, k = from; k < to && near < NEAR; k++) {
      const head = this.head[k] ?? 0;
      if (finished[head] === 0 || transit[head] !== 1) continue;
      near++;
      const base = this.cost[k] ?? 0;
      const row = head * table.stride;
      // an arc that is not dearer cannot be gone round this way
      for (let other = k + 1; other < to; other++) {
        const past = base + (table.distance[row + (this.head[other] ?? 0)] ?? 0);
        if (past < (this.cost[other] ?? 0) - this.#rules.transitHopUs) alive[other] = 0;
      }
    }
  }

  /** By vertex: arcs into it that are left, from vertices that forward. */
  countIn(): Int32Array {
    const count = new Int32Array(this.slots + 1);
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.transit[slot] !== 1) continue;
      for (let k = this.start[slot] ?? 0; k < (this.start[slot + 1] ?? 0); k++) {
        const vertex = this.vertexOf[this.head[k] ?? 0] ?? 0;
        count[vertex] = (count[vertex] ?? 0) + (this.alive[k] ?? 0);
      }
    }
    return count;
  }

  /** Hubs, then the others, both in this order. */
  #hubsFirst(order: Int32Array): Int32Array {
    const isHub = new Uint8Array(this.slots);
    for (const slot of this.mostWanted.subarray(0, this.hubs)) isHub[slot] = 1;
    const slotOf = new Int32Array(this.slots);
    slotOf.set(order.filter((slot) => isHub[slot] === 1));
    slotOf.set(
      order.filter((slot) => isHub[slot] === 0),
      this.hubs,
    );
    return slotOf;
  }

  /** Slots in the order of a depth-first walk to the nearest first: neighbours in it are neighbours in the graph. */
  #nearestFirst(): Int32Array {
    const order = new Int32Array(this.slots);
    const seen = new Uint8Array(this.slots);
    const next = this.start.slice();
    const path = new Int32Array(this.slots);
    let count = 0;
    for (let first = 0; first < this.slots; first++) {
      if (seen[first] === 1) continue;
      seen[first] = 1;
      order[count++] = first;
      let depth = 0;
      path[depth++] = first;
      while (depth > 0) {
        const slot = path[depth - 1] ?? 0;
        const k = next[slot] ?? 0;
        if (k === this.start[slot + 1]) {
          depth--;
          continue;
        }
        next[slot] = k + 1;
        const head = this.head[k] ?? 0;
        if (seen[head] === 1) continue;
        seen[head] = 1;
        order[count++] = head;
        path[depth++] = head;
      }
    }
    return order;
  }
}

/** Where each number of a permutation stands in it. */
function inverse(order: Int32Array): Int32Array {
  const places = new Int32Array(order.length);
  for (let place = 0; place < order.length; place++) places[order[place] ?? 0] = place;
  return places;
}
