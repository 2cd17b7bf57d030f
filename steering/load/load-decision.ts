/**
 * Whether load asks for other tables than latency, and which. Pure.
 *
 *   calm      every utilisation on the paths that are best by latency is below `calmUtilisation`: no groups, so tables are
 *             exactly those
 *   begin     from `beginUtilisation` on: between the two what is in force stays, which keeps a load near the limit
 *             from turning groups on and off
 *   change    other groups only where they lower the highest utilisation by `gainRatio` and `gainUtilisation`, or where
 *             those in force lost a link or a node
 *   hold      groups are not taken away within `holdMs` of their change
 */

import type { LoadGroups } from '../steering-engine-port.ts';
import { forwardedLoads, highestUtilisation } from '../traffic-engineering/forwarded-loads.ts';
import { optimise } from '../traffic-engineering/optimise.ts';
import { demandByDestination } from '../traffic-engineering/traffic-demand.ts';
import type { TrafficPlan } from '../traffic-engineering/traffic-plan.ts';
import { groupsOf, tablesInForce } from './load-groups.ts';
import type { LoadInput } from './load-input.ts';

export interface LoadOptions {
  readonly calmUtilisation: number;
  readonly beginUtilisation: number;
  readonly gainRatio: number;
  readonly gainUtilisation: number;
  readonly holdMs: number;
}

/** 50 and 60 %: what Fortz and Thorup's cost begins to charge for, and a margin above the noise of a smoothed demand. */
export const DEFAULT_LOAD_OPTIONS: LoadOptions = {
  calmUtilisation: 0.5,
  beginUtilisation: 0.6,
  gainRatio: 0.05,
  gainUtilisation: 0.02,
  holdMs: 30_000,
};

/** What is remembered from one decision to the next. */
export interface LoadMemory {
  /** When groups were last changed; null: never. */
  readonly changedAtMs: number | null;
}

export interface LoadDecision {
  /** What the engine is to use from now on; null: what it uses. */
  readonly groups: LoadGroups | null;
  readonly memory: LoadMemory;
  readonly summary: LoadSummary;
}

export interface LoadSummary {
  readonly state: 'calm' | 'spread';
  /** Of the tables that are in force after the decision, and of the paths that are best by latency, one each. */
  readonly highestUtilisation: number;
  readonly latencyUtilisation: number;
  /** No tables could be below this; 0: not computed. */
  readonly lowerBound: number;
  /** Routes that the decision changes. */
  readonly changedRoutes: number;
}

export function decideLoad(
  input: LoadInput,
  memory: LoadMemory,
  nowMs: number,
  options: LoadOptions = DEFAULT_LOAD_OPTIONS,
): LoadDecision {
  const { network, demand, inForce } = input;
  const isSpread = inForce.size > 0;
  const previous = tablesInForce(input);
  const plan = optimise(network, demand, { calmUtilisation: options.calmUtilisation }, previous?.tables);
  const stay = (highest: number): LoadDecision => ({
    groups: null,
    memory,
    summary: summary(plan, isSpread ? 'spread' : 'calm', highest, 0),
  });
  if (!isSpread && (plan.calm || plan.shortestUtilisation < options.beginUtilisation)) {
    return stay(plan.shortestUtilisation);
  }
  if (isSpread && previous !== null) {
    const highest = highestUtilisation(
      network,
      forwardedLoads(network, previous.tables, demandByDestination(demand, network.nodeCount)),
    );
    const held = memory.changedAtMs !== null && nowMs < memory.changedAtMs + options.holdMs;
    if (plan.calm && held) return stay(highest);
    const gains =
      highest > plan.highestUtilisation * (1 + options.gainRatio) &&
      highest > plan.highestUtilisation + options.gainUtilisation;
    if (!plan.calm && previous.whole && !gains) return stay(highest);
  }
  const groups: LoadGroups = plan.calm ? new Map() : groupsOf(input, plan.tables);
  return {
    groups,
    memory: { changedAtMs: nowMs },
    summary: summary(plan, groups.size > 0 ? 'spread' : 'calm', plan.highestUtilisation, plan.changedRoutes),
  };
}

function summary(plan: TrafficPlan, state: LoadSummary['state'], highest: number, changedRoutes: number): LoadSummary {
  const { shortestUtilisation, lowerBound } = plan;
  return { state, highestUtilisation: highest, latencyUtilisation: shortestUtilisation, lowerBound, changedRoutes };
}
