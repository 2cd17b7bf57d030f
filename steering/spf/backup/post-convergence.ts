/**
 * Where packets go once everybody knows of a failure: the tree towards one destination without a link or a node, worked
 * out on the part of the tree that hung on it. The rest of the tree stays: what is removed never was on its paths.
 */
import type { CsrGraph } from '../../graph/csr-graph.ts';
import type { NextHopTree } from './next-hop-tree.ts';

/** Slots. A link fails in both directions. */
export type Failure =
  | { readonly kind: 'link'; readonly a: number; readonly b: number }
  | { readonly kind: 'node'; readonly node: number };

export class PostConvergence {
  /** Slots whose path led over what failed; those that have one now are in the order of its length. */
  readonly affected: number[] = [];
  readonly #changed = new Map<number, { distance: number; nextHop: number; hops: number }>();
  #tree: NextHopTree | undefined;

  /** The tree without what failed: O(k log k + arcs of the k nodes affected). `tree` is kept for `pathFrom`. */
  compute(graph: CsrGraph, tree: NextHopTree, transitHopUs: number, failure: Failure): void {
    this.#tree = tree;
    this.#changed.clear();
    this.affected.length = 0;
    const hanging = affectedSlots(tree, failure);
    for (const v of hanging) {
      this.#changed.set(v, { distance: Number.POSITIVE_INFINITY, nextHop: -1, hops: 0 });
    }
    if (failure.kind === 'node') {
      this.#changed.set(failure.node, { distance: Number.POSITIVE_INFINITY, nextHop: -1, hops: 0 });
    }
    const queue: Queued[] = [];
    const improve = (v: number, u: number, weight: number): void => {
      const known = this.#changed.get(v);
      if (known === undefined || isFailed(failure, v, u)) return;
      const isRoot = u === tree.root;
      if (!isRoot && !graph.isTransit(u)) return;
      const behind = this.#changed.get(u);
      const rest = behind?.distance ?? tree.distance[u] ?? Number.POSITIVE_INFINITY;
      const distance = weight + (isRoot ? 0 : transitHopUs) + rest;
      const hops = (behind?.hops ?? tree.hops[u] ?? 0) + 1;
      if (distance > known.distance || distance === Number.POSITIVE_INFINITY) return;
      if (distance === known.distance) {
        if (hops > known.hops) return;
        if (hops === known.hops && graph.indexOf(u) >= graph.indexOf(known.nextHop)) return;
      }
      const shorter = distance < known.distance;
      this.#changed.set(v, { distance, nextHop: u, hops });
      if (shorter) push(queue, { distance, slot: v });
    };
    for (const v of hanging) {
      const from = graph.out.start[v] ?? 0;
      const to = from + (graph.out.length[v] ?? 0);
      for (let k = from; k < to; k++) {
        const u = graph.out.neighbour[k] ?? 0;
        if (!this.#changed.has(u)) improve(v, u, graph.out.weight[k] ?? 0);
      }
    }
    const settled = new Set<number>();
    for (let least = pop(queue); least !== undefined; least = pop(queue)) {
      const u = least.slot;
      if (settled.has(u)) continue;
      settled.add(u);
      const from = graph.into.start[u] ?? 0;
      const to = from + (graph.into.length[u] ?? 0);
      for (let k = from; k < to; k++) {
        const v = graph.into.neighbour[k] ?? 0;
        if (!settled.has(v)) improve(v, u, graph.into.weight[k] ?? 0);
      }
    }
    this.affected.push(...settled, ...hanging.filter((v) => !settled.has(v)));
  }

  /** Microseconds to the root after the failure; Infinity: no path is left. */
  distance(slot: number): number {
    return this.#changed.get(slot)?.distance ?? this.#tree?.distance[slot] ?? Number.POSITIVE_INFINITY;
  }

  /** Next hop after the failure; -1: none. */
  nextHop(slot: number): number {
    return this.#changed.get(slot)?.nextHop ?? this.#tree?.nextHop[slot] ?? -1;
  }

  /** Slots from `slot` to the root after the failure, both included; empty when no path is left. */
  pathFrom(slot: number): number[] {
    const path = [slot];
    for (let v = slot; v !== this.#tree?.root; ) {
      v = this.nextHop(v);
      if (v < 0) return [];
      path.push(v);
    }
    return path;
  }
}

/** Slots whose path to the root leads over what failed; a failed node itself is not among them. */
function affectedSlots(tree: NextHopTree, failure: Failure): number[] {
  const below = (v: number) => [...tree.order.subarray(tree.enter[v] ?? 0, tree.leave[v] ?? 0)];
  if (failure.kind === 'node') return (tree.enter[failure.node] ?? -1) < 0 ? [] : below(failure.node).slice(1);
  const { a, b } = failure;
  if (tree.nextHop[a] === b) return below(a);
  return tree.nextHop[b] === a ? below(b) : [];
}

function isFailed(failure: Failure, from: number, to: number): boolean {
  if (failure.kind === 'node') return from === failure.node || to === failure.node;
  return (from === failure.a && to === failure.b) || (from === failure.b && to === failure.a);
}

interface Queued {
  readonly distance: number;
  readonly slot: number;
}

/** A binary heap by distance. The same slot may be in it several times: the first that comes out counts. */
function push(heap: Queued[], item: Queued): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const other = heap[above] ?? item;
    if (other.distance <= item.distance) break;
    heap[at] = other;
    at = above;
  }
  heap[at] = item;
}

function pop(heap: Queued[]): Queued | undefined {
  const least = heap[0];
  const last = heap.pop();
  if (least === undefined || last === undefined || heap.length === 0) return least;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    const [left, right] = [heap[below], heap[below + 1]];
    if (left === undefined) break;
    let other = left;
    if (right !== undefined && right.distance < left.distance) {
      below++;
      other = right;
    }
    if (other.distance >= last.distance) break;
    heap[at] = other;
    at = below;
  }
  heap[at] = last;
  return least;
}
