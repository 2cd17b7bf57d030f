/**
 * The slow loop around the optimiser: when weighted routes are computed anew, and when what comes out is taken. Load
 * answers to routes, and what is measured of it comes late and with noise; so a plan is asked for only where something
 * happened since the last one, and taken only where it pays. Pure; time comes in.
 *
 *   calm       nothing above `calmUtilisation`: the shortest paths, until something is
 *   urgent     the worst is a good deal worse than planned, in two looks on end: at once, on what is known by then
 *   settled    the busy part of the network moved: judged once, when it has had time to come to rest; planned anew if it
 *              is elsewhere then
 *   kept       anything else; also a plan that does not gain `leastGain`, and more the more routes it moves
 *
 * Only a move of the mean leads to a judgement, and what was judged is what the next move is measured from: what noise does
 * near a threshold seldom changes a route.
 */
import { forwardedLoads } from './forwarded-loads.ts';
import { optimise } from './optimise.ts';
import { demandByDestination, type TrafficDemand } from './traffic-demand.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import { DEFAULT_TRAFFIC_OPTIONS, type TrafficOptions } from './traffic-options.ts';
import type { TrafficPlan } from './traffic-plan.ts';
import type { WeightedTables } from './weighted-tables.ts';

export interface LoadLoopOptions {
  readonly traffic: TrafficOptions;
  /** Back to the shortest paths only where these stay this far below `calmUtilisation`: 0.9 of it. */
  readonly returnShare: number;
  /** So much above what was planned, as a share of it, does not wait: 10 %, above what noise makes of the worst. */
  readonly urgentShare: number;
  /** Two looks that agree: one report may be of half a step. */
  readonly urgentMs: number;
  /** Two plans are no nearer than this: new routes are in place and have been measured by then. */
  readonly restMs: number;
  /** The busy part of the network has moved where its mean is off by this share of the worst: 4 %. */
  readonly driftShare: number;
  /** Measurements are averaged over this: four reports. */
  readonly meanMs: number;
  /** From the first sign of a move to the judgement: the slowest part of measured demand has faded by then. */
  readonly settleMs: number;
  /** So often the way back to the shortest paths is looked at while little is loaded. */
  readonly homeMs: number;
  /**
   * Least gain of a plan, as a share of the worst utilisation, 1 %; and what moving every route would have to gain
   * more, 5 %: what the time average may lie above the optimum.
   */
  readonly leastGain: number;
  readonly churnGain: number;
}

export const DEFAULT_LOAD_LOOP_OPTIONS: LoadLoopOptions = {
  traffic: DEFAULT_TRAFFIC_OPTIONS,
  returnShare: 0.9,
  urgentShare: 0.1,
  urgentMs: 5_000,
  restMs: 10_000,
  driftShare: 0.04,
  meanMs: 20_000,
  settleMs: 35_000,
  homeMs: 60_000,
  leastGain: 0.01,
  churnGain: 0.05,
};

/** What is loaded so much less than the worst cannot become the worst by noise. */
const BUSY_SHARE = 0.8;

export type LoadReason = 'first' | 'urgent' | 'settled' | 'calm';

export type LoadDecision =
  | { readonly kind: 'keep'; readonly utilisation: number }
  | { readonly kind: 'move'; readonly utilisation: number; readonly reason: LoadReason; readonly plan: TrafficPlan };

interface Look {
  readonly atMs: number;
  readonly use: Float64Array;
}

export class LoadLoop {
  readonly #options: LoadLoopOptions;
  #tables: WeightedTables | null = null;
  #isCalm = true;
  /** Utilisation of every link and access as it was judged last, or planned. */
  #accepted: Float64Array = new Float64Array(0);
  /** The worst of the last plan: as planned, or as it was where the plan was refused. */
  #judged = 0;
  /** Since when it has been on the move, unjudged; null: it is not. */
  #movingSinceMs: number | null = null;
  #plannedMs = Number.NEGATIVE_INFINITY;
  #urgentSinceMs: number | null = null;
  #looks: Look[] = [];
  /** How often the optimiser ran, and how often what it found was not worth its moves. */
  readonly counters = { plans: 0, refused: 0 };

  constructor(options: LoadLoopOptions = DEFAULT_LOAD_LOOP_OPTIONS) {
    this.#options = options;
  }

  /** The tables in force; null: none was ever computed. */
  get tables(): WeightedTables | null {
    return this.#tables;
  }

