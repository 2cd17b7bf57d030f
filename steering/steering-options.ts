/** All tuning of the steering engine, by stage. */
import { DEFAULT_LINK_BAND_OPTIONS, type LinkBandOptions } from './link-state/link-band.ts';
import { type CostOptions, DEFAULT_COST_OPTIONS } from './link-state/link-cost.ts';
import { DEFAULT_LINK_FILTER_OPTIONS, type LinkFilterOptions } from './link-state/link-filter.ts';
import { DEFAULT_LOSS_OPTIONS, type LossOptions } from './link-state/loss-estimate.ts';
import { DEFAULT_INCUMBENCY_OPTIONS, type IncumbencyOptions } from './rib/incumbency.ts';
import { DEFAULT_NODE_TABLE_OPTIONS, type NodeTableOptions } from './rollout/node-table.ts';
import { DEFAULT_ROLLOUT_OPTIONS, type RolloutOptions } from './rollout/rollout-options.ts';

export interface SteeringOptions {
  readonly cost: CostOptions;
  readonly filter: LinkFilterOptions;
  readonly band: LinkBandOptions;
  readonly loss: LossOptions;
  readonly incumbency: IncumbencyOptions;
  readonly table: NodeTableOptions;
  readonly rollout: RolloutOptions;
  /** Least time between two SPF runs: many reports that arrive together, as at a join, make one run. */
  readonly spfMinIntervalMs: number;
  /** Longest wait after a restart for the known nodes to reconnect and report. */
  readonly warmUpMs: number;
  /** Cost added to a link that is up again but not yet trusted: above any real path, so it is a last resort. */
  readonly untrustedUs: number;
  readonly pathChangesKept: number;
  /** Generations start above this: with no imported state, something that rises from start to start, as seconds since 1970. */
  readonly firstGeneration: bigint;
}

/** Some of the options, stage by stage. */
export type PartialSteeringOptions = {
  readonly [K in keyof SteeringOptions]?: SteeringOptions[K] extends object
    ? Partial<SteeringOptions[K]>
    : SteeringOptions[K];
};

export function steeringOptions(partial: PartialSteeringOptions = {}): SteeringOptions {
  return {
    cost: { ...DEFAULT_COST_OPTIONS, ...partial.cost },
    filter: { ...DEFAULT_LINK_FILTER_OPTIONS, ...partial.filter },
    band: { ...DEFAULT_LINK_BAND_OPTIONS, ...partial.band },
    loss: { ...DEFAULT_LOSS_OPTIONS, ...partial.loss },
    incumbency: { ...DEFAULT_INCUMBENCY_OPTIONS, ...partial.incumbency },
    table: { ...DEFAULT_NODE_TABLE_OPTIONS, ...partial.table },
    rollout: { ...DEFAULT_ROLLOUT_OPTIONS, ...partial.rollout },
    spfMinIntervalMs: partial.spfMinIntervalMs ?? 100,
    warmUpMs: partial.warmUpMs ?? 10_000,
    untrustedUs: partial.untrustedUs ?? 10_000_000,
    pathChangesKept: partial.pathChangesKept ?? 10_000,
    firstGeneration: partial.firstGeneration ?? 0n,
  };
}
