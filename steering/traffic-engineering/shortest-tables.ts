/** The tables of the shortest paths by RTT, one member a group: where everything starts, and what is kept in calm. */
import { DelayTrees } from './delay-trees.ts';
import { type ForwardedLoads, forwardedLoads } from './forwarded-loads.ts';
import { linksBy } from './link-index.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { WeightedTables } from './weighted-tables.ts';

/** For each destination and node the first link of the path with the least sum of `price`. */
export function shortestTables(trees: DelayTrees, nodeCount: number, price: Float64Array): WeightedTables {
  const start = new Uint32Array(nodeCount * nodeCount + 1);
  const link = new Int32Array(nodeCount * nodeCount);
  let at = 0;
  for (let t = 0; t < nodeCount; t++) {
    trees.compute(t, price);
    for (let v = 0; v < nodeCount; v++) {
      const first = trees.firstLink[v] ?? -1;
      if (first >= 0) link[at++] = first;
      start[t * nodeCount + v + 1] = at;
    }
  }
  return { nodeCount, start, link: link.slice(0, at), weight: new Uint16Array(at).fill(1) };
}

/** What the shortest paths by RTT would carry. */
export function shortestLoads(network: TrafficNetwork, matrix: Float64Array): ForwardedLoads {
  const trees = new DelayTrees(network, linksBy(network.to, network));
  return forwardedLoads(network, shortestTables(trees, network.nodeCount, network.rttUs), matrix);
}
