/** What a plan is made from and what comes of it, as values that cross a thread cheaply: pairs are flat numbers. */
import type { NodePair } from '../link-state/link-roles.ts';
import type { Demand } from './session-planner.ts';

export interface PlanRequest {
  /** Nodes that forward, and nodes that do not, by stable index, sorted. */
  readonly transit: readonly number[];
  readonly leaves: readonly number[];
  /** low, high, RTT in microseconds, for each pair that was measured. */
  readonly known: Float64Array;
  /** low, high of each planned session. */
  readonly planned: Float64Array;
  /** low, high of pairs that cannot hold a session at present. */
  readonly blocked: Float64Array;
  readonly demands: readonly Demand[];
  /** Counts rounds of exploration: another round tries others where chance decides. */
  readonly round: number;
}

export interface PlanAnswer {
  readonly links: readonly NodePair[];
  readonly explore: readonly NodePair[];
  /** Nodes that hold more sessions than the bound, since the mesh would fall apart otherwise. */
  readonly beyondBound: number;
  /** Time that the plan took, in milliseconds. */
  readonly tookMs: number;
}

/** Makes plans one at a time, here or in another thread. Rejects when it cannot; it is usable afterwards. */
export interface PlanMaking {
  make(request: PlanRequest): Promise<PlanAnswer>;
  /** Idempotent. A plan on its way is rejected. */
  stop(): Promise<void>;
}

export function packPairs(pairs: Iterable<NodePair>): Float64Array {
  const flat: number[] = [];
  for (const { low, high } of pairs) flat.push(low, high);
  return Float64Array.from(flat);
}

export function unpackPairs(flat: Float64Array): NodePair[] {
  return Array.from({ length: flat.length >> 1 }, (_, i) => ({ low: flat[2 * i] ?? 0, high: flat[2 * i + 1] ?? 0 }));
}
