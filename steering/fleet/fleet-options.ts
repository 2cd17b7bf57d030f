/** Tuning of the fleet engine, by stage. */
import { DEFAULT_LEAF_HOME_OPTIONS, type LeafHomeOptions } from '../leaf/leaf-homes.ts';
import { DEFAULT_LEAF_LINK_OPTIONS, type LeafLinkOptions } from '../leaf/leaf-links.ts';
import { DEFAULT_LEAF_TABLE_OPTIONS, type LeafTableOptions } from '../leaf/leaf-tables.ts';
import { DEFAULT_HOME_BLOCKS_OPTIONS, type HomeBlocksOptions, homeBlocksFor } from '../registry/home-blocks.ts';
import { type SteeringOptions, steeringOptions } from '../steering-options.ts';

export interface FleetOptions {
  readonly steering: SteeringOptions;
  readonly blocks: HomeBlocksOptions;
  readonly leafLinks: LeafLinkOptions;
  readonly leafHomes: LeafHomeOptions;
  readonly leafTables: LeafTableOptions;
  /** Leaves whose exceptions are looked at each second without news of their own: 10,000 takes a million in 100 s. */
  readonly sweepPerSecond: number;
  /**
   * Next hops of transit nodes that one step follows. 10,000 take some 50 ms; a link that half the fleet uses changes
   * hundreds of thousands, and what leaves report meanwhile should not wait for all of them.
   */
  readonly nextHopsPerStep: number;
}

export function fleetOptions(partial: Partial<FleetOptions> = {}): FleetOptions {
  return {
    steering: steeringOptions(),
    blocks: DEFAULT_HOME_BLOCKS_OPTIONS,
    leafLinks: DEFAULT_LEAF_LINK_OPTIONS,
    leafHomes: DEFAULT_LEAF_HOME_OPTIONS,
    leafTables: DEFAULT_LEAF_TABLE_OPTIONS,
    sweepPerSecond: 10_000,
    nextHopsPerStep: 10_000,
    ...partial,
  };
}

/** For a fleet that is to have about so many transit nodes. */
export function fleetOptionsFor(transit: number): Partial<FleetOptions> {
  return { blocks: homeBlocksFor(transit) };
}
