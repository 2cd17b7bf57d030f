/** How agents are spoken to. */
import type { Clock } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { PlanMaking } from '../session-plan/plan-request.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import type { NodeRecord, Store } from '../store/store.ts';
import type { PlanningOptions } from './session-planning.ts';
import type { SteeringLoop } from './steering-loop.ts';

export interface HubDeps {
  readonly registry: NodeRegistry;
  readonly authority: MeshAuthority;
  readonly loop: SteeringLoop;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
  readonly store: Store;
  readonly commits: GroupCommit;
  readonly plans: PlanMaking;
  /** A node was removed while another core steers, which says so to everybody else. */
  readonly onRemoved?: (node: NodeRecord) => void;
}

export interface HubOptions {
  readonly heartbeatMs: number;
  readonly probeIntervalMs: number;
  readonly deadAfterMs: number;
  readonly reportIntervalMs: number;
  readonly demandIntervalMs: number;
  readonly certificateLifetimeMs: number;
  readonly sessionPlan: PlanningOptions;
}
