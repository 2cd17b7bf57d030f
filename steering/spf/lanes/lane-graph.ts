/**
 * The arcs of a graph as the kernels want them, and fewer with every round: an arc that a shorter path goes round is on
 * no shortest path, and rows that are finished know such paths. In a random graph two thirds of the arcs go.
 */
import { NO_PREDECESSOR, type PathTable } from '../path-table.ts';
import type { RowRules } from '../plain-rows.ts';
import { type LaneMemory, Tails } from './lane-memory.ts';

/** Finished neighbours that are asked for ways round: the nearest ones. Eight find few more. */
const NEAR = 4;

/** Share of the arcs that are short: most trees are made of them nearly all. Measured: 0.2 to 0.6. */
const SHORT_SHARE = 0.4;
/** One arc in so many is asked what short is. */
const SAMPLED = 16;

/**
 * Bits of a key, from the highest: distance, hops, and the rank of the arc that leads to the vertex among the arcs into
 * it, from 1 in the order of stable indices. 0 is no arc. Where there are more arcs than ranks, neighbours share one.
 */
export interface KeyShape {
  readonly hopBits: number;
  readonly rankBits: number;
}

export class LaneGraph {
  readonly #rules: RowRules;
  readonly slots: number;
  /** By arc, in the order of slots, then of weights. */
  readonly #start: Int32Array;
  readonly #head: Int32Array;
  /** Microseconds, the price of a transit hop included. */
  readonly #cost: Uint32Array;
  readonly #alive: Uint8Array;
  /** Vertices by slot, slots by vertex, slots from the least stable index to the greatest. */
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
    this.#byIndex.sort((a, b) => (rules.graph.index[a] ?? 0) - (rules.graph.index[b] ?? 0));
  }

  get arcCount(): number {
    return this.#head.length;
  }

  /** The greatest weight with the price of a transit hop; all weights in a key include it. */
  get mostCost(): number {
    return this.#mostCost;
  }

  /** Bits that a rank of its own takes for every arc into the vertex with the most. */
  get rankBits(): number {
    return 32 - Math.clz32(this.#countIn().reduce((most, count) => Math.max(most, count), 0));
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

  /** Writes the arcs that are left, and where vertices and slots are, for keys of this shape. */
  write(memory: LaneMemory, shape: KeyShape): void {
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
    const arcsIn = this.#countIn();
    const inStart = memory.words(sections.inStart);
    // arcs into a vertex come in pairs
    inStart[0] = 0;
    for (let v = 0; v < vertices; v++) inStart[v + 1] = (inStart[v] ?? 0) + (((arcsIn[v] ?? 0) + 1) & ~1);
    const tailStart = memory.words(sections.tailStart).fill((inStart[slots] ?? 0) + slots);
    for (let slot = 0; slot < slots; slot++) {
      const vertex = this.#vertexOf[slot] ?? 0;
      tailStart[slot] = (inStart[vertex] ?? 0) + vertex;
    }
    const shift = writeCrowded(memory, arcsIn, shape.rankBits);
    this.#writeArcs(memory, shape, shift, this.#writeShort(memory, arcsIn, shift));
    this.#writePadding(memory, shape, arcsIn);
  }

  /** By vertex: arcs into it that are left, from vertices that forward, no dearer than `mostCost`. */
  #countIn(mostCost = Number.POSITIVE_INFINITY): Int32Array {
    const { transit } = this.#rules.graph;
    const count = new Int32Array(this.slots + 1);
    for (let slot = 0; slot < this.slots; slot++) {
      if (transit[slot] !== 1) continue;
      for (let k = this.#start[slot] ?? 0; k < (this.#start[slot + 1] ?? 0); k++) {
        if ((this.#cost[k] ?? 0) > mostCost) break;
        const vertex = this.#vertexOf[this.#head[k] ?? 0] ?? 0;
        count[vertex] = (count[vertex] ?? 0) + (this.#alive[k] ?? 0);
      }
    }
    return count;
  }

  /**
   * Where the short arcs of each vertex end; a pair may have a long one too. Returns by vertex how many there are, none
   * where arcs share ranks, and the greatest cost of one.
   */
  #writeShort(memory: LaneMemory, arcsIn: Int32Array, shift: Uint8Array): { count: Int32Array; mostCost: number } {
    const inStart = memory.words(memory.sections.inStart);
    const inShort = memory.words(memory.sections.inShort);
    const mostCost = this.#mostShort();
    const count = this.#countIn(mostCost);
    for (let vertex = 0; vertex < memory.vertices; vertex++) {
      const first = inStart[vertex] ?? 0;
      inShort[vertex] = first + (((count[vertex] ?? 0) + 1) & ~1);
      // these stay in the order of ranks, and are looked at on every sweep
      if ((shift[vertex] ?? 0) === 0) continue;
      inShort[vertex] = inStart[vertex + 1] ?? 0;
      count[vertex] = arcsIn[vertex] ?? 0;
    }
    return { count, mostCost };
  }

  /** The greatest cost of a short arc, from a sample of those that are left. */
  #mostShort(): number {
    const sample: number[] = [];
    for (let k = 0; k < this.arcCount; k += SAMPLED) if (this.#alive[k] === 1) sample.push(this.#cost[k] ?? 0);
    return Uint32Array.from(sample).sort()[Math.floor(sample.length * SHORT_SHARE)] ?? 0;
  }

  /** The arcs by their heads and by their tails. `shift` tells how many share a rank. */
  #writeArcs(
    memory: LaneMemory,
    { hopBits, rankBits }: KeyShape,
    shift: Uint8Array,
    short: { count: Int32Array; mostCost: number },
  ): void {
    const { sections, vertices } = memory;
    const { transit } = this.#rules.graph;
    const inStart = memory.words(sections.inStart);
    const tails = new Tails(memory);
    const inArcs = new Uint32Array(2 * (inStart[vertices] ?? 0));
    const outArcs = new Uint32Array(2 * this.arcCount);
    const outStart = this.#writeOutStart(memory);
    const placed = new Int32Array(vertices);
    const placedShort = new Int32Array(vertices);
    const unit = 2 ** (hopBits + rankBits);
    for (const slot of this.#byIndex) {
      const tail = this.#vertexOf[slot] ?? 0;
      const forwards = transit[slot] === 1;
      let out = 2 * (outStart[tail] ?? 0);
      for (let k = this.#start[slot] ?? 0; k < (this.#start[slot + 1] ?? 0); k++) {
        if (this.#alive[k] === 0) continue;
        const vertex = this.#vertexOf[this.#head[k] ?? 0] ?? 0;
        const cost = this.#cost[k] ?? 0;
        let key = cost * unit + 2 ** rankBits;
        if (forwards) {
          const before = placed[vertex] ?? 0;
          const first = inStart[vertex] ?? 0;
          placed[vertex] = before + 1;
          const shared = shift[vertex] ?? 0;
          if (rankBits > 0) key += (before >> shared) + 1;
          tails.set(first + vertex + before + 1, slot);
          const earlier = placedShort[vertex] ?? 0;
          const isShort = shared > 0 || cost <= short.mostCost;
          const into = first + (isShort ? earlier : (short.count[vertex] ?? 0) + before - earlier);
          if (isShort) placedShort[vertex] = earlier + 1;
          inArcs[2 * into] = tail * 64;
          inArcs[2 * into + 1] = key;
        }
        outArcs[out++] = vertex * 64;
        outArcs[out++] = key;
      }
    }
    memory.words(sections.inArcs).set(inArcs);
    memory.words(sections.outArcs).set(outArcs.subarray(0, 2 * (outStart[vertices] ?? 0)));
  }

  /** What stands where no arc does: no predecessor, and the one of a pair that is missing: never better, never equal. */
  #writePadding(memory: LaneMemory, { rankBits }: KeyShape, arcsIn: Int32Array): void {
    const { sections } = memory;
    const inStart = memory.words(sections.inStart);
    const inArcs = memory.words(sections.inArcs);
    const tails = new Tails(memory);
    for (let vertex = 0; vertex < memory.vertices; vertex++) {
      const first = inStart[vertex] ?? 0;
      tails.set(first + vertex, NO_PREDECESSOR);
      const end = first + (arcsIn[vertex] ?? 0);
      if (end === inStart[vertex + 1]) continue;
      inArcs[2 * end] = vertex * 64;
      inArcs[2 * end + 1] = 2 ** rankBits;
    }
  }

  #writeOutStart(memory: LaneMemory): Uint32Array {
    const outStart = memory.words(memory.sections.outStart);
    let out = 0;
    for (let vertex = 0; vertex < memory.vertices; vertex++) {
      outStart[vertex] = out;
      const slot = vertex < this.slots ? (this.#slotOf[vertex] ?? 0) : -1;
      for (let k = this.#start[slot] ?? 0; k < (this.#start[slot + 1] ?? 0); k++) out += this.#alive[k] ?? 0;
    }
    outStart[memory.vertices] = out;
    return outStart;
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

/** Lists the vertices that have more arcs than ranks. Returns by vertex how many bits fewer a rank has than a position. */
function writeCrowded(memory: LaneMemory, arcsIn: Int32Array, rankBits: number): Uint8Array {
  const shift = new Uint8Array(memory.vertices);
  const crowded = memory.words(memory.sections.crowded);
  const ranks = 2 ** rankBits - 1;
  let count = 0;
  for (let vertex = 0; vertex < memory.vertices; vertex++) {
    const arcs = arcsIn[vertex] ?? 0;
    if (arcs <= ranks) continue;
    let bits = 0;
    // without rank bits all arcs are looked through
    while (bits < 16 && ((arcs - 1) >> bits) + 1 > ranks) bits++;
    shift[vertex] = bits;
    crowded[2 * count + 1] = vertex;
    crowded[2 * count + 2] = bits;
    count++;
  }
  crowded[0] = count;
  return shift;
}
