/**
 * What an algorithm reads of a graph, and how a worker thread gets at it: the owner's `CsrGraph` and a thread's
 * `AttachedGraph` are the same typed arrays in shared memory.
 *
 * Nobody may read while the owner edits: a run begins after `commit()` and ends before the next edit.
 */

/**
 * Arcs in one direction. Those of slot v stand at start[v] <= k < start[v] + length[v]; the first transitLength[v] of
 * them lead to transit nodes, the rest to nodes that never forward. Each of the two parts is in ascending order of
 * weight; arcs of equal weight stand in any order.
 */
export interface ArcLists {
  /** By slot. */
  readonly start: Int32Array;
  readonly length: Int32Array;
  readonly transitLength: Int32Array;
  /** By arc: the slot at the other end, and microseconds from 1 to 2^31 - 1. */
  readonly neighbour: Int32Array;
  readonly weight: Int32Array;
}

export interface GraphView {
  /** Slots ever used: arrays by slot need this length. Some may be free. */
  readonly slotCount: number;
  readonly nodeCount: number;
  /** Nodes that forward. */
  readonly transitCount: number;
  /** Rises by one with each batch that changed something. */
  readonly version: number;
  /** A power of two that no weight is below; less than two times smaller than the smallest. 1 without arcs. */
  readonly weightFloor: number;
  /** No weight is above it; less than two times larger than the largest. 0 without arcs. */
  readonly weightCeiling: number;
  /** Stable index by slot; 0 where the slot is free. May be longer than slotCount. */
  readonly index: Int32Array;
  /** By slot: 1 for a node that forwards. */
  readonly transit: Uint8Array;
  /** Arcs by the slot they leave, and by the slot they enter. */
  readonly out: ArcLists;
  readonly into: ArcLists;
}

/**
 * All of a graph, to be sent to a worker thread: structured cloning hands over the shared memory, not a copy. An edit
 * that outgrows an array replaces it: then `layout` rises and threads need a new one.
 */
export interface GraphDescription {
  readonly layout: number;
  readonly header: Int32Array;
  readonly index: Int32Array;
  readonly transit: Uint8Array;
  readonly out: ArcLists;
  readonly into: ArcLists;
}

/** Words of the header. */
export const HEADER = {
  slotCount: 0,
  nodeCount: 1,
  version: 2,
  layout: 3,
  weightFloor: 4,
  weightCeiling: 5,
  transitCount: 6,
  words: 7,
} as const;

/** A graph that another thread owns. */
export class AttachedGraph implements GraphView {
  readonly index: Int32Array;
  readonly transit: Uint8Array;
  readonly out: ArcLists;
  readonly into: ArcLists;
  readonly #header: Int32Array;
  readonly #layout: number;

  constructor(description: GraphDescription) {
    this.index = description.index;
    this.transit = description.transit;
    this.out = description.out;
    this.into = description.into;
    this.#header = description.header;
    this.#layout = description.layout;
  }

  /** True when the owner has replaced an array since: attach again, to its new description. */
  get isStale(): boolean {
    return this.#header[HEADER.layout] !== this.#layout;
  }

  get slotCount(): number {
    return this.#header[HEADER.slotCount] ?? 0;
  }

  get nodeCount(): number {
    return this.#header[HEADER.nodeCount] ?? 0;
  }

  get transitCount(): number {
    return this.#header[HEADER.transitCount] ?? 0;
  }

  get version(): number {
    return this.#header[HEADER.version] ?? 0;
  }

  get weightFloor(): number {
    return this.#header[HEADER.weightFloor] ?? 1;
  }

  get weightCeiling(): number {
    return this.#header[HEADER.weightCeiling] ?? 0;
  }
}
