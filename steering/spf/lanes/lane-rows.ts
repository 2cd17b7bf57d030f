/**
 * Sixteen shortest-path trees at once, in plain TypeScript: what runs where WebAssembly is missing, and the twin that
 * lane-kernel.as is held against. Trees of sources that are near each other are alike, so one pass over the arcs serves
 * all sixteen; side by side they fill vectors (as the trees of PHAST do: Delling, Goldberg, Nowatzyk, Werneck, IPDPS 2011).
 *
 * A key is distance, hops, and the rank of the last arc among those into its head, in this order of bits: the least key
 * is the least distance, with that the fewest hops, and with these the predecessor that the tie rule wants. Keys only
 * fall, until none falls any more (Bellman-Ford, as Gauss and Seidel would). While many fall, all vertices pull: each
 * takes the least over the arcs into it, in sweeps there and back; the first sweeps look at short arcs alone. While few
 * fall, those push along the arcs out of them (Beamer, Asanovic, Patterson, SC 2012, choose the direction so for unit
 * weights). What comes out are the least keys, whatever the order: the same rows for any division into batches and threads,
 * and the same as in WebAssembly, where paths to hubs are computed before.
 */
import { CONTROL, LANES, type LaneMemory, Tails } from './lane-memory.ts';

/** Fills the rows of one batch; returns a FAULT. The rows are of no use unless it is NONE. */
export interface BatchKernel {
  fill(batch: number): number;
}

export const FAULT = {
  none: 0,
  /** A path may have more hops than fit the hop bits. */
  hops: 1,
  /** A path may be too long for a key. */
  distance: 2,
} as const;

/** All vertices pull while more than one in so many has a key that fell: to push costs three times as much per arc. */
const PULL_SHARE = 2;
/** So many sweeps look at short arcs only. Measured, of 0, 2, 3 and 4. */
const SHORT_SWEEPS = 3;

/** The kernel of thread number `thread`, with scratch of its own. */
export function laneRows(memory: LaneMemory, thread: number): BatchKernel {
  return new LaneRows(memory, thread);
}

class LaneRows implements BatchKernel {
  readonly #memory: LaneMemory;
  // keys have 31 bits, which a signed array reads faster
  readonly #keys: Int32Array;
  readonly #listed: Uint8Array;
  #list: Uint32Array;
  #next: Uint32Array;
  /** The bits of a key that hold the rank. */
  #ranks = 0;
  readonly #inStart: Uint32Array;
  /** By vertex: where its arcs end, and where its short ones start and end. */
  readonly #inEnd: Uint32Array;
  readonly #inShort: Uint32Array;
  readonly #inShortEnd: Uint32Array;
  readonly #inArcs: Uint32Array;
  readonly #outStart: Uint32Array;
  readonly #outArcs: Uint32Array;
  readonly #tails: Tails;
  readonly #tailStart: Uint32Array;
  readonly #crowded: Uint32Array;
  readonly #line: Uint32Array;
  readonly #transit: Uint8Array;

  constructor(memory: LaneMemory, thread: number) {
    const { sections } = memory;
    const scratch = memory.scratch(thread);
    this.#memory = memory;
    this.#keys = new Int32Array(memory.buffer, scratch.keys.at, scratch.keys.bytes / 4);
    this.#listed = memory.bytes(scratch.listed);
    const lists = memory.words(scratch.lists);
    this.#list = lists.subarray(0, memory.vertices);
    this.#next = lists.subarray(memory.vertices);
    this.#inStart = memory.words(sections.inStart);
    this.#inEnd = this.#inStart.subarray(1);
    this.#inShort = memory.words(sections.inShort);
    this.#inShortEnd = memory.words(sections.inShortEnd);
    this.#inArcs = memory.words(sections.inArcs);
    this.#outStart = memory.words(sections.outStart);
    this.#outArcs = memory.words(sections.outArcs);
    this.#tails = new Tails(memory);
    this.#tailStart = memory.words(sections.tailStart);
    this.#crowded = memory.words(sections.crowded);
    this.#line = memory.words(sections.line);
    this.#transit = memory.bytes(sections.transit);
  }

