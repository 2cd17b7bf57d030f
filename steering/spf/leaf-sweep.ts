/**
 * Gives each node that does not forward the best of its links to transit nodes that are settled already. Leaves are
 * swept in the order of slots, so that their links are read one after the other.
 */

import { UNREACHABLE } from './path-table.ts';
import { type Search, tooLong } from './search.ts';

/** Throws `invalid_argument` when every path to a leaf is too long. */
export function sweepLeaves(search: Search): void {
  const { graph, back, root, transitHopUs, tree } = search;
  const { start, transitLength, neighbour, weight } = back;
  const { index, transit, slotCount } = graph;
  const { distance, predecessor } = tree;
  if (transit[root] !== 1) takeOwnLeaves(search);
  for (let v = 0; v < slotCount; v++) {
    if (transit[v] === 1 || v === root) continue;
    let best = distance[v] ?? 0;
    let before = predecessor[v] ?? 0;
    let far = false;
    const from = start[v] ?? 0;
    const to = from + (transitLength[v] ?? 0);
    for (let k = from; k < to; k++) {
      const u = neighbour[k] ?? 0;
      const reached = distance[u] ?? 0;
      if (reached === UNREACHABLE) continue;
      // a double: it cannot wrap
      const candidate = reached + (weight[k] ?? 0) + (u === root ? 0 : transitHopUs);
      if (candidate < best) {
        best = candidate;
        before = u;
      } else if (before < 0) {
        far = true;
      } else if (candidate === best && tree.isBetter(u, before, index)) {
        before = u;
      }
    }
    if (far && before < 0) throw tooLong(root, v);
    distance[v] = best;
    predecessor[v] = before;
  }
}

/** A root that does not forward for others reaches the leaves next to it all the same. */
function takeOwnLeaves({ ahead, root, tree }: Search): void {
  const from = (ahead.start[root] ?? 0) + (ahead.transitLength[root] ?? 0);
  const to = (ahead.start[root] ?? 0) + (ahead.length[root] ?? 0);
  for (let k = from; k < to; k++) {
    const v = ahead.neighbour[k] ?? 0;
    tree.distance[v] = ahead.weight[k] ?? 0;
    tree.predecessor[v] = root;
  }
}
