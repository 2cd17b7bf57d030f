/** A whole graph as plain columns: how graphs are loaded at once, and what files are read into. */
import { ThalwegError } from '../../protocol/error.ts';

/** Slots and arcs in columns of equal length. */
export interface ArcTable {
  /** By slot: the stable index, 1 to 2^31 - 1, each once. */
  readonly index: Int32Array;
  /** By slot: 1 for a node that forwards. */
  readonly transit: Uint8Array;
  /** By arc: slots, and microseconds from 1 to 2^31 - 1. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly weight: Int32Array;
}

/** Slots of a graph lie below it: enough for a million leaves, few enough that a slot pair is an exact number. */
export const MAX_NODES = 2 ** 24;
export const MAX_WEIGHT = 2 ** 31 - 1;

/** Throws `invalid_argument` unless the weight is a whole number of microseconds from 1 to 2^31 - 1. */
export function checkWeight(weight: number): void {
  if (Number.isInteger(weight) && weight >= 1 && weight <= MAX_WEIGHT) return;
  throw new ThalwegError('invalid_argument', `weight ${weight} is not a whole number from 1 to ${MAX_WEIGHT}`, {
    nextStep: 'give the weight in whole microseconds',
    fields: { weight },
  });
}

/** Throws `invalid_argument` unless the stable index is a whole number from 1 to 2^31 - 1. */
export function checkIndex(index: number): void {
  if (Number.isInteger(index) && index >= 1 && index <= MAX_WEIGHT) return;
  throw new ThalwegError('invalid_argument', `node index ${index} is not a whole number from 1 to ${MAX_WEIGHT}`, {
    fields: { index },
  });
}

/**
 * The table without self loops, and of arcs between the same two slots only the one of least weight: neither can be on
 * a shortest path. Throws `invalid_argument`, naming column and row, on anything else that is not as `ArcTable` says.
 * O(slots + arcs).
 */
export function checkedTable(table: ArcTable): { table: ArcTable; selfLoops: number; duplicates: number } {
  checkNodes(table);
  checkArcs(table);
  const slots = table.index.length;
  const arcs = table.from.length;
  const byFrom = order(table.from, slots);
  // by head: the position, among the arcs kept, of the last one that leads there
  const last = new Int32Array(slots).fill(-1);
  const kept = new Int32Array(arcs);
  let count = 0;
  let selfLoops = 0;
  for (let i = 0, tail = -1, first = 0; i < arcs; i++) {
    const arc = byFrom[i] ?? 0;
    const from = table.from[arc] ?? 0;
    const to = table.to[arc] ?? 0;
    if (from !== tail) first = count;
    tail = from;
    if (from === to) {
      selfLoops++;
      continue;
    }
    const at = last[to] ?? -1;
    if (at < first) {
      last[to] = count;
      kept[count++] = arc;
    } else if ((table.weight[arc] ?? 0) < (table.weight[kept[at] ?? 0] ?? 0)) {
      kept[at] = arc;
    }
  }
  const duplicates = arcs - selfLoops - count;
  if (count === arcs) return { table, selfLoops, duplicates };
  const chosen = kept.subarray(0, count).sort();
  const column = (values: Int32Array): Int32Array => chosen.map((arc) => values[arc] ?? 0);
  const { index, transit } = table;
  return {
    table: { index, transit, from: column(table.from), to: column(table.to), weight: column(table.weight) },
    selfLoops,
    duplicates,
  };
}

/** The arcs of a table in ascending order of weight, equal ones as they stood. */
export function sortedByWeight({ from, to, weight }: ArcTable): Pick<ArcTable, 'from' | 'to' | 'weight'> {
  // two passes of 16 bits: a radix sort
  const low = order(
    weight.map((us) => us & 0xffff),
    0x1_0000,
  );
  const byLow = low.map((arc) => (weight[arc] ?? 0) >>> 16);
  const sorted = order(byLow, 0x8000).map((i) => low[i] ?? 0);
  const column = (values: Int32Array): Int32Array => sorted.map((arc) => values[arc] ?? 0);
  return { from: column(from), to: column(to), weight: column(weight) };
}

function checkNodes({ index, transit }: ArcTable): void {
  if (index.length > MAX_NODES) throw fault(`${index.length} nodes are more than ${MAX_NODES}`);
  if (transit.length !== index.length) throw fault(`${transit.length} transit bits for ${index.length} nodes`);
  for (let slot = 0; slot < index.length; slot++) {
    if ((index[slot] ?? 0) < 1) throw fault(`slot ${slot}: index ${index[slot]} is not from 1 to ${MAX_WEIGHT}`);
    if ((transit[slot] ?? 0) > 1) throw fault(`slot ${slot}: transit bit ${transit[slot]} is neither 0 nor 1`);
  }
  const sorted = index.slice().sort();
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i] === sorted[i - 1]) throw fault(`index ${sorted[i]} belongs to two nodes`);
  }
}

function checkArcs({ index, from, to, weight }: ArcTable): void {
  if (to.length !== from.length || weight.length !== from.length) {
    throw fault(`columns differ in length: from ${from.length}, to ${to.length}, weight ${weight.length}`);
  }
  const slots = index.length;
  for (let i = 0; i < from.length; i++) {
    const a = from[i] ?? -1;
    const b = to[i] ?? -1;
    if (a < 0 || a >= slots) throw fault(`arc ${i}: slot ${a} is not below ${slots}`);
    if (b < 0 || b >= slots) throw fault(`arc ${i}: slot ${b} is not below ${slots}`);
    if ((weight[i] ?? 0) < 1) throw fault(`arc ${i}: weight ${weight[i]} is not from 1 to ${MAX_WEIGHT}`);
  }
}

/** Positions in stable order of their key: a counting sort. */
function order(key: Int32Array, keys: number): Int32Array {
  const next = new Int32Array(keys + 1);
  for (let i = 0; i < key.length; i++) next[(key[i] ?? 0) + 1] = (next[(key[i] ?? 0) + 1] ?? 0) + 1;
  for (let k = 0; k < keys; k++) next[k + 1] = (next[k + 1] ?? 0) + (next[k] ?? 0);
  const sorted = new Int32Array(key.length);
  for (let i = 0; i < key.length; i++) {
    const at = next[key[i] ?? 0] ?? 0;
    next[key[i] ?? 0] = at + 1;
    sorted[at] = i;
  }
  return sorted;
}

function fault(message: string): ThalwegError {
  return new ThalwegError('invalid_argument', `graph: ${message}`, { nextStep: 'mend the graph, and load it again' });
}
