/**
 * The slow loop around the optimiser: when weighted routes are computed anew, and when what comes out is taken. Load
 * answers to routes, and what is measured of it comes late and with noise; so a plan is asked for only where something
 * happened since the last one, and taken only where it pays. The core runs it, and the simulator shows what it does over an
 * hour. Pure; time comes in, and plans, which may take a while.
 *
 *   look(situation) -> keep | plan, why and for what demand     judge(look, plan) -> take it, or not
 *
 *   calm       nothing above `calmUtilisation`: the shortest paths, until something is
 *   broken     tables in force lost a link or a node: at once
 *   learned    a link or access of which nothing was known turns out to be full, a link has come, or a node that could not be told
 *              anything can: as soon as measured demand says so too, or once more is sent than fits
 *   urgent     the worst is a good deal worse than planned, in two looks on end: at once, on what is known by then
 *   settled    the busy part of the network moved: judged once, when it has had time to come to rest; planned anew, for the
 *              mean of the demand, if it is elsewhere then
 *   overload   more is sent than fits, 10 s after the last plan: planned anew
 *   kept       anything else; also a plan that does not gain `leastGain`, and more the more routes it moves
 *
 * Only a move of the mean leads to a judgement, and what was judged is what the next move is measured from: what noise does
 * near a threshold seldom changes a route.
 */
import { forwardedLoads, highestUtilisation } from '../traffic-engineering/forwarded-loads.ts';
import { demandByDestination, type TrafficDemand } from '../traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../traffic-engineering/traffic-network.ts';
import { DEFAULT_TRAFFIC_OPTIONS, type TrafficOptions } from '../traffic-engineering/traffic-options.ts';
import type { TrafficPlan } from '../traffic-engineering/traffic-plan.ts';
import type { WeightedTables } from '../traffic-engineering/weighted-tables.ts';
import { drift, LoadLooks, most, utilisations } from './load-looks.ts';

export interface LoadControllerOptions {
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
  /** So often, while more is sent than fits, whether there is another way by now: a path may have got shorter again. */
  readonly overloadMs: number;
  /**
   * Least gain of a plan, as a share of the worst utilisation: 8 %, twice what a plan made for noise gains for that noise, and what
   * moving every route would have to gain more: 5 %.
   */
  readonly leastGain: number;
  readonly churnGain: number;
}

export const DEFAULT_LOAD_CONTROLLER_OPTIONS: LoadControllerOptions = {
  traffic: DEFAULT_TRAFFIC_OPTIONS,
  returnShare: 0.9,
  urgentShare: 0.1,
  urgentMs: 5_000,
  restMs: 10_000,
  driftShare: 0.04,
  meanMs: 20_000,
  settleMs: 35_000,
  homeMs: 60_000,
  overloadMs: 10_000,
  leastGain: 0.08,
  churnGain: 0.05,
};

/** What there is to decide on. */
export interface LoadSituation {
  /** RTTs without queues: what load adds to them is in the demand already. */
  readonly network: TrafficNetwork;
  /** Grows when a capacity becomes known. */
  readonly learnings: number;
  /** As it is measured now. */
  readonly demand: TrafficDemand;
  /** What forwards now, and whether that is other than the shortest paths. */
  readonly inForce: WeightedTables;
  readonly spread: boolean;
  /** False: the tables in force lost a link or a node. */
  readonly whole: boolean;
}

export type LoadReason = 'broken' | 'learned' | 'urgent' | 'settled' | 'calm';

/** `utilisation`: the highest, of what forwards now. */
export type LoadLook =
  | { readonly kind: 'keep'; readonly utilisation: number }
  | {
      readonly kind: 'plan';
      readonly utilisation: number;
      readonly reason: LoadReason;
      /** To be planned for, with the options and from the tables in force. */
      readonly demand: TrafficDemand;
      readonly situation: LoadSituation;
    };

export class LoadController {
  readonly #options: LoadControllerOptions;
  /** Utilisation of every link and access as it was judged last, or planned. */
  #accepted: Float64Array | null = null;
  /** The worst of the last plan: as planned, or as it was where the plan was refused. */
  #judged = 0;
  /** Since when it has been on the move, unjudged; null: it is not. */
  #movingSinceMs: number | null = null;
  #plannedMs = Number.NEGATIVE_INFINITY;
  #urgentSinceMs: number | null = null;
  readonly #looks = new LoadLooks();
  #network: TrafficNetwork | null = null;
  #learnings = 0;
  /** A capacity became known, or other ways are open, and no plan has taken it in. */
  #isNews = false;
  /** How often a plan was asked for, and how often what came was not worth its moves. */
  readonly counters = { plans: 0, refused: 0 };

  constructor(options: LoadControllerOptions = DEFAULT_LOAD_CONTROLLER_OPTIONS) {
    this.#options = options;
  }

  get options(): LoadControllerOptions {
    return this.#options;
  }

