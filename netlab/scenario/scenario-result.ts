/** What a run of a scenario hands back: one object, printed by `thalweg lab run --json`. All `at` are seconds after t = 0. */

export interface RunEvent {
  readonly at: number;
  readonly kind: string;
  readonly what: string;
}

export interface RunPathChange {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly reason: string;
}

export interface Measurement {
  /** e.g. `rtt p50 (steered)`. */
  readonly name: string;
  /** Null: of the lab as a whole. */
  readonly from: string | null;
  readonly to: string | null;
  /** Null: could not be measured, for instance no reply came. */
  readonly value: number | null;
  readonly unit: 'ms' | 's' | 'packets' | 'count' | 'ratio' | 'bytes';
}

export interface ExpectationResult {
  readonly what: string;
  readonly ok: boolean;
  readonly seen: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly hosts: readonly string[];
  readonly driver: string;
  /** ISO 8601, when the lab began to be built. */
  readonly startedAt: string;
  readonly events: readonly RunEvent[];
  readonly pathChanges: readonly RunPathChange[];
  readonly measurements: readonly Measurement[];
  readonly expectations: readonly ExpectationResult[];
  readonly ok: boolean;
  /** Why not ok: missed expectations and whatever went wrong in the run itself. */
  readonly reasons: readonly string[];
  /** Name of the lab when it was left up. */
  readonly lab?: string;
}

/** What a run tells while it goes on, for a live view. */
export type RunProgress =
  | {
      readonly kind: 'scenario';
      readonly name: string;
      readonly description: string;
      readonly hosts: readonly string[];
    }
  | { readonly kind: 'building'; readonly stage: string; readonly done: number; readonly total: number }
  | { readonly kind: 'api'; readonly target: string }
  | { readonly kind: 'started'; readonly steeredMs: number | null; readonly durationMs: number }
  | { readonly kind: 'event'; readonly event: RunEvent }
  | { readonly kind: 'pathChange'; readonly change: RunPathChange }
  | { readonly kind: 'paths'; readonly atMs: number; readonly pairs: readonly PairView[]; readonly converged: boolean }
  | { readonly kind: 'reply'; readonly from: string; readonly to: string; readonly rttUs: number }
  | { readonly kind: 'finished'; readonly result: ScenarioResult }
  /** The lab stays up, and paths and their changes go on being told, until the run is interrupted. */
  | { readonly kind: 'staying'; readonly lab: string };

/** A pair as a live view shows it. */
export interface PairView {
  readonly from: string;
  readonly to: string;
  readonly path: readonly string[];
  readonly directRttUs: number | null;
  /** What the core makes of it from the probes. */
  readonly rttUs: number | null;
  readonly sinceMs: number;
  readonly reason: string;
}