  fill(batch: number): number {
    // rows are computed without what is known of hubs
    if (this.#memory.control[CONTROL.columns] === 1) return FAULT.none;
    const sources = this.#memory.words(this.#memory.batch(batch));
    this.#ranks = (1 << (this.#memory.control[CONTROL.rankBits] ?? 0)) - 1;
    const many = Math.floor(this.#memory.vertices / PULL_SHARE);
    let backward = false;
    let count = this.#seed(sources);
    if (count > 0) {
      for (let sweep = 0; sweep < SHORT_SWEEPS; sweep++) {
        const fell = this.#pull(backward, this.#inShort, this.#inShortEnd);
        backward = !backward;
        if (fell <= many) break;
      }
      // whatever the short arcs gave, each arc is looked at from here on
      count = this.#memory.vertices;
    }
    while (count > 0) {
      if (count > many) {
        count = this.#pull(backward, this.#inStart, this.#inEnd);
        backward = !backward;
      } else {
        count = this.#push(count);
        [this.#list, this.#next] = [this.#next, this.#list];
      }
    }
    for (let lane = 0; lane < LANES; lane++) {
      const fault = this.#deliver(lane, sources[lane] ?? 0, sources[LANES + lane] ?? 0);
      if (fault !== FAULT.none) return fault;
    }
    return FAULT.none;
  }

  /** Every source reaches itself, and its neighbours by their arcs. Lists those that forward; returns how many. */
  #seed(sources: Uint32Array): number {
    const keys = this.#keys;
    let count = 0;
    keys.fill(this.#memory.control[CONTROL.unreached] ?? 0);
    this.#listed.fill(0);
    for (let lane = 0; lane < LANES; lane++) {
      const source = sources[lane] ?? 0;
      keys[source * LANES + lane] = 0;
      for (let k = this.#outStart[source] ?? 0; k < (this.#outStart[source + 1] ?? 0); k++) {
        const line = this.#outArcs[2 * k] ?? 0;
        const at = (line >> 2) + lane;
        keys[at] = Math.min(keys[at] ?? 0, this.#outArcs[2 * k + 1] ?? 0);
        count = this.#enlist(line >> 6, this.#list, count);
      }
    }
    return count;
  }

  /** Puts the vertex on the list when it forwards and is on none. Returns the length of the list. */
  #enlist(vertex: number, list: Uint32Array, count: number): number {
    if (this.#listed[vertex] === 1 || this.#transit[vertex] === 0) return count;
    this.#listed[vertex] = 1;
    list[count] = vertex;
    return count + 1;
  }

  /** Looks at every vertex once, and at a piece of the arcs into it. Lists those whose keys fell. */
  #pull(backward: boolean, starts: Uint32Array, ends: Uint32Array): number {
    const { vertices } = this.#memory;
    let count = 0;
    this.#listed.fill(0);
    for (let i = 0; i < vertices; i++) {
      const vertex = backward ? vertices - 1 - i : i;
      if (this.#relax(vertex, starts[vertex] ?? 0, ends[vertex] ?? 0)) count = this.#enlist(vertex, this.#list, count);
    }
    return count;
  }

  /** Has the first `count` on the list lower the keys of others. Lists these in #next; returns how many. */
  #push(count: number): number {
    const arcs = this.#outArcs;
    let found = 0;
    for (let i = 0; i < count; i++) {
      const vertex = this.#list[i] ?? 0;
      this.#listed[vertex] = 0;
      const from = vertex * LANES;
      const end = 2 * (this.#outStart[vertex + 1] ?? 0);
      for (let k = 2 * (this.#outStart[vertex] ?? 0); k < end; k += 2) {
        const line = arcs[k] ?? 0;
        if (this.#lower(line >> 2, from, (arcs[k + 1] ?? 0) | 0)) found = this.#enlist(line >> 6, this.#next, found);
      }
    }
    return found;
  }

  /** Lowers the sixteen keys at `at` to those at `from` with `key` added, where these are less. True when one fell. */
  #lower(at: number, from: number, key: number): boolean {
    const keys = this.#keys;
    const lengths = ~this.#ranks;
    let fell = false;
    for (let lane = 0; lane < LANES; lane++) {
      const sum = (((keys[from + lane] ?? 0) & lengths) + key) | 0;
      if (sum >= (keys[at + lane] ?? 0)) continue;
      keys[at + lane] = sum;
      fell = true;
    }
    return fell;
  }

  /** Takes the least over arcs into the vertex, in all lanes. True when a key fell. */
  #relax(vertex: number, first: number, last: number): boolean {
    const arcs = this.#inArcs;
    const end = 2 * last;
    let fell = false;
    for (let k = 2 * first; k < end; k += 2) {
      if (this.#lower(vertex * LANES, (arcs[k] ?? 0) >> 2, (arcs[k + 1] ?? 0) | 0)) fell = true;
    }
    return fell;
  }

  /** Turns what one lane has into a row, with predecessors, and checks the bounds. */
  #deliver(lane: number, source: number, slot: number): number {
    const { control, table } = this.#memory;
    const keys = this.#keys;
    const hopBits = control[CONTROL.hopBits] ?? 0;
    const rankBits = control[CONTROL.rankBits] ?? 0;
    const mask = (1 << hopBits) - 1;
    const unreached = control[CONTROL.unreached] ?? 0;
    const row = slot * table.stride;
    table.clearRow(slot);
    for (let to = 0; to < table.capacity; to++) {
      const key = keys[((this.#line[to] ?? 0) >> 2) + lane] ?? 0;
      if (key === unreached) continue;
      const hops = (key >> rankBits) & mask;
      if (hops === mask) return FAULT.hops;
      if (key >= (control[CONTROL.unproven] ?? 0)) return FAULT.distance;
      table.distance[row + to] = (key >> (hopBits + rankBits)) - (control[CONTROL.transitHopUs] ?? 0);
      table.hops[row + to] = hops;
      table.predecessor[row + to] = this.#tails.get((this.#tailStart[to] ?? 0) + (key & this.#ranks));
    }
    this.#searchCrowded(lane, row);
    table.distance[row + slot] = 0;
    if (this.#transit[source] === 0) this.#explainBySource(lane, source, slot);
    return FAULT.none;
  }

  /** Vertices with more arcs than ranks: of the arcs that share the rank the first that explains the key. */
  #searchCrowded(lane: number, row: number): void {
    const { control, table } = this.#memory;
    const crowded = this.#crowded;
    for (let i = 0; i < (crowded[0] ?? 0); i++) {
      const vertex = crowded[2 * i + 1] ?? 0;
      const key = this.#keys[vertex * LANES + lane] ?? 0;
      if (key === 0 || key === control[CONTROL.unreached]) continue;
      const skipped = Math.max(0, (key & this.#ranks) - 1) << (crowded[2 * i + 2] ?? 0);
      const end = this.#inStart[vertex + 1] ?? 0;
      let k = (this.#inStart[vertex] ?? 0) + skipped;
      while (k < end && !this.#explains(k, lane, key)) k++;
      if (k < end) table.predecessor[row + this.#slotOf(vertex)] = this.#slotOf((this.#inArcs[2 * k] ?? 0) >> 6);
    }
  }

  #explains(inArc: number, lane: number, key: number): boolean {
    const lengths = ~this.#ranks;
    const from = this.#keys[((this.#inArcs[2 * inArc] ?? 0) >> 2) + lane] ?? 0;
    return (from & lengths) + ((this.#inArcs[2 * inArc + 1] ?? 0) & lengths) === (key & lengths);
  }

  /** The slots of the vertices stand behind the lines of the slots. */
  #slotOf(vertex: number): number {
    return this.#line[this.#memory.paddedSlots + vertex] ?? 0;
  }

  /** The arcs of a source that does not forward have no rank; they explain keys in its own row. */
  #explainBySource(lane: number, source: number, slot: number): void {
    const { table } = this.#memory;
    for (let k = this.#outStart[source] ?? 0; k < (this.#outStart[source + 1] ?? 0); k++) {
      const to = this.#outArcs[2 * k] ?? 0;
      if (this.#keys[(to >> 2) + lane] !== this.#outArcs[2 * k + 1]) continue;
      table.predecessor[slot * table.stride + this.#slotOf(to >> 6)] = slot;
    }
  }
}
