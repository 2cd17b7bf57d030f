/**
 * What rides in the tables of the mesh's nodes beside the mesh's own rows: the leaves of a fleet (fleet/homed-leaves.ts).
 * The engine calls it inside its step, so that both are told to a node in one delta.
 */
import type { SteeringAction } from './steering-engine-port.ts';

export interface MeshGuest {
  /** The imported state of the mesh is in place, or there was none: with the first event that is not a node's adding. */
  restored(nowMs: number): void;
  /**
   * Decisions and rollouts of the mesh are as they will be after this step; tables may still be changed. `decided`: costs
   * or decisions may be others than after the step before.
   */
  settle(nowMs: number, decided: boolean): void;
  /** What to do beside the mesh's own actions; `nextGeneration` numbers the deltas. */
  takeActions(nowMs: number, nextGeneration: () => bigint): SteeringAction[];
  /** When it has something to do without further events; Infinity: never. */
  readonly dueMs: number;
}
