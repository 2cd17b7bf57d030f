/**
 * One row of a path table as its tree in preorder: each slot before its subtree, and how far the subtree reaches. Who
 * walks it and finds that a subtree does not matter jumps over it.
 *
 *   v - x - z        slot  v  x  z  y
 *     ` y            past  4  3  3  4
 */
import { NO_PREDECESSOR, type PathTable } from '../path-table.ts';

export class Preorder {
  /** Slots, root first; the first `count` mean something. */
  readonly slot: Int32Array;
  /** By position: the position after the subtree. */
  readonly past: Int32Array;
  /** By position: the entry's distance, hops and predecessor in the row. */
  readonly distance: Uint32Array;
  readonly hops: Uint16Array;
  readonly predecessor: Uint16Array;
  count = 0;
  /** By slot: first child and next sibling; -1: none. */
  readonly #child: Int32Array;
  readonly #sibling: Int32Array;
  readonly #stack: Int32Array;
  /** By position: the position of the parent. */
  readonly #parent: Int32Array;
  readonly #place: Int32Array;

  constructor(capacity: number) {
    this.slot = new Int32Array(capacity);
    this.past = new Int32Array(capacity);
    this.distance = new Uint32Array(capacity);
    this.hops = new Uint16Array(capacity);
    this.predecessor = new Uint16Array(capacity);
    this.#child = new Int32Array(capacity);
    this.#sibling = new Int32Array(capacity);
    this.#stack = new Int32Array(capacity);
    this.#parent = new Int32Array(capacity);
    this.#place = new Int32Array(capacity);
  }

  /** Takes over the row of `root`: O(capacity). What happens to the row later does not matter. */
  load(table: PathTable, root: number): void {
    const row = root * table.stride;
    const [child, sibling, stack, place, past] = [this.#child, this.#sibling, this.#stack, this.#place, this.past];
    child.fill(-1);
    for (let v = table.capacity - 1; v >= 0; v--) {
      const p = table.predecessor[row + v] ?? NO_PREDECESSOR;
      if (p === NO_PREDECESSOR) continue;
      sibling[v] = child[p] ?? -1;
      child[p] = v;
    }
    let count = 0;
    let depth = 0;
    stack[depth++] = root;
    while (depth > 0) {
      const v = stack[--depth] ?? 0;
      place[v] = count;
      this.slot[count] = v;
      this.distance[count] = table.distance[row + v] ?? 0;
      this.hops[count] = table.hops[row + v] ?? 0;
      const p = table.predecessor[row + v] ?? NO_PREDECESSOR;
      this.predecessor[count] = p;
      this.#parent[count] = p === NO_PREDECESSOR ? -1 : (place[p] ?? 0);
      count++;
      past[count - 1] = count;
      for (let c = child[v] ?? -1; c >= 0; c = sibling[c] ?? -1) stack[depth++] = c;
    }
    for (let i = count - 1; i > 0; i--) {
      const p = this.#parent[i] ?? 0;
      if ((past[p] ?? 0) < (past[i] ?? 0)) past[p] = past[i] ?? 0;
    }
    this.count = count;
  }
}
