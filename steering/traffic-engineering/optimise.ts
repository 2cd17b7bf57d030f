/**
 * Load-aware routes: for every destination and node a group of weighted next hops, free of loops, such that the highest
 * utilisation of links and accesses is as low as it can be, and paths are as short as that allows. The same calls
 * give the same tables. What is done, and why it is near the optimum, is in docs/traffic-engineering.md.
 */
import { type ForwardedLoads, forwardedLoads, highestUtilisation } from './forwarded-loads.ts';
import { keepWhatCounts } from './kept-groups.ts';
import type { KeptPrices } from './lower-bound.ts';
import { ShortestBasis, same } from './shortest-basis.ts';
import { demandByDestination, type TrafficDemand } from './traffic-demand.ts';
import { checkTrafficNetwork, type TrafficNetwork } from './traffic-network.ts';
import { type TrafficOptions, trafficOptions } from './traffic-options.ts';
import type { TrafficPlan } from './traffic-plan.ts';
import { TrafficSearch } from './traffic-search.ts';
import { changedGroups, routeCount, type WeightedTables } from './weighted-tables.ts';
import { roundGroups, tablesOf } from './whole-weights.ts';

/** Rates so small that a utilisation is below this are noise, and their prices no numbers. */
const LEAST_CALM = 1e-6;

/** As a `TrafficOptimiser` that has not planned before. */
export function optimise(
  network: TrafficNetwork,
  demand: TrafficDemand,
  given: Partial<TrafficOptions> = {},
  previous?: WeightedTables,
): TrafficPlan {
  return new TrafficOptimiser().plan(network, demand, given, previous);
}

/** Plans again and again for much the same network, and keeps what of it does not depend on demand. */
export class TrafficOptimiser {
  #basis: ShortestBasis | null = null;
  /** Prices of the last bound, and the capacities that they are of. */
  #kept: { readonly network: TrafficNetwork; readonly prices: KeptPrices } | null = null;

  /**
   * Routes for `demand`. `previous`: the tables in force, of the same nodes and links; without them the search starts from
   * the shortest paths. Groups that break the stretch bound, or are not whole, are not taken over. Throws
   * `invalid_argument` for a network, demand or option that makes no sense. Demand between nodes that no path connects is
   * reported (`loads.undeliveredBps`), demand that does not fit is spread as evenly as it can be.
   */
  plan(
    network: TrafficNetwork,
    demand: TrafficDemand,
    given: Partial<TrafficOptions> = {},
    previous?: WeightedTables,
  ): TrafficPlan {
    checkTrafficNetwork(network);
    const wanted = trafficOptions(given);
    const options = { ...wanted, calmUtilisation: Math.max(wanted.calmUtilisation, LEAST_CALM) };
    const matrix = demandByDestination(demand, network.nodeCount);
    if (this.#basis?.fits(network) !== true) {
      this.#basis = new ShortestBasis(network);
      this.#kept = null;
    }
    const basis = this.#basis;
    const shortest = basis.tables;
    const shortestLoads = basis.loads(matrix);
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
    const search = new TrafficSearch(basis, network, matrix, options, this.#pricesFor(network, previous));
    const taken = search.begin(previous);
    const inForce = taken && previous !== undefined ? previous : undefined;
    const found = (tables: WeightedTables, loads: ForwardedLoads, sharesUtilisation: number): TrafficPlan => {
      const prices = search.bound.kept;
      this.#kept = prices === null ? null : { network, prices };
      const highest = highestUtilisation(network, loads);
      return {
        tables,
        loads,
        highestUtilisation: highest,
        sharesUtilisation,
        lowerBound: search.bound.value,
        shortestUtilisation,
        calm: false,
        fitting: Math.min(1, 1 / highest),
        changedRoutes: changedGroups(before, tables),
        routes: routeCount(tables),
        rounds: search.rounds,
        shifts: search.shifts,
      };
    };
    const standing = search.prices.highest();
    const near = 1 + options.warmGap;
    if (inForce !== undefined && search.isNear(near)) {
      return found(inForce, forwardedLoads(network, inForce, matrix), standing);
    }
    search.run(inForce !== undefined);
    const sharesUtilisation = search.prices.highest();
    roundGroups(search.splits);
    let tables = tablesOf(search.splits, inForce);
    let loads = forwardedLoads(network, tables, matrix);
    if (inForce !== undefined) {
      const limit = Math.max(highestUtilisation(network, loads), near * search.bound.value, options.calmUtilisation);
      const kept = keepWhatCounts(network, matrix, inForce, tables, limit);
      if (kept !== tables) {
        tables = kept;
        loads = forwardedLoads(network, tables, matrix);
      }
    }
    const highest = highestUtilisation(network, loads);
    // routes that move must gain by it
    if (inForce !== undefined && standing <= near * highest) {
      return found(inForce, forwardedLoads(network, inForce, matrix), standing);
    }
    if (shortestUtilisation <= highest) return found(shortest, shortestLoads, shortestUtilisation);
    return found(tables, loads, sharesUtilisation);
  }

  #pricesFor({ capacityBps, uplinkBps, downlinkBps }: TrafficNetwork, previous?: WeightedTables): KeptPrices | null {
    if (previous === undefined || this.#kept === null) return null;
    const { network, prices } = this.#kept;
    const isSame =
      same(network.capacityBps, capacityBps) &&
      same(network.uplinkBps, uplinkBps) &&
      same(network.downlinkBps, downlinkBps);
    return isSame ? prices : null;
  }
}
