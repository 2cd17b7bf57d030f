/**
 * The table of a leaf: a default to its home by the uplink, direct rows to the transit nodes that it has sessions with, and
 * exceptions for its busiest destinations where another of its transit nodes is better. Pure.
 */
import type { RouteRow } from '../../protocol/route-table.ts';
import { MAX_BACKUPS } from '../../protocol/route-table.ts';

/** One of the leaf's transit nodes whose link is up. */
export interface LeafWay {
  /** Node index of the transit node. */
  readonly transit: number;
  readonly costUs: number;
}

export interface LeafRowsInput {
  readonly home: number;
  /** Ways that are up, the home's among them if it is. */
  readonly ways: readonly LeafWay[];
  /** Cost from a transit node to a destination, in microseconds; Infinity: no path. 0 to itself. */
  readonly costUs: (transit: number, destination: number) => number;
  /** Busiest destinations, busiest first. */
  readonly demands: readonly number[];
  /** Destination -> transit node that it was sent by: stays unless beaten. */
  readonly before: ReadonlyMap<number, number>;
  readonly transitHopUs: number;
  readonly gainUs: number;
  readonly gainRatio: number;
  /** Bits of the block that holds every index. */
  readonly wholeBits: number;
}

/** Destinations that may have an exception: as leaf/leaf-tables.ts. */
const MAX_EXCEPTIONS = 4;

export interface LeafRows {
  readonly rows: readonly RouteRow[];
  /** For `before` of the next time. */
  readonly chosen: ReadonlyMap<number, number>;
}

export function leafRows(input: LeafRowsInput): LeafRows {
  const { home, ways, wholeBits } = input;
  const others = ways
    .filter((way) => way.transit !== home)
    .sort((a, b) => a.costUs - b.costUs || a.transit - b.transit);
  const backups = others.map((way) => way.transit).slice(0, MAX_BACKUPS);
  const rows: RouteRow[] = [uplinkRow(0, wholeBits, home, backups)];
  const chosen = new Map<number, number>();
  const transits = new Set(ways.map((way) => way.transit));
  const wanted = [...transits, ...input.demands.filter((index) => !transits.has(index)).slice(0, MAX_EXCEPTIONS)];
  for (const destination of wanted.sort((a, b) => a - b)) {
    const via = wayTo(input, destination);
    if (via === undefined) continue;
    chosen.set(destination, via);
    if (via === destination) rows.push(directRow(destination));
    else if (via !== home) rows.push(uplinkRow(destination, 0, via, []));
  }
  return { rows, chosen };
}

/** The transit node by which to send; undefined: none of them leads there. The home is left only for a gain. */
function wayTo(input: LeafRowsInput, destination: number): number | undefined {
  const { home, ways, before, gainUs, gainRatio } = input;
  let best: { transit: number; us: number } | undefined;
  let present: { transit: number; us: number } | undefined;
  // a transit node itself is best asked directly, unless that is worse
  const preferred = before.get(destination) ?? (ways.some((way) => way.transit === destination) ? destination : home);
  for (const { transit, costUs } of ways) {
    const onward = transit === destination ? 0 : input.costUs(transit, destination) + input.transitHopUs;
    const us = costUs + onward;
    if (us === Number.POSITIVE_INFINITY) continue;
    if (transit === preferred) present = { transit, us };
    if (best === undefined || us < best.us || (us === best.us && transit < best.transit)) best = { transit, us };
  }
  if (best === undefined || present === undefined) return best?.transit;
  return present.us - best.us > Math.max(gainUs, gainRatio * present.us) ? best.transit : present.transit;
}

function uplinkRow(destination: number, blockBits: number, transit: number, backups: readonly number[]): RouteRow {
  const nextHops = [{ neighbour: transit, weight: 1 }];
  return { table: 'source', destination, blockBits, plane: 'uplink', nextHops, backups };
}

function directRow(destination: number): RouteRow {
  const nextHops = [{ neighbour: destination, weight: 1 }];
  return { table: 'source', destination, blockBits: 0, plane: null, nextHops, backups: [] };
}
