/**
 * Writes the arcs that are left of a graph, and where vertices and slots are, into the memory that kernels read.
 *
 * Arcs into a vertex, of which sweeps look at a piece:
 *
 *   inStart          inShort           inRest            inShortEnd        inStart of the next
 *   | from hubs, long | from hubs, short | of others, short | of others, long |
 *
 * They are looked at in pairs, so pieces may have one more at either end than they must.
 */
import { NO_PREDECESSOR } from '../path-table.ts';
import type { LaneGraph } from './lane-graph.ts';
import { type LaneMemory, Tails } from './lane-memory.ts';

/** Share of the arcs that are short: most trees are made of them nearly all. Measured: 0.2 to 0.6. */
const SHORT_SHARE = 0.4;
/** One arc in so many is asked what short is. */
const SAMPLED = 16;
/** Pieces of the arcs into a vertex. */
const PIECES = 4;

/**
 * Bits of a key, from the highest: distance, hops, and the rank of the arc that leads to the vertex among the arcs into
 * it, from 1 in the order of stable indices. 0 is no arc. Where there are more arcs than ranks, neighbours share one.
 */
export interface KeyShape {
  readonly hopBits: number;
  readonly rankBits: number;
}

/** Writes all that kernels read of the graph but the batches, for keys of this shape. */
export function writeGraph(graph: LaneGraph, memory: LaneMemory, shape: KeyShape): void {
  const arcsIn = graph.countIn();
  writeOrder(graph, memory);
  writeStarts(graph, memory, arcsIn);
  const shift = writeCrowded(memory, arcsIn, shape.rankBits);
  const mostShort = mostShortCost(graph);
  writeArcs(graph, memory, shape, { shift, mostShort, next: writePieces(graph, memory, shift, mostShort) });
  writePadding(memory, shape, arcsIn);
  writeOnwardArcs(graph, memory, shape, mostShort);
}

function writeOrder({ slots, slotOf, transit }: LaneGraph, memory: LaneMemory): void {
  const { sections, paddedSlots } = memory;
  const line = memory.words(sections.line).fill(slots * 64);
  const forwards = memory.bytes(sections.transit);
  for (let vertex = 0; vertex < slots; vertex++) {
    const slot = slotOf[vertex] ?? 0;
    line[slot] = vertex * 64;
    line[paddedSlots + vertex] = slot;
    forwards[vertex] = transit[slot] ?? 0;
  }
}

