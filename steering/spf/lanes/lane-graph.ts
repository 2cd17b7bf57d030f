/**
 * The arcs of a graph as the kernels want them, and fewer with every round: an arc that a shorter path goes round is on
 * no shortest path, and rows that are finished know such paths. In a random graph two thirds of the arcs go.
 */
import type { PathTable } from '../path-table.ts';
import type { RowRules } from '../plain-rows.ts';
import type { LaneMemory } from './lane-memory.ts';

/** Finished neighbours that are asked for ways round: the nearest ones. Eight find few more. */
const NEAR = 4;

export class LaneGraph {
  readonly #rules: RowRules;
  readonly slots: number;
  /** By arc, in the order of slots, then of weights. */
  readonly #start: Int32Array;
  readonly #head: Int32Array;
  /** Microseconds, the price of a transit hop included. */
  readonly #cost: Uint32Array;
  readonly #alive: Uint8Array;
  /** Vertices by slot, slots by vertex, slots from the greatest stable index to the least. */
  readonly #vertexOf: Int32Array;
  readonly #slotOf: Int32Array;
  readonly #byIndex: Int32Array;
  #mostCost = 0;

  constructor(rules: RowRules) {
    const { start, length, neighbour, weight } = rules.arcs;
    const slots = rules.graph.slotCount;
    this.#rules = rules;
    this.slots = slots;
    this.#start = new Int32Array(slots + 1);
    for (let slot = 0; slot < slots; slot++) this.#start[slot + 1] = (this.#start[slot] ?? 0) + (length[slot] ?? 0);
    const arcs = this.#start[slots] ?? 0;
    this.#head = new Int32Array(arcs);
    this.#cost = new Uint32Array(arcs);
    this.#alive = new Uint8Array(arcs).fill(1);
    // weight and position in one exact number: sorts without a comparison function
    const POSITIONS = 2 ** 22;
    const packed = new Float64Array(length.reduce((most, count) => Math.max(most, count), 0));
    for (let slot = 0, at = 0; slot < slots; slot++) {
      const from = start[slot] ?? 0;
      const count = length[slot] ?? 0;
      for (let k = 0; k < count; k++) packed[k] = (weight[from + k] ?? 0) * POSITIONS + k;
      for (const value of packed.subarray(0, count).sort()) {
        const cost = Math.floor(value / POSITIONS);
        this.#head[at] = neighbour[from + (value - cost * POSITIONS)] ?? 0;
        this.#cost[at] = cost + rules.transitHopUs;
        at++;
      }
      this.#mostCost = Math.max(this.#mostCost, count > 0 ? (this.#cost[at - 1] ?? 0) : 0);
    }
    this.#slotOf = this.#nearestFirst();
    this.#vertexOf = new Int32Array(slots);
    for (let vertex = 0; vertex < slots; vertex++) this.#vertexOf[this.#slotOf[vertex] ?? 0] = vertex;
    this.#byIndex = Int32Array.from({ length: slots }, (_, slot) => slot);
    this.#byIndex.sort((a, b) => (rules.graph.index[b] ?? 0) - (rules.graph.index[a] ?? 0));
  }

  get arcCount(): number {
    return this.#head.length;
  }

  /** The greatest weight with the price of a transit hop; all weights in a key include it. */
  get mostCost(): number {
    return this.#mostCost;
  }

  vertexOf(slot: number): number {
    return this.#vertexOf[slot] ?? 0;
  }

