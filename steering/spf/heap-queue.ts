/**
 * Settles the transit nodes of a search from a heap of four children a node that knows where each slot is: for weights
 * and distances that buckets do not suit. Sums are doubles here, and exact.
 */

import { UNREACHABLE } from './path-table.ts';
import { type Search, tooLong } from './search.ts';

const OUTSIDE = -1;

export class HeapQueue {
  #slots = new Int32Array(0);
  #place = new Int32Array(0);
  #size = 0;

  /** Throws `invalid_argument` when every path to a transit node is too long. */
  run(search: Search): void {
    const { graph, ahead, root, transitHopUs, tree } = search;
    const { start, transitLength, neighbour, weight } = ahead;
    const { distance, predecessor } = tree;
    const far: number[] = [];
    this.#reset(graph.slotCount);
    this.#rise(root, distance);
    while (this.#size > 0) {
      const u = this.#pop(distance);
      const base = u === root ? 0 : (distance[u] ?? 0) + transitHopUs;
      const from = start[u] ?? 0;
      const to = from + (transitLength[u] ?? 0);
      for (let k = from; k < to; k++) {
        const v = neighbour[k] ?? 0;
        const candidate = base + (weight[k] ?? 0);
        const known = distance[v] ?? 0;
        if (candidate >= UNREACHABLE) {
          if (known === UNREACHABLE) far.push(v);
        } else if (candidate < known) {
          distance[v] = candidate;
          predecessor[v] = u;
          this.#rise(v, distance);
        } else if (candidate === known && v !== root && tree.isBetter(u, predecessor[v] ?? 0, graph.index)) {
          predecessor[v] = u;
        }
      }
    }
    for (const v of far) if (distance[v] === UNREACHABLE) throw tooLong(root, v);
  }

  #reset(slotCount: number): void {
    if (this.#slots.length < slotCount) {
      this.#slots = new Int32Array(slotCount);
      this.#place = new Int32Array(slotCount);
    }
    this.#place.fill(OUTSIDE, 0, slotCount);
    this.#size = 0;
  }

  /** Inserts the slot, or moves it up after its distance fell. */
  #rise(slot: number, distance: Uint32Array): void {
    const key = distance[slot] ?? 0;
    let at = this.#place[slot] ?? OUTSIDE;
    if (at === OUTSIDE) at = this.#size++;
    while (at > 0) {
      const above = (at - 1) >> 2;
      const other = this.#slots[above] ?? 0;
      if ((distance[other] ?? 0) <= key) break;
      this.#put(other, at);
      at = above;
    }
    this.#put(slot, at);
  }

  /** Removes the nearest slot. */
  #pop(distance: Uint32Array): number {
    const least = this.#slots[0] ?? 0;
    const last = this.#slots[--this.#size] ?? 0;
    this.#place[least] = OUTSIDE;
    if (this.#size === 0) return least;
    const key = distance[last] ?? 0;
    let at = 0;
    for (;;) {
      const child = 4 * at + 1;
      if (child >= this.#size) break;
      let best = child;
      for (let k = child + 1; k < Math.min(child + 4, this.#size); k++) {
        if ((distance[this.#slots[k] ?? 0] ?? 0) < (distance[this.#slots[best] ?? 0] ?? 0)) best = k;
      }
      const other = this.#slots[best] ?? 0;
      if ((distance[other] ?? 0) >= key) break;
      this.#put(other, at);
      at = best;
    }
    this.#put(last, at);
    return least;
  }

  #put(slot: number, at: number): void {
    this.#slots[at] = slot;
    this.#place[slot] = at;
  }
}