  look(situation: LoadSituation, nowMs: number): LoadLook {
    const o = this.#options;
    const { network, demand, inForce, spread, learnings } = situation;
    const { calmUtilisation } = o.traffic;
    if (this.#compare(network) || learnings > this.#learnings) this.#isNews = true;
    this.#learnings = learnings;
    const matrix = demandByDestination(demand, network.nodeCount);
    const use = utilisations(network, forwardedLoads(network, inForce, matrix));
    const utilisation = most(use);
    this.#looks.add({ atMs: nowMs, use, matrix }, nowMs - o.settleMs);
    const mean = this.#looks.meanUse(nowMs - o.meanMs);
    const keep: LoadLook = { kind: 'keep', utilisation };
    this.#accepted ??= use;
    const isLoaded = utilisation >= calmUtilisation;
    const plan = (reason: LoadReason, known: Float64Array, planned: TrafficDemand): LoadLook => {
      const movingSinceMs = this.#movingSinceMs ?? nowMs;
      this.#accept(known, most(known));
      // what does not wait is judged anew when it has come to rest, whatever comes of it now
      if (reason !== 'settled') this.#movingSinceMs = movingSinceMs;
      this.#plannedMs = nowMs;
      this.#urgentSinceMs = null;
      this.#isNews = false;
      this.counters.plans++;
      return { kind: 'plan', utilisation, reason, demand: planned, situation };
    };
    if (!situation.whole) return plan('broken', use, demand);
    if (!isLoaded && !spread) {
      this.#urgentSinceMs = null;
      this.#accept(use, utilisation);
      return keep;
    }
    const isUrgent = isLoaded && utilisation > (1 + o.urgentShare) * Math.max(this.#judged, calmUtilisation);
    this.#urgentSinceMs = isUrgent ? (this.#urgentSinceMs ?? nowMs) : null;
    const isWaitedFor = utilisation > 1 && nowMs >= this.#plannedMs + o.urgentMs;
    if (this.#isNews && (isUrgent || isWaitedFor)) return plan('learned', use, demand);
    if (nowMs < this.#plannedMs + o.restMs) return keep;
    // a rise is known by the newest look; otherwise the mean is better
    if (this.#urgentSinceMs !== null && nowMs >= this.#urgentSinceMs + o.urgentMs) return plan('urgent', use, demand);
    if (!this.#asksForPlan(mean, spread, nowMs)) return keep;
    return plan('settled', mean, this.#looks.meanDemand(network.nodeCount, nowMs - o.settleMs));
  }

  /** Whether to go by `plan` from now on, which was made for `look`. */
  judge(look: LoadLook & { readonly kind: 'plan' }, plan: TrafficPlan, nowMs: number): boolean {
    const { returnShare, leastGain, churnGain, traffic } = this.#options;
    const { network, inForce, spread, whole } = look.situation;
    const goesHome = plan.calm && spread;
    const matrix = demandByDestination(look.demand, network.nodeCount);
    const standing = highestUtilisation(network, forwardedLoads(network, inForce, matrix));
    const pays = standing * (leastGain + (churnGain * plan.changedRoutes) / Math.max(1, plan.routes));
    const isWorthIt = goesHome
      ? plan.highestUtilisation < returnShare * traffic.calmUtilisation
      : standing - plan.highestUtilisation > pays;
    if (whole && (plan.changedRoutes === 0 || !isWorthIt)) {
      this.counters.refused++;
      return false;
    }
    const movingSinceMs = this.#movingSinceMs;
    this.#accept(utilisations(network, plan.loads), plan.highestUtilisation);
    this.#plannedMs = nowMs;
    // a plan made in the midst of a rise is looked at again when that is over
    if (look.reason !== 'settled' && !goesHome) this.#movingSinceMs = movingSinceMs ?? nowMs;
    // what was measured over the old routes says nothing about rest
    this.#looks.forget();
    return true;
  }

  /** What was learned may ask for a plan at any moment: worth a look every second. */
  get impatient(): boolean {
    return this.#isNews;
  }

  /** Nothing that was seen counts any more: somebody else has changed the tables. */
  forget(): void {
    this.#accepted = null;
    this.#judged = 0;
    this.#movingSinceMs = null;
    this.#urgentSinceMs = null;
    this.#plannedMs = Number.NEGATIVE_INFINITY;
    this.#looks.forget();
  }

  #accept(use: Float64Array, utilisation: number): void {
    this.#accepted = use;
    this.#judged = utilisation;
    this.#movingSinceMs = null;
  }

  /** True where other ways are open than before. Of other nodes or links what was seen is of no use. */
  #compare(network: TrafficNetwork): boolean {
    const before = this.#network;
    this.#network = network;
    if (before === null || before === network) return false;
    if (before.nodeCount === network.nodeCount && same(before.from, network.from) && same(before.to, network.to)) {
      return !same(before.forwards, network.forwards);
    }
    this.#accepted = null;
    this.#movingSinceMs = null;
    this.#looks.forget();
    return true;
  }

  /** Whether what is measured in the mean asks for a plan. A move of it is judged once. */
  #asksForPlan(mean: Float64Array, spread: boolean, nowMs: number): boolean {
    const { traffic, driftShare, returnShare, homeMs, overloadMs, settleMs, meanMs } = this.#options;
    const worst = most(mean);
    if (!spread && this.#judged < traffic.calmUtilisation) {
      return this.#looks.allAbove(traffic.calmUtilisation, nowMs - meanMs);
    }
    if (spread && worst < returnShare * traffic.calmUtilisation) return nowMs >= this.#plannedMs + homeMs;
    if (worst > 1 && nowMs >= this.#plannedMs + overloadMs) return true;
    const isElsewhere = (seen: Float64Array): boolean => {
      const accepted = this.#accepted ?? seen;
      return Math.max(drift(seen, accepted), Math.abs(most(seen) - this.#judged)) > driftShare * worst;
    };
    if (this.#movingSinceMs === null) {
      if (isElsewhere(mean)) this.#movingSinceMs = nowMs;
      return false;
    }
    if (nowMs < this.#movingSinceMs + settleMs) return false;
    const isMoved = isElsewhere(mean);
    if (!isMoved) this.#accept(mean, worst);
    return isMoved;
  }
}

function same(a: ArrayLike<number> = [], b: ArrayLike<number> = []): boolean {
  return a.length === b.length && Array.prototype.every.call(a, (value, i) => value === b[i]);
}