  /** Slots that are in use, from those that most others have among their nearest transit neighbours to the least. */
  mostWanted(): Int32Array {
    const { index, transit } = this.#rules.graph;
    const votes = new Int32Array(this.slots);
    for (let slot = 0; slot < this.slots; slot++) {
      let near = 0;
      for (let k = this.#start[slot] ?? 0; k < (this.#start[slot + 1] ?? 0) && near < NEAR; k++) {
        const head = this.#head[k] ?? 0;
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
   * Returns the share of the arcs that were left before.
   */
  prune(table: PathTable, finished: Uint8Array): number {
    const before = this.#alive.reduce((sum, bit) => sum + bit, 0);
    const { transit } = this.#rules.graph;
    const alive = this.#alive;
    for (let slot = 0; slot < this.slots; slot++) {
      const from = this.#start[slot] ?? 0;
      const to = this.#start[slot + 1] ?? 0;
      const own = slot * table.stride;
      for (let k = from; k < to && finished[slot] === 1; k++) {
        const weight = (this.#cost[k] ?? 0) - this.#rules.transitHopUs;
        if ((table.distance[own + (this.#head[k] ?? 0)] ?? 0) < weight) alive[k] = 0;
      }
      for (let near = 0, k = from; k < to && near < NEAR; k++) {
        const head = this.#head[k] ?? 0;
        if (finished[head] === 0 || transit[head] !== 1) continue;
        near++;
        const base = this.#cost[k] ?? 0;
        const row = head * table.stride;
        // an arc that is not dearer cannot be gone round this way
        for (let other = k + 1; other < to; other++) {
          const past = base + (table.distance[row + (this.#head[other] ?? 0)] ?? 0);
          if (past < (this.#cost[other] ?? 0) - this.#rules.transitHopUs) alive[other] = 0;
        }
      }
    }
    return 1 - this.#alive.reduce((sum, bit) => sum + bit, 0) / Math.max(1, before);
  }

  /** Writes the arcs that are left, and where vertices and slots are, with keys of so many hop bits. */
  write(memory: LaneMemory, hopBits: number): void {
    const { sections, vertices, paddedSlots } = memory;
    const { slots } = this;
    const line = memory.words(sections.line).fill(slots * 64);
    const transit = memory.bytes(sections.transit);
    for (let vertex = 0; vertex < slots; vertex++) {
      const slot = this.#slotOf[vertex] ?? 0;
      line[slot] = vertex * 64;
      line[paddedSlots + vertex] = slot;
      transit[vertex] = this.#rules.graph.transit[slot] ?? 0;
    }
    const inStart = memory.words(sections.inStart).fill(0);
    const outStart = memory.words(sections.outStart);
    const reasonStart = memory.words(sections.reasonStart).fill(0);
    const outArcs = memory.words(sections.outArcs);
    let out = 0;
    for (let vertex = 0; vertex < vertices; vertex++) {
      outStart[vertex] = out;
      const slot = vertex < slots ? (this.#slotOf[vertex] ?? 0) : -1;
      for (let k = this.#start[slot] ?? 0; k < (this.#start[slot + 1] ?? 0); k++) {
        const head = this.#head[k] ?? 0;
        if (this.#alive[k] === 0) continue;
        outArcs[2 * out] = line[head] ?? 0;
        outArcs[2 * out + 1] = this.#key(k, hopBits);
        out++;
        if (transit[vertex] === 0) continue;
        const into = (line[head] ?? 0) >> 6;
        inStart[into + 1] = (inStart[into + 1] ?? 0) + 1;
        reasonStart[head + 1] = (reasonStart[head + 1] ?? 0) + 1;
      }
    }
    outStart[vertices] = out;
    // arcs into a vertex come in pairs
    for (let v = 0; v < vertices; v++) inStart[v + 1] = (inStart[v] ?? 0) + (((inStart[v + 1] ?? 0) + 1) & ~1);
    for (let s = 0; s < paddedSlots; s++) reasonStart[s + 1] = (reasonStart[s] ?? 0) + (reasonStart[s + 1] ?? 0);
    this.#writeInto(memory, hopBits, inStart.slice(), reasonStart.slice(), line);
  }

  /** The arcs by their heads, least index last. `nextIn` and `nextReason` are where the next one of each list goes. */
  #writeInto(
    memory: LaneMemory,
    hopBits: number,
    nextIn: Uint32Array,
    nextReason: Uint32Array,
    line: Uint32Array,
  ): void {
    const { sections, vertices } = memory;
    const inArcs = memory.words(sections.inArcs);
    const inStart = memory.words(sections.inStart);
    const reasons = memory.words(sections.reasons);
    for (const slot of this.#byIndex) {
      if (this.#rules.graph.transit[slot] !== 1) continue;
      for (let k = this.#start[slot] ?? 0; k < (this.#start[slot + 1] ?? 0); k++) {
        const head = this.#head[k] ?? 0;
        if (this.#alive[k] === 0) continue;
        const vertex = (line[head] ?? 0) >> 6;
        const into = nextIn[vertex] ?? 0;
        nextIn[vertex] = into + 1;
        inArcs[2 * into] = line[slot] ?? 0;
        inArcs[2 * into + 1] = this.#key(k, hopBits);
        const reason = nextReason[head] ?? 0;
        nextReason[head] = reason + 1;
        reasons[3 * reason] = line[slot] ?? 0;
        reasons[3 * reason + 1] = this.#key(k, hopBits);
        reasons[3 * reason + 2] = slot;
      }
    }
    for (let vertex = 0; vertex < vertices; vertex++) {
      const into = nextIn[vertex] ?? 0;
      if (into === inStart[vertex + 1]) continue;
      // the one of a pair that is missing: never better, never equal
      inArcs[2 * into] = vertex * 64;
      inArcs[2 * into + 1] = 1;
    }
  }

  #key(arc: number, hopBits: number): number {
    return (this.#cost[arc] ?? 0) * 2 ** hopBits + 1;
  }

  /** Slots in the order of a depth-first walk to the nearest first: neighbours in it are neighbours in the graph. */
  #nearestFirst(): Int32Array {
    const order = new Int32Array(this.slots);
    const seen = new Uint8Array(this.slots);
    const next = this.#start.slice();
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
        if (k === this.#start[slot + 1]) {
          depth--;
          continue;
        }
        next[slot] = k + 1;
        const head = this.#head[k] ?? 0;
        if (seen[head] === 1) continue;
        seen[head] = 1;
        order[count++] = head;
        path[depth++] = head;
      }
    }
    return order;
  }
}
