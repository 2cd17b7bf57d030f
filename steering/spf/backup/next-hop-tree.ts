/**
 * The next hops towards one destination as a tree that answers at once whether a node's path leads through another.
 * A walk over the tree numbers its nodes; what hangs below a node has the numbers from `enter` up to `leave`:
 *
 *          D 0..6            path of C: C - A - D
 *         /     \            C passes A: enter[A] <= enter[C] < leave[A]
 *     A 1..4    E 4..6
 *     /    \       \
 *  B 2..3  C 3..4  F 5..6
 *
 * The next hops may be those of an SPF tree or those in use, which hysteresis keeps from following the tree at once:
 * what is computed from them is then exact for what packets meet.
 */
import { NO_PREDECESSOR, type PathTable } from '../path-table.ts';
import type { SpfTree } from '../spf-tree.ts';

export class NextHopTree {
  root = -1;
  /** Cost of the path to the root in microseconds, by slot; Infinity: no path. Read-only for others, like the rest. */
  distance = new Float64Array(0);
  /** Slot; -1 at the root and where there is no path. */
  nextHop = new Int32Array(0);
  /** Links on the path. */
  hops = new Int32Array(0);
  /** Slots in the order of the walk, root first: `order[enter[v]] === v`, and `enter[v]` to `leave[v]` hang below v. */
  order = new Int32Array(0);
  enter = new Int32Array(0);
  leave = new Int32Array(0);
  /** Nodes with a path, the root included. */
  reached = 0;
  #firstBelow = new Int32Array(0);
  #nextBeside = new Int32Array(0);

  /** Takes over a tree of `slotCount` slots. Nodes whose next hops go round in a loop count as without path. */
  loadTree(root: number, slotCount: number, tree: Pick<SpfTree, 'distance' | 'nextHop'>): void {
    this.#reset(slotCount);
    for (let v = 0; v < slotCount; v++) {
      this.distance[v] = tree.distance[v] ?? Number.POSITIVE_INFINITY;
      this.nextHop[v] = tree.nextHop[v] ?? -1;
    }
    this.#number(root, slotCount);
  }

  /** Takes over a row of a table of paths to the root. */
  loadRow(root: number, slotCount: number, table: PathTable): void {
    this.#reset(slotCount);
    const { distance, predecessor, stride } = table;
    for (let v = 0, at = root * stride; v < slotCount; v++, at++) {
      const next = predecessor[at] ?? NO_PREDECESSOR;
      this.nextHop[v] = next === NO_PREDECESSOR ? -1 : next;
      this.distance[v] = next === NO_PREDECESSOR ? Number.POSITIVE_INFINITY : (distance[at] ?? 0);
    }
    this.distance[root] = 0;
    this.#number(root, slotCount);
  }

  /** The path of `node` leads through `via`, which may be the node itself. False where the node has no path. */
  passes(node: number, via: number): boolean {
    const at = this.enter[node] ?? -1;
    return at >= 0 && at >= (this.enter[via] ?? 0) && at < (this.leave[via] ?? 0);
  }

  #reset(slotCount: number): void {
    if (this.enter.length >= slotCount) return;
    const capacity = slotCount * 2;
    this.distance = new Float64Array(capacity);
    for (const name of ['nextHop', 'hops', 'order', 'enter', 'leave'] as const) this[name] = new Int32Array(capacity);
    this.#firstBelow = new Int32Array(capacity);
    this.#nextBeside = new Int32Array(capacity);
  }

  #number(root: number, slotCount: number): void {
    const { nextHop, order, enter, leave, hops } = this;
    const [first, beside] = [this.#firstBelow, this.#nextBeside];
    this.root = root;
    nextHop[root] = -1;
    enter.fill(-1, 0, slotCount);
    leave.fill(-1, 0, slotCount);
    first.fill(-1, 0, slotCount);
    for (let v = slotCount - 1; v >= 0; v--) {
      const above = nextHop[v] ?? -1;
      if (above < 0) continue;
      beside[v] = first[above] ?? -1;
      first[above] = v;
    }
    hops[root] = 0;
    let count = 0;
    let v = root;
    while (v >= 0) {
      enter[v] = count;
      order[count++] = v;
      const below = first[v] ?? -1;
      if (below >= 0) {
        hops[below] = (hops[v] ?? 0) + 1;
        v = below;
        continue;
      }
      // up to the nearest node with something beside it
      let next = -1;
      while (v >= 0) {
        leave[v] = count;
        if (v === root) break;
        next = beside[v] ?? -1;
        if (next >= 0) {
          hops[next] = hops[v] ?? 0;
          break;
        }
        v = nextHop[v] ?? -1;
      }
      v = next;
    }
    this.reached = count;
  }
}
