/**
 * What one changed arc (near, far) can change at all: a part of the tree of `far`, in preorder, each slot before its
 * subtree, with how far the subtree reaches. Beyond `far` every shortest path over the arc goes on as the far end's own
 * tree does, since the rest of a shortest path is a shortest path. And `near` is on the way of every root that is
 * affected: so what the arc does not change for `near` it changes for nobody. A row is repaired by going through the
 * list and jumping over the subtrees of slots that are not affected in it.
 *
 *   far - x - z        slot  far x  z  y
 *      ` y             past   4  3  3  4
 */
import type { PathTable } from '../path-table.ts';
import type { TreeArc, TreeRules } from './tree-rules.ts';

export class ChangedTree {
  /** By position; the first `count` mean something. */
  readonly slot: Int32Array;
  /** The position after the subtree. */
  readonly past: Int32Array;
  /** Predecessor on the way over the arc: `near` for `far`. */
  readonly via: Int32Array;
  /** Length and hops of the way from `far`, with the price of passing through `far`. */
  readonly beyond: Float64Array;
  readonly hopsBeyond: Int32Array;
  count = 0;
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #stack: Int32Array;
  readonly #parent: Int32Array;
  /** By slot: its position, where it has one. */
  readonly #place: Int32Array;

  constructor(rules: TreeRules, table: PathTable) {
    this.#rules = rules;
    this.#table = table;
    const { capacity } = table;
    this.slot = new Int32Array(capacity);
    this.past = new Int32Array(capacity);
    this.via = new Int32Array(capacity);
    this.beyond = new Float64Array(capacity);
    this.hopsBeyond = new Int32Array(capacity);
    this.#stack = new Int32Array(capacity);
    this.#parent = new Int32Array(capacity);
    this.#place = new Int32Array(capacity);
  }

  /** Lists `far` and what hangs on it in its tree as far as `changes` says so; what hangs on a slot left out is left out. */
  load({ near, far }: TreeArc, changes: (slot: number, via: number, beyond: number) => boolean): void {
    const { graph, ahead, transitHopUs } = this.#rules;
    const { start, length, neighbour } = ahead;
    const { distance, hops, predecessor, stride } = this.#table;
    const [slot, past, place, stack, parent] = [this.slot, this.past, this.#place, this.#stack, this.#parent];
    const row = far * stride;
    let count = 0;
    let depth = 0;
    stack[depth++] = far;
    while (depth > 0) {
      const x = stack[--depth] ?? 0;
      const via = x === far ? near : (predecessor[row + x] ?? 0);
      slot[count] = x;
      place[x] = count;
      this.via[count] = via;
      this.beyond[count] = x === far ? 0 : transitHopUs + (distance[row + x] ?? 0);
      this.hopsBeyond[count] = hops[row + x] ?? 0;
      parent[count] = x === far ? -1 : (place[via] ?? 0);
      count++;
      past[count - 1] = count;
      if (graph.transit[x] === 0) continue;
      const end = (start[x] ?? 0) + (length[x] ?? 0);
      for (let k = start[x] ?? 0; k < end; k++) {
        const z = neighbour[k] ?? 0;
        if (predecessor[row + z] !== x) continue;
        if (changes(z, x, transitHopUs + (distance[row + z] ?? 0))) stack[depth++] = z;
      }
    }
    for (let i = count - 1; i > 0; i--) {
      const above = parent[i] ?? 0;
      past[above] = Math.max(past[above] ?? 0, past[i] ?? 0);
    }
    this.count = count;
  }
}
