/** All shortest paths, where the tree of one-source.ts keeps one: for spreading traffic over near and equal ways. */
import type { GraphView } from '../graph/graph-view.ts';
import type { Direction } from './one-source.ts';
import { UNREACHABLE } from './path-table.ts';
import type { SourceTree } from './source-tree.ts';

/**
 * The slots that stand before `slot` on some shortest path, by ascending stable index: with direction 'to', all its
 * next hops of equal cost. `direction` and `transitHopUs` are those that the tree was computed with. Empty for the root
 * and where there is no path. O(arcs of the slot).
 */
export function equalCostPredecessors(
  graph: GraphView,
  direction: Direction,
  tree: SourceTree,
  slot: number,
  transitHopUs = 0,
): number[] {
  const distance = tree.distance[slot] ?? UNREACHABLE;
  if (slot === tree.root || distance === UNREACHABLE) return [];
  const { start, length, neighbour, weight } = direction === 'from' ? graph.into : graph.out;
  const found: number[] = [];
  const from = start[slot] ?? 0;
  const to = from + (length[slot] ?? 0);
  for (let k = from; k < to; k++) {
    const u = neighbour[k] ?? 0;
    const reached = tree.distance[u] ?? UNREACHABLE;
    if (reached === UNREACHABLE || (u !== tree.root && graph.transit[u] !== 1)) continue;
    if (reached + (weight[k] ?? 0) + (u === tree.root ? 0 : transitHopUs) === distance) found.push(u);
  }
  return found.sort((a, b) => (graph.index[a] ?? 0) - (graph.index[b] ?? 0));
}

/**
 * The slots next to the root on some shortest path of `slot`, by ascending stable index: with direction 'from', where
 * the root may send first. Looks at each node that lies on such a path once.
 */
export function equalCostFirstHops(
  graph: GraphView,
  direction: Direction,
  tree: SourceTree,
  slot: number,
  transitHopUs = 0,
): number[] {
  const seen = new Set([slot]);
  const first: number[] = [];
  for (const at of seen) {
    const before = equalCostPredecessors(graph, direction, tree, at, transitHopUs);
    if (before.includes(tree.root)) first.push(at);
    for (const u of before) if (u !== tree.root) seen.add(u);
  }
  return first.sort((a, b) => (graph.index[a] ?? 0) - (graph.index[b] ?? 0));
}
