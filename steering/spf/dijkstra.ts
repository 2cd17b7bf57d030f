/**
 * Dijkstra's algorithm from a destination against the arcs (E. W. Dijkstra, Numerische Mathematik 1, 1959), with a
 * binary heap that knows where each node is. Nodes that are not transit are reached but never expanded. Ties break on
 * (cost, hops, stable index of the next hop), so the same link state gives the same tree whatever the slots are.
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import { type ComputeTree, mayUse, type SpfRules, type SpfTree } from './spf-tree.ts';

/** An SPF with its own scratch memory: O((nodes + arcs) log nodes) per tree. */
export function dijkstra(): ComputeTree {
  const heap = new NodeHeap();
  return (graph: CsrGraph, root: number, rules: SpfRules, into: SpfTree) => {
    into.reset(graph.slotCount);
    heap.reset(into, graph);
    into.distance[root] = 0;
    heap.improve(root);
    const plain = rules.frozen === null && rules.banned === null;
    const { start, length, neighbour, weight } = graph.into;
    const { distance: least, hops: links, nextHop } = into;
    for (let node = heap.pop(); node >= 0; node = heap.pop()) {
      into.order[into.reached++] = node;
      if (node !== root && !graph.isTransit(node)) continue;
      const base = (least[node] ?? 0) + (node === root ? 0 : rules.transitHopUs);
      const hops = (links[node] ?? 0) + 1;
      const to = (start[node] ?? 0) + (length[node] ?? 0);
      for (let k = start[node] ?? 0; k < to; k++) {
        const from = neighbour[k] ?? 0;
        const distance = base + (weight[k] ?? 0);
        const known = least[from] ?? 0;
        // weights are positive, so a node that is settled already is never improved
        if (distance > known || (distance === known && heap.isSettled(from))) continue;
        if (!plain && !mayUse(graph, root, rules, from, node)) continue;
        if (distance === known) {
          const knownHops = links[from] ?? 0;
          if (hops > knownHops) continue;
          if (hops === knownHops && graph.indexOf(node) >= graph.indexOf(nextHop[from] ?? 0)) continue;
        }
        least[from] = distance;
        links[from] = hops;
        nextHop[from] = node;
        heap.improve(from);
      }
    }
  };
}

const OUTSIDE = -1;
const SETTLED = -2;

/** Binary heap of slots ordered by (distance, hops, stable index). */
class NodeHeap {
  #items = new Int32Array(0);
  #place = new Int32Array(0);
  #size = 0;
  #tree: SpfTree | undefined;
  #graph: CsrGraph | undefined;

  reset(tree: SpfTree, graph: CsrGraph): void {
    if (this.#items.length < graph.slotCount) {
      this.#items = new Int32Array(graph.slotCount * 2);
      this.#place = new Int32Array(graph.slotCount * 2);
    }
    this.#place.fill(OUTSIDE);
    this.#size = 0;
    this.#tree = tree;
    this.#graph = graph;
  }

  isSettled(slot: number): boolean {
    return this.#place[slot] === SETTLED;
  }

  /** Inserts the slot, or moves it up after its key fell. */
  improve(slot: number): void {
    let at = this.#place[slot] ?? OUTSIDE;
    if (at === OUTSIDE) at = this.#size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#items[above] ?? 0;
      if (!this.#less(slot, other)) break;
      this.#put(other, at);
      at = above;
    }
    this.#put(slot, at);
  }

  /** Removes the least; -1 when empty. */
  pop(): number {
    if (this.#size === 0) return -1;
    const least = this.#items[0] ?? 0;
    const last = this.#items[--this.#size] ?? 0;
    this.#place[least] = SETTLED;
    if (this.#size === 0) return least;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.#size) break;
      if (below + 1 < this.#size && this.#less(this.#items[below + 1] ?? 0, this.#items[below] ?? 0)) below++;
      const other = this.#items[below] ?? 0;
      if (!this.#less(other, last)) break;
      this.#put(other, at);
      at = below;
    }
    this.#put(last, at);
    return least;
  }

  #put(slot: number, at: number): void {
    this.#items[at] = slot;
    this.#place[slot] = at;
  }

  #less(a: number, b: number): boolean {
    const tree = this.#tree;
    const graph = this.#graph;
    if (tree === undefined || graph === undefined) return false;
    const difference = (tree.distance[a] ?? 0) - (tree.distance[b] ?? 0);
    if (difference !== 0) return difference < 0;
    const hops = (tree.hops[a] ?? 0) - (tree.hops[b] ?? 0);
    return hops === 0 ? graph.indexOf(a) < graph.indexOf(b) : hops < 0;
  }
}
