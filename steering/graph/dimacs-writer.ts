/** Writes a graph in DIMACS shortest-path format, with the comments of dimacs-reader.ts for what that cannot say. */
import type { GraphView } from './graph-view.ts';

/** Text is handed out in pieces of at least this many characters: few writes, little memory. */
const PIECE = 65_536;

/**
 * The file in pieces. Nodes are numbered from 1 in the order of their stable indices, arcs sorted by tail and head: the
 * same graph gives the same file, however it was built. O((nodes + arcs) log).
 */
export function* dimacsText(graph: GraphView): Generator<string> {
  const slots = [...graph.index.subarray(0, graph.slotCount).keys()].filter((slot) => (graph.index[slot] ?? 0) > 0);
  slots.sort((a, b) => (graph.index[a] ?? 0) - (graph.index[b] ?? 0));
  const number = new Int32Array(graph.slotCount);
  slots.forEach((slot, i) => {
    number[slot] = i + 1;
  });
  let arcs = 0;
  for (const slot of slots) arcs += graph.out.length[slot] ?? 0;
  let text = `p sp ${slots.length} ${arcs}\n`;
  for (const line of nodeComments(graph, slots)) {
    text += line;
    if (text.length < PIECE) continue;
    yield text;
    text = '';
  }
  for (const slot of slots) {
    const start = graph.out.start[slot] ?? 0;
    const positions = Array.from({ length: graph.out.length[slot] ?? 0 }, (_, i) => start + i);
    const head = (k: number): number => number[graph.out.neighbour[k] ?? 0] ?? 0;
    positions.sort((a, b) => head(a) - head(b));
    for (const k of positions) text += `a ${number[slot]} ${head(k)} ${graph.out.weight[k]}\n`;
    if (text.length < PIECE) continue;
    yield text;
    text = '';
  }
  yield text;
}

function* nodeComments(graph: GraphView, slots: readonly number[]): Generator<string> {
  for (const [i, slot] of slots.entries()) {
    if (graph.index[slot] !== i + 1) yield `c thalweg index ${i + 1} ${graph.index[slot]}\n`;
  }
  const forwards = (i: number): boolean => graph.transit[slots[i] ?? 0] === 1;
  if (!slots.some((_, i) => forwards(i))) yield 'c thalweg transit none\n';
  for (let first = 0; first < slots.length; first++) {
    if (!forwards(first)) continue;
    let last = first;
    while (last + 1 < slots.length && forwards(last + 1)) last++;
    // a range over all nodes is what a file without such comments means, too
    if (first > 0 || last + 1 < slots.length) yield `c thalweg transit ${first + 1} ${last + 1}\n`;
    first = last;
  }
}
