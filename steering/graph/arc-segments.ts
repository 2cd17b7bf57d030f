/**
 * Adjacency lists of a graph in typed arrays in shared memory, edited in place. A segment that is full moves to the
 * end with twice its room; when the end is reached all segments are packed into new arrays with a quarter more, so
 * edits cost O(degree), amortised.
 *
 *   slot v:  | arcs to transit nodes | arcs to the others | room left |
 *            start[v]                 + transitLength[v]   + length[v]
 *
 * Both parts are in ascending order of weight, so that a search can stop where arcs get too long to matter.
 */
import type { ArcLists } from './graph-view.ts';
import { tidySegments } from './segment-order.ts';
import { grownInt32, sharedInt32 } from './slot-array.ts';

/** Arcs as plain columns of equal length. */
export interface ArcColumns {
  readonly tail: Int32Array;
  readonly head: Int32Array;
  readonly weight: Int32Array;
}

export class ArcSegments implements ArcLists {
  start = sharedInt32(0);
  length = sharedInt32(0);
  transitLength = sharedInt32(0);
  neighbour = sharedInt32(16);
  weight = sharedInt32(16);
  /** Rises when an array above is replaced by another. */
  layout = 0;
  #room = new Int32Array(0);
  #end = 0;

  /** Makes room for slots below `capacity`. */
  grow(capacity: number): void {
    if (this.start.length >= capacity) return;
    this.start = grownInt32(this.start, capacity);
    this.length = grownInt32(this.length, capacity);
    this.transitLength = grownInt32(this.transitLength, capacity);
    const room = new Int32Array(capacity);
    room.set(this.#room);
    this.#room = room;
    this.layout++;
  }

  /** Position of the arc, or -1. */
  find(slot: number, neighbour: number): number {
    const from = this.start[slot] ?? 0;
    const to = from + (this.length[slot] ?? 0);
    for (let k = from; k < to; k++) if (this.neighbour[k] === neighbour) return k;
    return -1;
  }

  insert(slot: number, neighbour: number, weight: number, toTransit: boolean): void {
    const length = this.length[slot] ?? 0;
    if (length === this.#room[slot]) this.#move(slot, Math.max(4, length * 2));
    const start = this.start[slot] ?? 0;
    const border = start + (this.transitLength[slot] ?? 0);
    const k = this.#place(weight, toTransit ? start : border, toTransit ? border : start + length);
    this.neighbour.copyWithin(k + 1, k, start + length);
    this.weight.copyWithin(k + 1, k, start + length);
    this.neighbour[k] = neighbour;
    this.weight[k] = weight;
    this.length[slot] = length + 1;
    if (toTransit) this.transitLength[slot] = border - start + 1;
  }

  /** Removes the arc at position `k` of `slot`. */
  removeAt(slot: number, k: number): void {
    const start = this.start[slot] ?? 0;
    const length = this.length[slot] ?? 0;
    const transitLength = this.transitLength[slot] ?? 0;
    this.neighbour.copyWithin(k, k + 1, start + length);
    this.weight.copyWithin(k, k + 1, start + length);
    this.length[slot] = length - 1;
    if (k < start + transitLength) this.transitLength[slot] = transitLength - 1;
  }

  /** Changes the weight of the arc at position `k` of `slot`, which moves to its place among the others. */
  setWeight(slot: number, k: number, weight: number): void {
    const neighbour = this.neighbour[k] ?? 0;
    const start = this.start[slot] ?? 0;
    const border = start + (this.transitLength[slot] ?? 0);
    const first = k < border ? start : border;
    const end = k < border ? border : start + (this.length[slot] ?? 0);
    let at = k;
    for (; at + 1 < end && (this.weight[at + 1] ?? 0) < weight; at++) this.#copy(at + 1, at);
    for (; at > first && (this.weight[at - 1] ?? 0) > weight; at--) this.#copy(at - 1, at);
    this.neighbour[at] = neighbour;
    this.weight[at] = weight;
  }

  /** The neighbour at the end of the arc at position `k` has become a transit node, or ceased to be one. */
  reclassify(slot: number, k: number, toTransit: boolean): void {
    const neighbour = this.neighbour[k] ?? 0;
    const weight = this.weight[k] ?? 0;
    this.removeAt(slot, k);
    this.insert(slot, neighbour, weight, toTransit);
  }

  clear(slot: number): void {
    this.length[slot] = 0;
    this.transitLength[slot] = 0;
  }

  /**
   * Takes all arcs at once: arc i joins slot tail[i] to slot head[i]. Replaces what was there; segments stand in the
   * order of slots, without room to spare. Leaves out arcs from a slot to itself, and of arcs between the same two slots
   * all but the lightest; returns how many. O(slots + arcs log degree).
   */
  load(slotCount: number, transit: Uint8Array, arcs: ArcColumns): { selfLoops: number; duplicates: number } {
    const { tail, head, weight } = arcs;
    this.grow(slotCount);
    this.length.fill(0);
    this.transitLength.fill(0);
    const { length, transitLength, start } = this;
    for (let i = 0; i < tail.length; i++) {
      const slot = tail[i] ?? 0;
      length[slot] = (length[slot] ?? 0) + 1;
      if (transit[head[i] ?? 0] === 1) transitLength[slot] = (transitLength[slot] ?? 0) + 1;
    }
    const nextTransit = new Int32Array(slotCount);
    const nextOther = new Int32Array(slotCount);
    let end = 0;
    for (let slot = 0; slot < slotCount; slot++) {
      start[slot] = end;
      nextTransit[slot] = end;
      nextOther[slot] = end + (transitLength[slot] ?? 0);
      end += length[slot] ?? 0;
      this.#room[slot] = length[slot] ?? 0;
    }
    const neighbours = sharedInt32(end + 16);
    const weights = sharedInt32(end + 16);
    for (let i = 0; i < tail.length; i++) {
      const slot = tail[i] ?? 0;
      const next = transit[head[i] ?? 0] === 1 ? nextTransit : nextOther;
      const k = next[slot] ?? 0;
      next[slot] = k + 1;
      neighbours[k] = head[i] ?? 0;
      weights[k] = weight[i] ?? 0;
    }
    this.neighbour = neighbours;
    this.weight = weights;
    this.#end = end;
    this.layout++;
    return tidySegments(this, slotCount);
  }

  /** All arcs as columns: tails, heads and weights in the order of slots. */
  columns(slotCount: number): ArcColumns {
    let count = 0;
    for (let slot = 0; slot < slotCount; slot++) count += this.length[slot] ?? 0;
    const tail = new Int32Array(count);
    const head = new Int32Array(count);
    const weight = new Int32Array(count);
    let at = 0;
    for (let slot = 0; slot < slotCount; slot++) {
      const from = this.start[slot] ?? 0;
      const to = from + (this.length[slot] ?? 0);
      for (let k = from; k < to; k++, at++) {
        tail[at] = slot;
        head[at] = this.neighbour[k] ?? 0;
        weight[at] = this.weight[k] ?? 0;
      }
    }
    return { tail, head, weight };
  }

  /** First position from `from` to `to` behind all arcs that are not heavier. */
  #place(weight: number, from: number, to: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.weight[middle] ?? 0) <= weight) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #copy(from: number, to: number): void {
    this.neighbour[to] = this.neighbour[from] ?? 0;
    this.weight[to] = this.weight[from] ?? 0;
  }

  #move(slot: number, room: number): void {
    if (this.#end + room > this.neighbour.length) this.#repack(room);
    const from = this.start[slot] ?? 0;
    const to = from + (this.length[slot] ?? 0);
    this.neighbour.copyWithin(this.#end, from, to);
    this.weight.copyWithin(this.#end, from, to);
    this.start[slot] = this.#end;
    this.#room[slot] = room;
    this.#end += room;
  }

  /** Copies all segments into new arrays, in the order of slots, with at least `spare` words after the last. */
  #repack(spare: number): void {
    const slots = this.start.length;
    let live = 0;
    for (let slot = 0; slot < slots; slot++) {
      if (this.length[slot] === 0) this.#room[slot] = 0;
      live += this.#room[slot] ?? 0;
    }
    const capacity = live + spare + Math.max(16, live >> 2);
    const neighbour = sharedInt32(capacity);
    const weight = sharedInt32(capacity);
    let end = 0;
    for (let slot = 0; slot < slots; slot++) {
      const from = this.start[slot] ?? 0;
      const to = from + (this.length[slot] ?? 0);
      // most segments are short: a loop is faster than a subarray each
      for (let k = from, at = end; k < to; k++, at++) {
        neighbour[at] = this.neighbour[k] ?? 0;
        weight[at] = this.weight[k] ?? 0;
      }
      this.start[slot] = end;
      end += this.#room[slot] ?? 0;
    }
    this.neighbour = neighbour;
    this.weight = weight;
    this.#end = end;
    this.layout++;
  }
}
