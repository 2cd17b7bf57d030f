/** What comes out of the optimiser. */
import type { ForwardedLoads } from './forwarded-loads.ts';
import type { WeightedTables } from './weighted-tables.ts';

export interface TrafficPlan {
  readonly tables: WeightedTables;
  /** What the tables do with the demands, pushed through hop by hop. */
  readonly loads: ForwardedLoads;
  /** Of the tables as forwarded: over all links and accesses. Above 1: not all demand fits, see `fitting`. */
  readonly highestUtilisation: number;
  /** Before shares became whole weights. */
  readonly sharesUtilisation: number;
  /** No routing, whatever its splits and stretch, is below this. 0 where it was not needed. */
  readonly lowerBound: number;
  /** Of the shortest paths by RTT, one path a pair: what is without the optimiser. */
  readonly shortestUtilisation: number;
  /** Whether the tables are the shortest paths because nothing is loaded enough to matter. */
  readonly calm: boolean;
  /** The part of every demand that fits at the same time: 1, or 1 over the highest utilisation. */
  readonly fitting: number;
  /** Groups that are not as in the tables in force, or as the shortest paths where there were none. */
  readonly changedRoutes: number;
  readonly routes: number;
  /** Passes over all destinations, and steps in them. */
  readonly rounds: number;
  readonly shifts: number;
}