function writeStarts({ slots, vertexOf }: LaneGraph, memory: LaneMemory, arcsIn: Int32Array): void {
  const { sections, vertices } = memory;
  const inStart = memory.words(sections.inStart);
  // arcs into a vertex come in pairs
  inStart[0] = 0;
  for (let v = 0; v < vertices; v++) inStart[v + 1] = (inStart[v] ?? 0) + (((arcsIn[v] ?? 0) + 1) & ~1);
  const tailStart = memory.words(sections.tailStart).fill((inStart[slots] ?? 0) + slots);
  for (let slot = 0; slot < slots; slot++) {
    const vertex = vertexOf[slot] ?? 0;
    tailStart[slot] = (inStart[vertex] ?? 0) + vertex;
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

/** The greatest cost of a short arc, from a sample of those that are left. */
function mostShortCost({ arcCount, alive, cost }: LaneGraph): number {
  const sample: number[] = [];
  for (let k = 0; k < arcCount; k += SAMPLED) if (alive[k] === 1) sample.push(cost[k] ?? 0);
  return Uint32Array.from(sample).sort()[Math.floor(sample.length * SHORT_SHARE)] ?? 0;
}

/** Which piece of the arcs into its head an arc belongs to. */
function pieceOf(fromHub: boolean, isShort: boolean): number {
  if (fromHub) return isShort ? 1 : 0;
  return isShort ? 2 : 3;
}

/** Writes where the pieces are. Returns by vertex and piece where its next arc is put. */
function writePieces(graph: LaneGraph, memory: LaneMemory, shift: Uint8Array, mostShort: number): Int32Array {
  const { start, head, cost, alive, transit, vertexOf, hubs } = graph;
  const { sections, vertices } = memory;
  const count = new Int32Array(PIECES * vertices);
  for (let slot = 0; slot < graph.slots; slot++) {
    if (transit[slot] !== 1) continue;
    const fromHub = (vertexOf[slot] ?? 0) < hubs;
    for (let k = start[slot] ?? 0; k < (start[slot + 1] ?? 0); k++) {
      const at = PIECES * (vertexOf[head[k] ?? 0] ?? 0) + pieceOf(fromHub, (cost[k] ?? 0) <= mostShort);
      count[at] = (count[at] ?? 0) + (alive[k] ?? 0);
    }
  }
  const inStart = memory.words(sections.inStart);
  const inShort = memory.words(sections.inShort);
  const inRest = memory.words(sections.inRest);
  const inShortEnd = memory.words(sections.inShortEnd);
  for (let vertex = 0; vertex < vertices; vertex++) {
    let at = inStart[vertex] ?? 0;
    // where neighbours share ranks arcs stay in the order of these, and all are looked at on every sweep
    const whole = (shift[vertex] ?? 0) > 0;
    const ends: number[] = [];
    for (let piece = 0; piece < PIECES; piece++) {
      const arcs = count[PIECES * vertex + piece] ?? 0;
      count[PIECES * vertex + piece] = at;
      if (!whole) at += arcs;
      ends.push(at);
    }
    inShort[vertex] = (ends[0] ?? 0) & ~1;
    inRest[vertex] = (ends[1] ?? 0) & ~1;
    inShortEnd[vertex] = whole ? (inStart[vertex + 1] ?? 0) : ((ends[2] ?? 0) + 1) & ~1;
  }
  return count;
}

interface InArcs {
  /** By vertex: bits fewer that a rank has than a position. */
  readonly shift: Uint8Array;
  readonly mostShort: number;
  /** By vertex and piece: where the next arc is put. */
  readonly next: Int32Array;
}

/** The arcs by their heads and by their tails. */
function writeArcs(
  graph: LaneGraph,
  memory: LaneMemory,
  { hopBits, rankBits }: KeyShape,
  { shift, mostShort, next }: InArcs,
): void {
  const { sections, vertices } = memory;
  const { start, head, cost, alive, transit, vertexOf, hubs } = graph;
  const inStart = memory.words(sections.inStart);
  const tails = new Tails(memory);
  const inArcs = new Uint32Array(2 * (inStart[vertices] ?? 0));
  const outArcs = new Uint32Array(2 * graph.arcCount);
  const outStart = writeOutStart(graph, memory);
  const placed = new Int32Array(vertices);
  // keys have 31 bits: the arithmetic of 32 is exact
  const unit = 1 << (hopBits + rankBits);
  const oneHop = 1 << rankBits;
  for (const slot of graph.byIndex) {
    const tail = vertexOf[slot] ?? 0;
    const forwards = transit[slot] === 1;
    let out = 2 * (outStart[tail] ?? 0);
    for (let k = start[slot] ?? 0; k < (start[slot + 1] ?? 0); k++) {
      if (alive[k] === 0) continue;
      const vertex = vertexOf[head[k] ?? 0] ?? 0;
      const us = cost[k] ?? 0;
      let key = (Math.imul(us, unit) + oneHop) | 0;
      if (forwards) {
        const before = placed[vertex] ?? 0;
        placed[vertex] = before + 1;
        const shared = shift[vertex] ?? 0;
        if (rankBits > 0) key += (before >> shared) + 1;
        tails.set((inStart[vertex] ?? 0) + vertex + before + 1, slot);
        const piece = PIECES * vertex + (shared > 0 ? 0 : pieceOf(tail < hubs, us <= mostShort));
        const into = next[piece] ?? 0;
        next[piece] = into + 1;
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

function writeOutStart({ slots, slotOf, start, alive }: LaneGraph, memory: LaneMemory): Uint32Array {
  const outStart = memory.words(memory.sections.outStart);
  let out = 0;
  for (let vertex = 0; vertex < memory.vertices; vertex++) {
    outStart[vertex] = out;
    const slot = vertex < slots ? (slotOf[vertex] ?? 0) : -1;
    for (let k = start[slot] ?? 0; k < (start[slot + 1] ?? 0); k++) out += alive[k] ?? 0;
  }
  outStart[memory.vertices] = out;
  return outStart;
}

/** What stands where no arc does: no predecessor, and the one of a pair that is missing: never better, never equal. */
function writePadding(memory: LaneMemory, { rankBits }: KeyShape, arcsIn: Int32Array): void {
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

/** The arcs to vertices that forward, by their tails, least weight first: what paths to a hub are made longer by. */
function writeOnwardArcs(
  graph: LaneGraph,
  memory: LaneMemory,
  { hopBits, rankBits }: KeyShape,
  mostShort: number,
): void {
  const { sections, vertices } = memory;
  const { slots, slotOf, start, head, cost, alive, transit, vertexOf } = graph;
  const onStart = memory.words(sections.onStart);
  const onShortEnd = memory.words(sections.onShortEnd);
  const onArcs = new Uint32Array(2 * (graph.arcCount + vertices));
  const unit = 1 << (hopBits + rankBits);
  const oneHop = 1 << rankBits;
  let at = 0;
  for (let vertex = 0; vertex < vertices; vertex++) {
    const slot = vertex < slots ? (slotOf[vertex] ?? 0) : -1;
    onStart[vertex] = at;
    let shortEnd = at;
    for (let k = start[slot] ?? 0; k < (start[slot + 1] ?? 0); k++) {
      const to = head[k] ?? 0;
      if (alive[k] === 0 || transit[to] !== 1) continue;
      const us = cost[k] ?? 0;
      onArcs[2 * at] = (vertexOf[to] ?? 0) * 64;
      onArcs[2 * at + 1] = (Math.imul(us, unit) + oneHop) | 0;
      at++;
      if (us <= mostShort) shortEnd = at;
    }
    if (at % 2 === 1) {
      onArcs[2 * at] = vertex * 64;
      onArcs[2 * at + 1] = oneHop;
      at++;
    }
    onShortEnd[vertex] = (shortEnd + 1) & ~1;
  }
  onStart[vertices] = at;
  memory.words(sections.onArcs).set(onArcs.subarray(0, 2 * at));
}
