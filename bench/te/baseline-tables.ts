/** What routers do without an optimiser: shortest paths under fixed weights, with and without equal-cost multipath. */
import { DelayTrees } from '../../steering/traffic-engineering/delay-trees.ts';
import { linksBy } from '../../steering/traffic-engineering/link-index.ts';
import type { TrafficNetwork } from '../../steering/traffic-engineering/traffic-network.ts';
import type { WeightedTables } from '../../steering/traffic-engineering/weighted-tables.ts';

/** Sums of weights that differ by less are equal. */
const ROUNDING = 1e-9;

/** With `multipath` every link on some shortest path is a member of equal weight, else the first one found is all. */
export function baselineTables(network: TrafficNetwork, price: Float64Array, multipath: boolean): WeightedTables {
  const { nodeCount, from, to } = network;
  const trees = new DelayTrees(network, linksBy(to, network));
  const out = linksBy(from, network);
  const start = new Uint32Array(nodeCount * nodeCount + 1);
  const members: number[] = [];
  for (let t = 0; t < nodeCount; t++) {
    trees.compute(t, price);
    for (let v = 0; v < nodeCount; v++) {
      const own = trees.distance[v] ?? 0;
      const first = trees.firstLink[v] ?? -1;
      if (multipath && first >= 0) {
        for (let k = out.start[v] ?? 0; k < (out.start[v + 1] ?? 0); k++) {
          const link = out.link[k] ?? 0;
          const head = trees.distance[to[link] ?? 0] ?? Number.POSITIVE_INFINITY;
          // a head as far away as v itself (a link of weight 0) could send back
          if (head < own && Math.abs((price[link] ?? 0) + head - own) <= own * ROUNDING) members.push(link);
        }
      }
      const at = start[t * nodeCount + v] ?? 0;
      if (first >= 0 && members.length === at) members.push(first);
      start[t * nodeCount + v + 1] = members.length;
    }
  }
  return { nodeCount, start, link: Int32Array.from(members), weight: new Uint16Array(members.length).fill(1) };
}