  /**
   * Looks at `demand` as it is measured now. `network`: RTTs without queues (what load adds to them is in the demand
   * already), the same nodes and links in every call. Throws what the optimiser throws.
   */
  decide(network: TrafficNetwork, demand: TrafficDemand, nowMs: number): LoadDecision {
    const o = this.#options;
    if (this.#tables === null) return this.#first(network, demand, nowMs);
    const matrix = demandByDestination(demand, network.nodeCount);
    const loads = forwardedLoads(network, this.#tables, matrix);
    const use = utilisations(network, loads);
    const utilisation = most(use);
    const keep: LoadDecision = { kind: 'keep', utilisation };
    const mean = this.#look(use, nowMs);
    const isLoaded = utilisation >= o.traffic.calmUtilisation;
    if (!isLoaded && this.#isCalm) {
      this.#accept(use, utilisation);
      return keep;
    }
    const isUrgent = isLoaded && utilisation > (1 + o.urgentShare) * Math.max(this.#judged, o.traffic.calmUtilisation);
    this.#urgentSinceMs = isUrgent ? (this.#urgentSinceMs ?? nowMs) : null;
    if (nowMs < this.#plannedMs + o.restMs) return keep;
    const goesNow = this.#urgentSinceMs !== null && nowMs >= this.#urgentSinceMs + o.urgentMs;
    if (!goesNow && !this.#asksForPlan(mean, nowMs)) return keep;
    // a rise is known by the newest look; otherwise the mean is better
    this.#accept(goesNow ? use : mean, goesNow ? utilisation : most(mean));
    const plan = this.#plan(network, demand, nowMs);
    const { returnShare, leastGain, churnGain } = o;
    const goesHome = plan.calm && !this.#isCalm;
    const pays = utilisation * (leastGain + (churnGain * plan.changedRoutes) / Math.max(1, plan.routes));
    const isWorthIt = goesHome
      ? plan.highestUtilisation < returnShare * o.traffic.calmUtilisation
      : utilisation - plan.highestUtilisation > pays;
    if (plan.changedRoutes === 0 || !isWorthIt) {
      this.counters.refused++;
      return keep;
    }
    return this.#take(network, plan, utilisation, goesHome ? 'calm' : goesNow ? 'urgent' : 'settled');
  }

  #first(network: TrafficNetwork, demand: TrafficDemand, nowMs: number): LoadDecision {
    const plan = this.#plan(network, demand, nowMs);
    return this.#take(network, plan, plan.shortestUtilisation, 'first');
  }

  #plan(network: TrafficNetwork, demand: TrafficDemand, nowMs: number): TrafficPlan {
    this.counters.plans++;
    this.#plannedMs = nowMs;
    this.#urgentSinceMs = null;
    return optimise(network, demand, this.#options.traffic, this.#tables ?? undefined);
  }

  #take(network: TrafficNetwork, plan: TrafficPlan, utilisation: number, reason: LoadReason): LoadDecision {
    this.#tables = plan.tables;
    this.#isCalm = plan.calm;
    this.#accept(utilisations(network, plan.loads), plan.highestUtilisation);
    // a plan made in the midst of a rise is looked at again when that is over
    this.#movingSinceMs = reason === 'settled' || reason === 'calm' ? null : this.#plannedMs;
    // what was measured over the old routes says nothing about rest
    this.#looks = [];
    return { kind: 'move', utilisation, reason, plan };
  }

  #accept(use: Float64Array, utilisation: number): void {
    this.#accepted = use;
    this.#judged = utilisation;
    this.#movingSinceMs = null;
  }

  /** Whether what is measured in the mean asks for a plan. A move of it is judged once. */
  #asksForPlan(mean: Float64Array, nowMs: number): boolean {
    const { traffic, driftShare, returnShare, homeMs, settleMs } = this.#options;
    const worst = most(mean);
    if (this.#isCalm && this.#judged < traffic.calmUtilisation) {
      return this.#looks.length > 1 && this.#looks.every((look) => most(look.use) >= traffic.calmUtilisation);
    }
    if (!this.#isCalm && worst < returnShare * traffic.calmUtilisation) return nowMs >= this.#plannedMs + homeMs;
    const off = Math.max(drift(mean, this.#accepted), Math.abs(worst - this.#judged));
    const isElsewhere = off > driftShare * worst;
    if (this.#movingSinceMs === null) {
      if (isElsewhere) this.#movingSinceMs = nowMs;
      return false;
    }
    if (nowMs < this.#movingSinceMs + settleMs) return false;
    if (!isElsewhere) this.#accept(mean, worst);
    return isElsewhere;
  }

  /** Remembers what was seen; the mean of the last `meanMs`, or of what there is since routes changed. */
  #look(use: Float64Array, nowMs: number): Float64Array {
    const looks = this.#looks;
    looks.push({ atMs: nowMs, use });
    while ((looks[0]?.atMs ?? nowMs) <= nowMs - this.#options.meanMs) looks.shift();
    return meanOf(looks);
  }
}

function meanOf(looks: readonly Look[]): Float64Array {
  const mean = new Float64Array(looks[0]?.use.length ?? 0);
  for (const { use } of looks)
    for (let k = 0; k < mean.length; k++) mean[k] = (mean[k] ?? 0) + (use[k] ?? 0) / looks.length;
  return mean;
}

function most(use: Float64Array): number {
  let worst = 0;
  for (let k = 0; k < use.length; k++) worst = Math.max(worst, use[k] ?? 0);
  return worst;
}

/** Of links, uplinks and downlinks, in this order. */
function utilisations(network: TrafficNetwork, loads: TrafficPlan['loads']): Float64Array {
  const { linkBps, uplinkBps, downlinkBps } = loads;
  const all = new Float64Array(linkBps.length + 2 * network.nodeCount);
  let at = 0;
  for (const [bps, capacity] of [
    [linkBps, network.capacityBps],
    [uplinkBps, network.uplinkBps],
    [downlinkBps, network.downlinkBps],
  ] as const) {
    for (let k = 0; k < bps.length; k++) all[at++] = (bps[k] ?? 0) / (capacity?.[k] ?? Number.POSITIVE_INFINITY);
  }
  return all;
}

/** The most by which something busy in either differs. */
function drift(a: Float64Array, b: Float64Array): number {
  const busy = BUSY_SHARE * Math.max(most(a), most(b));
  let by = 0;
  for (let k = 0; k < a.length; k++) {
    const [now, then] = [a[k] ?? 0, b[k] ?? 0];
    if (Math.max(now, then) >= busy) by = Math.max(by, Math.abs(now - then));
  }
  return by;
}
