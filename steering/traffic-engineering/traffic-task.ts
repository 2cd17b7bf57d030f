/** What a planner's thread is asked and what it answers. */
import { type ErrorObject, ThalwegError } from '../../protocol/error.ts';
import { TrafficOptimiser } from './optimise.ts';
import type { TrafficDemand } from './traffic-demand.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { TrafficOptions } from './traffic-options.ts';
import type { TrafficPlan } from './traffic-plan.ts';
import type { WeightedTables } from './weighted-tables.ts';

export interface TrafficTask {
  readonly network: TrafficNetwork;
  readonly demand: TrafficDemand;
  readonly options: Partial<TrafficOptions>;
  readonly previous: WeightedTables | null;
}

export type TrafficAnswer =
  | { readonly kind: 'planned'; readonly plan: TrafficPlan }
  | { readonly kind: 'refused'; readonly error: ErrorObject };

/** Does the task. Never throws: what is wrong with it is the answer. `optimiser`: one that may have planned before. */
export function answerTrafficTask(
  { network, demand, options, previous }: TrafficTask,
  optimiser = new TrafficOptimiser(),
): TrafficAnswer {
  try {
    return { kind: 'planned', plan: optimiser.plan(network, demand, options, previous ?? undefined) };
  } catch (error) {
    const known = error instanceof ThalwegError ? error : new ThalwegError('internal', String(error), { cause: error });
    return { kind: 'refused', error: known.toJSON() };
  }
}
