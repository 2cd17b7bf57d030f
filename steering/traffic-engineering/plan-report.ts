/** What a plan means for whoever runs the network: before and after, the worst links, and twice the demand. */
import { forwardedLoads } from './forwarded-loads.ts';
import { optimise } from './optimise.ts';
import { shortestLoads } from './shortest-tables.ts';
import { demandByDestination, type TrafficDemand } from './traffic-demand.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { TrafficOptions } from './traffic-options.ts';
import type { TrafficPlan } from './traffic-plan.ts';

export interface LinkReport {
  /** Its number in the network. */
  readonly link: number;
  readonly from: string;
  readonly to: string;
  readonly capacityBps: number;
  /** Utilisation on the shortest paths, and as planned. */
  readonly before: number;
  readonly after: number;
}

export interface PlanReport {
  readonly nodes: number;
  readonly links: number;
  readonly pairs: number;
  readonly demandBps: number;
  /** Demand between nodes that no path connects: nothing can be done for it. */
  readonly undeliveredBps: number;
  readonly unconnectedPairs: number;
  readonly before: { readonly highestUtilisation: number; readonly meanRttUs: number };
  readonly after: {
    readonly highestUtilisation: number;
    readonly meanRttUs: number;
    /** No routing is below; 0 where nothing had to be moved. */
    readonly lowerBound: number;
    readonly routes: number;
    readonly changedRoutes: number;
    /** Routes with more than one member. */
    readonly splitRoutes: number;
  };
  /** The part of every demand that fits at the same time, 1 at most. */
  readonly fitting: number;
  /** Nothing is loaded enough to matter: the tables are the shortest paths. */
  readonly calm: boolean;
  /** Those most utilised before or after, the worst first. */
  readonly worstLinks: readonly LinkReport[];
  /** The same network with every demand doubled: with the tables as planned, and planned anew. */
  readonly doubled: {
    readonly highestAsPlanned: number;
    readonly highestReplanned: number;
    readonly fitting: number;
    /** Links above their capacity when planned anew. */
    readonly overloadedLinks: number;
  };
}

/** Plans `demand` and says what that changes. `names`: of the nodes; `worst`: how many links are listed. Errors: optimise. */
export function planReport(
  network: TrafficNetwork,
  demand: TrafficDemand,
  names: readonly string[],
  { options = {}, worst = 10 }: { readonly options?: Partial<TrafficOptions>; readonly worst?: number } = {},
): PlanReport {
  const plan = optimise(network, demand, options);
  const matrix = demandByDestination(demand, network.nodeCount);
  const before = shortestLoads(network, matrix).linkBps;
  const doubledDemand = { ...demand, rateBps: demand.rateBps.map((rate) => 2 * rate) };
  const doubled = optimise(network, doubledDemand, options, plan.tables);
  const asPlanned = forwardedLoads(
    network,
    plan.tables,
    matrix.map((rate) => 2 * rate),
  );
  const { pairs, unconnectedPairs, demandBps } = pairsOf(matrix, plan, network.nodeCount);
  const delivered = demandBps - plan.loads.undeliveredBps;
  const utilisation = (bps: Float64Array, link: number): number => (bps[link] ?? 0) / (network.capacityBps[link] ?? 1);
  const rows = Array.from(network.from, (from, link) => ({
    link,
    from: names[from] ?? '',
    to: names[network.to[link] ?? 0] ?? '',
    capacityBps: network.capacityBps[link] ?? 0,
    before: utilisation(before, link),
    after: utilisation(plan.loads.linkBps, link),
  }));
  const worseFirst = (a: LinkReport, b: LinkReport): number =>
    Math.max(b.before, b.after) - Math.max(a.before, a.after) || a.link - b.link;
  return {
    nodes: network.nodeCount,
    links: network.from.length,
    pairs,
    demandBps,
    undeliveredBps: plan.loads.undeliveredBps,
    unconnectedPairs,
    before: { highestUtilisation: plan.shortestUtilisation, meanRttUs: meanRtt(network, before, delivered) },
    after: {
      highestUtilisation: plan.highestUtilisation,
      meanRttUs: meanRtt(network, plan.loads.linkBps, delivered),
      lowerBound: plan.lowerBound,
      routes: plan.routes,
      changedRoutes: plan.changedRoutes,
      splitRoutes: splitRoutes(plan),
    },
    fitting: plan.fitting,
    calm: plan.calm,
    worstLinks: rows.toSorted(worseFirst).slice(0, worst),
    doubled: {
      highestAsPlanned: highest(network, asPlanned.linkBps),
      highestReplanned: doubled.highestUtilisation,
      fitting: doubled.fitting,
      overloadedLinks: rows.filter(({ link }) => utilisation(doubled.loads.linkBps, link) > 1).length,
    },
  };
}

function pairsOf(matrix: Float64Array, { tables }: TrafficPlan, n: number) {
  let pairs = 0;
  let unconnectedPairs = 0;
  let demandBps = 0;
  for (let group = 0; group < n * n; group++) {
    const rate = matrix[group] ?? 0;
    if (rate === 0) continue;
    pairs++;
    demandBps += rate;
    if (tables.start[group] === tables.start[group + 1]) unconnectedPairs++;
  }
  return { pairs, unconnectedPairs, demandBps };
}

function highest(network: TrafficNetwork, linkBps: Float64Array): number {
  return linkBps.reduce((most, bps, link) => Math.max(most, bps / (network.capacityBps[link] ?? 1)), 0);
}

/** By traffic: the sum over links of what they carry times their RTT is that over pairs of demand times path RTT. */
function meanRtt({ rttUs }: TrafficNetwork, linkBps: Float64Array, delivered: number): number {
  if (delivered <= 0) return 0;
  return linkBps.reduce((sum, bps, link) => sum + bps * (rttUs[link] ?? 0), 0) / delivered;
}

function splitRoutes({ tables }: TrafficPlan): number {
  let split = 0;
  for (let group = 0; group + 1 < tables.start.length; group++) {
    if ((tables.start[group + 1] ?? 0) - (tables.start[group] ?? 0) > 1) split++;
  }
  return split;
}
