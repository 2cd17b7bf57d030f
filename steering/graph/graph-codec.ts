/**
 * A graph as bytes, for a file or another process. Little-endian 32-bit words:
 *
 *   magic "TWG1" | nodes n | arcs m | checksum | index: n | transit: n bits, in words | arcs leaving slot: n |
 *   then m arcs by slot: head | weight
 *
 * Slots are renumbered without gaps, in the order of the stable indices; arcs of a slot by ascending head: equal graphs
 * have equal bytes. The checksum is FNV-1a, by words
 * and with a shift between them, over everything but the magic and itself. Bytes come from outside: everything is checked.
 */
import type { Parsed } from '../../protocol/error.ts';
import { MAX_NODES, MAX_WEIGHT } from './arc-table.ts';
import { CsrGraph } from './csr-graph.ts';
import type { GraphView } from './graph-view.ts';

/** "TWG1" as a little-endian word. */
const MAGIC = 0x31475754;
const HEADER_WORDS = 4;

export function encodeGraph(graph: GraphView): Uint8Array {
  const slots: number[] = [];
  for (let slot = 0; slot < graph.slotCount; slot++) if ((graph.index[slot] ?? 0) > 0) slots.push(slot);
  slots.sort((a, b) => (graph.index[a] ?? 0) - (graph.index[b] ?? 0));
  const number = new Int32Array(graph.slotCount);
  let arcs = 0;
  slots.forEach((slot, i) => {
    number[slot] = i;
    arcs += graph.out.length[slot] ?? 0;
  });
  const bitWords = Math.ceil(slots.length / 32);
  const words = new Uint32Array(HEADER_WORDS + 2 * slots.length + bitWords + 2 * arcs);
  const transitAt = HEADER_WORDS + slots.length;
  const degreeAt = transitAt + bitWords;
  let at = degreeAt + slots.length;
  slots.forEach((slot, i) => {
    words[HEADER_WORDS + i] = graph.index[slot] ?? 0;
    const word = transitAt + (i >> 5);
    if (graph.transit[slot] === 1) words[word] = (words[word] ?? 0) | (1 << (i & 31));
    const start = graph.out.start[slot] ?? 0;
    const positions = Array.from({ length: graph.out.length[slot] ?? 0 }, (_, k) => start + k);
    const head = (k: number): number => number[graph.out.neighbour[k] ?? 0] ?? 0;
    positions.sort((a, b) => head(a) - head(b));
    words[degreeAt + i] = positions.length;
    for (const k of positions) {
      words[at++] = head(k);
      words[at++] = graph.out.weight[k] ?? 0;
    }
  });
  words.set([MAGIC, slots.length, arcs], 0);
  words[3] = checksumOf(words);
  return bytesOf(words);
}

/** Reads what `encodeGraph` wrote: a graph of version 1. Nothing is allocated on the word of a length that is not there. */
export function decodeGraph(bytes: Uint8Array): Parsed<CsrGraph> {
  if (bytes.length % 4 !== 0 || bytes.length < 4 * HEADER_WORDS) return refused(`${bytes.length} bytes are no graph`);
  const words = wordsOf(bytes);
  const [magic = 0, nodes = 0, arcs = 0, checksum = 0] = words;
  if (magic !== MAGIC) return refused('it does not begin with TWG1');
  if (nodes > MAX_NODES) return refused(`${nodes} nodes are more than ${MAX_NODES}`);
  const bitWords = Math.ceil(nodes / 32);
  const length = HEADER_WORDS + 2 * nodes + bitWords + 2 * arcs;
  if (words.length !== length) return refused(`${words.length} words instead of ${length}: cut short, or more than it`);
  if (checksumOf(words) !== checksum) return refused('the checksum does not fit');

  const index = new Int32Array(nodes);
  const transit = new Uint8Array(nodes);
  const transitAt = HEADER_WORDS + nodes;
  const degreeAt = transitAt + bitWords;
  let total = 0;
  for (let i = 0; i < nodes; i++) {
    const value = words[HEADER_WORDS + i] ?? 0;
    if (value > MAX_WEIGHT || value <= (index[i - 1] ?? 0)) return refused(`node ${i}: index ${value} is out of order`);
    index[i] = value;
    transit[i] = ((words[transitAt + (i >> 5)] ?? 0) >>> (i & 31)) & 1;
    total += words[degreeAt + i] ?? 0;
  }
  if (nodes % 32 !== 0 && (words[degreeAt - 1] ?? 0) >>> (nodes & 31) !== 0) return refused('a transit bit of no node');
  if (total !== arcs) return refused(`nodes have ${total} arcs together instead of ${arcs}`);
  const from = new Int32Array(arcs);
  const to = new Int32Array(arcs);
  const weight = new Int32Array(arcs);
  for (let slot = 0, i = 0; slot < nodes; slot++) {
    let before = -1;
    for (const end = i + (words[degreeAt + slot] ?? 0); i < end; i++) {
      const head = words[degreeAt + nodes + 2 * i] ?? 0;
      const us = words[degreeAt + nodes + 2 * i + 1] ?? 0;
      if (head >= nodes || head <= before || head === slot) return refused(`arc ${i}: slot ${slot} to ${head}`);
      if (us < 1 || us > MAX_WEIGHT) return refused(`arc ${i}: weight ${us} is not from 1 to ${MAX_WEIGHT}`);
      before = head;
      from[i] = slot;
      to[i] = head;
      weight[i] = us;
    }
  }
  return { ok: true, value: CsrGraph.fromTable({ index, transit, from, to, weight }) };
}

/** Over all words but the magic and the checksum. */
function checksumOf(words: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 1; i < words.length; i++) {
    if (i === 3) continue;
    hash = Math.imul(hash ^ (words[i] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

function bytesOf(words: Uint32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return new Uint8Array(view.buffer);
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason: `graph: ${reason}` };
}
