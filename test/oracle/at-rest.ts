/** Whether the decision about one destination would change nothing: then it need not be made. */
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import type { SpfTree } from '../../steering/spf/spf-tree.ts';

/**
 * 'moving': a node's decided next hop is not the tree's, so somebody has to move or a hold time runs. 'resting': all
 * nodes follow the tree, and `decideNextHops` would leave them there, with no hold time, whatever links cost. 'partial':
 * the same, but some node has no path. `decided` tells the decided next hop by slot, -1: none.
 */
export function restOf(
  graph: CsrGraph,
  root: number,
  decided: (slot: number) => number,
  tree: SpfTree,
): 'moving' | 'resting' | 'partial' {
  let rest: 'resting' | 'partial' = 'resting';
  for (const slot of graph.slots()) {
    const next = tree.nextHop[slot] ?? -1;
    if (decided(slot) !== next) return 'moving';
    if (next === -1 && slot !== root) rest = 'partial';
  }
  return rest;
}
