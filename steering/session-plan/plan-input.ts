/** What a plan is made from, by slot: the place of a transit node in the sorted list of them. */
import type { DelayEstimate } from './delay-estimate.ts';
import type { KnownPaths } from './known-paths.ts';
import type { LinkTable } from './link-table.ts';

export interface TransitPlanInput {
  readonly table: LinkTable;
  readonly estimate: DelayEstimate;
  readonly paths: KnownPaths;
  /** True when the two slots can hold a session. */
  readonly isPossible: (a: number, b: number) => boolean;
  /** True when the plan before had the pair of slots. */
  readonly wasPlanned: (a: number, b: number) => boolean;
  /** Pairs of slots by falling demand. */
  readonly demands: readonly { readonly a: number; readonly b: number }[];
  /** The nearest slots, measured or by estimate, nearest first; none for a slot without a coordinate. */
  readonly nearest: (slot: number, count: number) => readonly number[];
  readonly seed: number;
}

/** 300 ms: about the longest RTT between two places on the ground. */
const UNKNOWN_US = 300_000;

/** RTT of a pair as far as one knows; where nothing is known it must not look like a short cut. */
export function knownOrEstimateUs(input: Pick<TransitPlanInput, 'table' | 'estimate'>, a: number, b: number): number {
  const measured = input.table.rttUs(a, b);
  if (!Number.isNaN(measured)) return measured;
  const estimate = input.estimate.estimateUs(a, b);
  return Number.isNaN(estimate) ? UNKNOWN_US : estimate;
}
