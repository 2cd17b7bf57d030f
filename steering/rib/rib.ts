/** Rows of route tables out of next hops: the RIB's last step, before they become deltas. Numbers are stable indices. */
import type { PlaneName, RouteRow, RowKey, TableKind } from '../../protocol/route-table.ts';

export function transitTable(plane: PlaneName): TableKind {
  return plane === 'a' ? 'transitA' : 'transitB';
}

export function otherPlane(plane: PlaneName): PlaneName {
  return plane === 'a' ? 'b' : 'a';
}

export function rowKey(table: TableKind, destination: number): RowKey {
  return { table, destination, blockBits: 0 };
}

/** Packets a node sends. Without a next hop (0) they go to the destination directly, as a last resort. */
export function sourceRow(destination: number, nextHop: number, plane: PlaneName): RouteRow {
  const neighbour = nextHop === 0 ? destination : nextHop;
  return row('source', destination, neighbour, neighbour === destination ? null : plane);
}

/** Packets of others that arrive at a transit node on `plane`. */
export function transitRow(destination: number, nextHop: number, plane: PlaneName): RouteRow {
  return row(transitTable(plane), destination, nextHop, null);
}

function row(table: TableKind, destination: number, neighbour: number, plane: PlaneName | null): RouteRow {
  return { table, destination, blockBits: 0, plane, nextHops: [{ neighbour, weight: 1 }], backups: [] };
}
