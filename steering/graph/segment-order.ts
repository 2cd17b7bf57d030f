/** Puts freshly loaded adjacency lists in order: each neighbour once, by ascending weight within each part. */
import type { ArcLists } from './graph-view.ts';

/** Segments shorter than this are sorted by insertion, as those of leaves are. */
const SHORT = 24;
/** Positions in a part that can be told apart beside a weight of 31 bits in an exact double: 53 - 31 = 22 bits. */
const POSITIONS = 2 ** 22;

/**
 * Drops arcs from a slot to itself, and all but the lightest between the same two slots; then sorts both parts of each
 * segment by weight. Edits `lists` in place and returns how many arcs were dropped.
 */
export function tidySegments(lists: ArcLists, slotCount: number): { selfLoops: number; duplicates: number } {
  const { start, length, transitLength } = lists;
  // by neighbour: where it stands among the arcs kept so far
  const last = new Int32Array(slotCount).fill(-1);
  const sorter = new PartSorter(lists);
  let selfLoops = 0;
  let duplicates = 0;
  for (let slot = 0; slot < slotCount; slot++) {
    const from = start[slot] ?? 0;
    const border = from + (transitLength[slot] ?? 0);
    const to = from + (length[slot] ?? 0);
    const first = keepOnce(lists, slot, from, border, from, last);
    const second = keepOnce(lists, slot, border, to, first.end, last);
    transitLength[slot] = first.end - from;
    length[slot] = second.end - from;
    selfLoops += first.selfLoops + second.selfLoops;
    duplicates += to - second.end - first.selfLoops - second.selfLoops;
    sorter.sort(from, first.end);
    sorter.sort(first.end, second.end);
  }
  return { selfLoops, duplicates };
}

/** Moves what is kept of the arcs in [from, to) to `at` and behind. */
function keepOnce(
  { neighbour, weight }: ArcLists,
  slot: number,
  from: number,
  to: number,
  at: number,
  last: Int32Array,
): { end: number; selfLoops: number } {
  let end = at;
  let selfLoops = 0;
  for (let k = from; k < to; k++) {
    const v = neighbour[k] ?? 0;
    const seen = last[v] ?? -1;
    if (v === slot) {
      selfLoops++;
    } else if (seen >= at && seen < end && neighbour[seen] === v) {
      weight[seen] = Math.min(weight[seen] ?? 0, weight[k] ?? 0);
    } else {
      last[v] = end;
      neighbour[end] = v;
      weight[end++] = weight[k] ?? 0;
    }
  }
  return { end, selfLoops };
}

/** Sorts parts of adjacency lists, with scratch memory for the longest. */
class PartSorter {
  readonly #neighbour: Int32Array;
  readonly #weight: Int32Array;
  #key = new Float64Array(1024);
  #copy = new Int32Array(1024);

  constructor({ neighbour, weight }: ArcLists) {
    this.#neighbour = neighbour;
    this.#weight = weight;
  }

  sort(from: number, to: number): void {
    if (to - from < SHORT) this.#byInsertion(from, to);
    else if (to - from <= POSITIONS) this.#byKey(from, to);
    else this.#byComparison(from, to);
  }

  #byInsertion(from: number, to: number): void {
    const neighbour = this.#neighbour;
    const weight = this.#weight;
    for (let i = from + 1; i < to; i++) {
      const v = neighbour[i] ?? 0;
      const us = weight[i] ?? 0;
      let at = i;
      for (; at > from; at--) {
        const before = weight[at - 1] ?? 0;
        if (before <= us) break;
        weight[at] = before;
        neighbour[at] = neighbour[at - 1] ?? 0;
      }
      weight[at] = us;
      neighbour[at] = v;
    }
  }

  /** Sorts weight * 2^22 + position as plain numbers. */
  #byKey(from: number, to: number): void {
    const count = to - from;
    if (this.#key.length < count) {
      this.#key = new Float64Array(2 * count);
      this.#copy = new Int32Array(2 * count);
    }
    for (let i = 0; i < count; i++) this.#key[i] = (this.#weight[from + i] ?? 0) * POSITIONS + i;
    const keys = this.#key.subarray(0, count).sort();
    for (let i = 0; i < count; i++) this.#copy[i] = this.#neighbour[from + ((keys[i] ?? 0) % POSITIONS)] ?? 0;
    for (let i = 0; i < count; i++) {
      this.#neighbour[from + i] = this.#copy[i] ?? 0;
      this.#weight[from + i] = Math.floor((keys[i] ?? 0) / POSITIONS);
    }
  }

  #byComparison(from: number, to: number): void {
    const neighbour = this.#neighbour.slice(from, to);
    const weight = this.#weight.slice(from, to);
    const order = Int32Array.from(weight.keys());
    order.sort((a, b) => (weight[a] ?? 0) - (weight[b] ?? 0));
    order.forEach((position, i) => {
      this.#neighbour[from + i] = neighbour[position] ?? 0;
      this.#weight[from + i] = weight[position] ?? 0;
    });
  }
}
