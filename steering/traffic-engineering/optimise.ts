/**
 * Load-aware routes: for every destination and node a group of weighted next hops, free of loops, such that the highest
 * utilisation of links and accesses is as low as it can be, and paths are as short as that allows. Pure; the same input
 * gives the same tables. What is done, and why it is near the optimum, is in docs/traffic-engineering.md.
 */
import { DelayTrees } from './delay-trees.ts';
import { type ForwardedLoads, forwardedLoads, highestUtilisation } from './forwarded-loads.ts';
import { linksBy } from './link-index.ts';
import { shortestTables } from './shortest-tables.ts';
import { demandByDestination, type TrafficDemand } from './traffic-demand.ts';
import { checkTrafficNetwork, type TrafficNetwork } from './traffic-network.ts';
import { type TrafficOptions, trafficOptions } from './traffic-options.ts';
import type { TrafficPlan } from './traffic-plan.ts';
import { TrafficSearch } from './traffic-search.ts';
import { changedGroups, routeCount, type WeightedTables } from './weighted-tables.ts';
import { roundGroups, tablesOf } from './whole-weights.ts';

/** Rates so small that a utilisation is below this are noise, and their prices no numbers. */
const LEAST_CALM = 1e-6;

/**
 * Routes for `demand`. `previous`: the tables in force, of the same nodes and links; without them the search starts from
 * the shortest paths. Groups that break the stretch bound, or are not whole, are not taken over. Throws
 * `invalid_argument` for a network, demand or option that makes no sense. Demand between nodes that no path connects is
 * reported (`loads.undeliveredBps`), demand that does not fit is spread as evenly as it can be.
 */
export function optimise(
  network: TrafficNetwork,
  demand: TrafficDemand,
  given: Partial<TrafficOptions> = {},
  previous?: WeightedTables,
): TrafficPlan {
  checkTrafficNetwork(network);
  const wanted = trafficOptions(given);
  const options = { ...wanted, calmUtilisation: Math.max(wanted.calmUtilisation, LEAST_CALM) };
  const matrix = demandByDestination(demand, network.nodeCount);
  const into = linksBy(network.to, network);
  const trees = new DelayTrees(network, into);
  const shortest = shortestTables(trees, network.nodeCount, network.rttUs);
  const shortestLoads = forwardedLoads(network, shortest, matrix);
  const shortestUtilisation = highestUtilisation(network, shortestLoads);
  const before = previous ?? shortest;
  if (shortestUtilisation < options.calmUtilisation) {
    return {
      tables: shortest,
      loads: shortestLoads,
      highestUtilisation: shortestUtilisation,
      sharesUtilisation: shortestUtilisation,
      lowerBound: 0,
      shortestUtilisation,
      calm: true,
      fitting: 1,
      changedRoutes: changedGroups(before, shortest),
      routes: routeCount(shortest),
      rounds: 0,
      shifts: 0,
    };
  }
  const search = new TrafficSearch(network, into, matrix, options);
  const taken = search.begin(trees, previous);
  const inForce = taken && previous !== undefined ? previous : undefined;
  const found = (tables: WeightedTables, loads: ForwardedLoads, sharesUtilisation: number): TrafficPlan => ({
    tables,
    loads,
    highestUtilisation: highestUtilisation(network, loads),
    sharesUtilisation,
    lowerBound: search.bound.value,
    shortestUtilisation,
    calm: false,
    fitting: Math.min(1, 1 / highestUtilisation(network, loads)),
    changedRoutes: changedGroups(before, tables),
    routes: routeCount(tables),
    rounds: search.rounds,
    shifts: search.shifts,
  });
  const standing = search.prices.highest();
  const near = 1 + options.warmGap;
  if (inForce !== undefined && search.isNear(near))
    return found(inForce, forwardedLoads(network, inForce, matrix), standing);
  search.run(previous !== undefined);
  const sharesUtilisation = search.prices.highest();
  roundGroups(search.splits);
  const tables = tablesOf(search.splits);
  const loads = forwardedLoads(network, tables, matrix);
  const highest = highestUtilisation(network, loads);
  // routes that move must gain by it
  if (inForce !== undefined && standing <= near * highest) {
    return found(inForce, forwardedLoads(network, inForce, matrix), standing);
  }
  if (shortestUtilisation <= highest) return found(shortest, shortestLoads, shortestUtilisation);
  return found(tables, loads, sharesUtilisation);
}
