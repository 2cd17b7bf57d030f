/** Rows of route tables out of next hops: the RIB's last step, before they become deltas. Numbers are stable indices. */
import type { NextHop, PlaneName, RouteRow, RowKey, TableKind } from '../../protocol/route-table.ts';

export function transitTable(plane: PlaneName): TableKind {
  return plane === 'a' ? 'transitA' : 'transitB';
}

export function otherPlane(plane: PlaneName): PlaneName {
  return plane === 'a' ? 'b' : 'a';
}

export function rowKey(table: TableKind, destination: number): RowKey {
  return { table, destination, blockBits: 0 };
}

/** Packets a node sends. Without next hops they go to the destination directly, as a last resort. */
export function sourceRow(
  destination: number,
  nextHops: readonly NextHop[],
  plane: PlaneName,
  backups: readonly number[] = [],
): RouteRow {
  const hops = nextHops.length === 0 ? [{ neighbour: destination, weight: 1 }] : nextHops;
  const direct = hops.every(({ neighbour }) => neighbour === destination);
  return row('source', destination, hops, direct ? null : plane, backups);
}

/** Packets of others that arrive at a transit node on `plane`. */
export function transitRow(
  destination: number,
  nextHops: readonly NextHop[],
  plane: PlaneName,
  backups: readonly number[] = [],
): RouteRow {
  return row(transitTable(plane), destination, nextHops, null, backups);
}

function row(
  table: TableKind,
  destination: number,
  hops: readonly NextHop[],
  plane: PlaneName | null,
  backups: readonly number[],
): RouteRow {
  const [only] = hops;
  const nextHops =
    only !== undefined && hops.length === 1
      ? [{ neighbour: only.neighbour, weight: 1 }]
      : [...hops].sort((a, b) => a.neighbour - b.neighbour);
  return { table, destination, blockBits: 0, plane, nextHops, backups };
}
