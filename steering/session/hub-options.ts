/** How agents are spoken to. */
import type { PlanningOptions } from './session-planning.ts';

export interface HubOptions {
  readonly heartbeatMs: number;
  readonly probeIntervalMs: number;
  readonly deadAfterMs: number;
  readonly reportIntervalMs: number;
  readonly demandIntervalMs: number;
  readonly certificateLifetimeMs: number;
  readonly sessionPlan: PlanningOptions;
}
