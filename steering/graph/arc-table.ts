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

/** Throws `invalid_argument`, naming column and row, unless the table is as `ArcTable` says. O(nodes log nodes + arcs). */
export function checkTable(table: ArcTable): void {
  checkNodes(table);
  checkArcs(table);
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

function fault(message: string): ThalwegError {
  return new ThalwegError('invalid_argument', `graph: ${message}`, { nextStep: 'mend the graph, and load it again' });
}
