/**
 * From what the core said to what the kernel should hold. Pure: the same input gives the same value, in the same order.
 *
 *   own index, ranges, peers, RouteTable, neighbours that are down  ->  peers' AllowedIPs, routes
 *
 * A row becomes two routes (node4, node6). A source row's next hop that is the destination itself is direct; every
 * other next hop, and every next hop of a transit row, is a detour on a plane. A destination without a row is reached
 * directly where it is a peer: so a mesh works before the core has computed anything.
 *
 * A home forwards what its leaves send as it forwards its own packets: its uplink table is its source table with detours
 * for direct routes, since WireGuard at the destination takes no leaf's address from the home. So the plane is chosen at
 * the home, for each destination by itself, and a leaf's packets too follow one generation of a path from end to end.
 */

import type { OverlayNextHop, OverlayRoute, Standby } from '../overlay/overlay-state.ts';
import type { AddressRanges } from '../protocol/address-plan.ts';
import type { NodeIndex } from '../protocol/identifier.ts';
import type { NextHop, RouteRow, RowPlane } from '../protocol/route-table.ts';

export interface FibInput {
  readonly ownIndex: number;
  readonly ranges: AddressRanges;
  /** Indices of the peers that have a WireGuard session here. */
  readonly peerIndices: readonly number[];
  readonly rows: readonly RouteRow[];
  /** False: rows of the transit tables are left out, whatever the core sent. */
  readonly transit: boolean;
  /** Some peer hangs off this node, or may come to: what it sends is forwarded. */
  readonly home: boolean;
  /** Neighbours whose forwarding path is down by our own probes: repaired from the rows' backups. */
  readonly down: ReadonlySet<number>;
}

export interface Fib {
  readonly routes: readonly OverlayRoute[];
  /** Rows with no next hop that is a peer: nothing could be installed for them. */
  readonly skippedRows: number;
  /** Rows that forward by other next hops than the core's, because a neighbour is down. */
  readonly repairedRows: number;
}

/** Node addresses of a peer never change with routes: tunnel/32, node4/32, node6/128. */
export function allowedIpsOf(ranges: AddressRanges, index: NodeIndex): readonly string[] {
  return [`${ranges.tunnelAddress(index)}/32`, ...ranges.nodePrefixes(index)];
}

/** Never throws. Routes in the order of (table, destination, blockBits), direct ones of peers without a row last. */
export function computeFib(input: FibInput): Fib {
  const { ownIndex, ranges, rows, transit, home, down } = input;
  const peers = new Set(input.peerIndices);
  const routes: OverlayRoute[] = [];
  const covered = new CoveredDestinations();
  let skippedRows = 0;
  let repairedRows = 0;
  for (const row of rows) {
    if (row.table !== 'source' && !transit) continue;
    if (row.blockBits === 0 && row.destination === ownIndex) continue;
    if (row.destination + 2 ** row.blockBits - 1 > ranges.maxIndex + 1) {
      skippedRows++;
      continue;
    }
    const usable = row.nextHops.filter((hop) => peers.has(hop.neighbour));
    const { hops, repaired } = liveHops(row, usable, peers, down);
    if (hops.length === 0) {
      skippedRows++;
      continue;
    }
    if (repaired) repairedRows++;
    if (row.table === 'source') covered.add(row);
    const nextHops = hops.map((hop) => overlayNextHop(row, hop, ranges));
    const forwards = home && row.table === 'source';
    const onward = forwards ? hops.map((hop) => onwardNextHop(row, hop, ranges)) : [];
    const standby = standbyOf(row, usable, peers, (hop) => overlayNextHop(row, hop, ranges), ranges);
    const onwardStandby = forwards
      ? standbyOf(row, usable, peers, (hop) => onwardNextHop(row, hop, ranges), ranges)
      : undefined;
    for (const prefix of ranges.nodePrefixes(row.destination, row.blockBits)) {
      routes.push({ table: row.table, prefix, nextHops, ...(standby && { standby }) });
      if (!forwards) continue;
      routes.push({ table: 'uplink', prefix, nextHops: onward, ...(onwardStandby && { standby: onwardStandby }) });
    }
  }
  for (const index of [...peers].sort((a, b) => a - b)) {
    if (index === ownIndex || index > ranges.maxIndex || covered.has(index)) continue;
    for (const prefix of ranges.nodePrefixes(index)) {
      routes.push({ table: 'source', prefix, nextHops: [{ kind: 'direct', weight: 1 }] });
      if (!home) continue;
      const via = ranges.tunnelAddress(index as NodeIndex);
      routes.push({ table: 'uplink', prefix, nextHops: [{ kind: 'detour', plane: 'a', via, weight: 1 }] });
    }
  }
  return { routes, skippedRows, repairedRows };
}

interface LiveHops {
  readonly hops: readonly NextHop[];
  readonly repaired: boolean;
}

/**
 * The next hops that are up; where none is, the first backup that is (a loop-free alternate, RFC 5286); where there is
 * none either, what the core said: a route that may come back beats no route.
 */
function liveHops(
  row: RouteRow,
  usable: readonly NextHop[],
  peers: ReadonlySet<number>,
  down: ReadonlySet<number>,
): LiveHops {
  const live = usable.filter((hop) => !down.has(hop.neighbour));
  if (live.length === usable.length && usable.length > 0) return { hops: usable, repaired: false };
  if (live.length > 0) return { hops: live, repaired: true };
  const backup = row.backups.find((index) => peers.has(index) && !down.has(index));
  if (backup !== undefined) return { hops: [{ neighbour: backup, weight: 1 }], repaired: true };
  return { hops: usable, repaired: false };
}

/** Rows with one next hop and a backup for it are repaired without touching their routes; groups are filled anew. */
function standbyOf(
  { backups }: RouteRow,
  usable: readonly NextHop[],
  peers: ReadonlySet<number>,
  hopOf: (hop: NextHop) => OverlayNextHop,
  ranges: AddressRanges,
): Standby | undefined {
  const [only] = usable;
  const known = backups.filter((index) => peers.has(index));
  if (only === undefined || usable.length > 1 || known.length === 0) return undefined;
  const entry = (neighbour: number) => ({
    neighbour: ranges.tunnelAddress(neighbour as NodeIndex),
    hop: hopOf({ neighbour, weight: 1 }),
  });
  return { primary: entry(only.neighbour), backups: known.map(entry) };
}

function overlayNextHop(row: RouteRow, hop: NextHop, ranges: AddressRanges): OverlayNextHop {
  if (row.table === 'source' && row.blockBits === 0 && hop.neighbour === row.destination) {
    return { kind: 'direct', weight: hop.weight };
  }
  return onwardNextHop(row, hop, ranges);
}

/** For packets with somebody else's source: always encapsulated, to their last hop too. */
function onwardNextHop(row: RouteRow, hop: NextHop, ranges: AddressRanges): OverlayNextHop {
  // A backup of a row whose next hops are all direct travels on the plane that the row names, or on a.
  const plane: RowPlane = row.table === 'transitA' ? 'a' : row.table === 'transitB' ? 'b' : (row.plane ?? 'a');
  return { kind: 'detour', plane, via: ranges.tunnelAddress(hop.neighbour as NodeIndex), weight: hop.weight };
}

/** Which destinations have a source row, by themselves or inside a block. */
class CoveredDestinations {
  readonly #firstByBits = new Map<number, Set<number>>();

  add({ destination, blockBits }: RouteRow): void {
    let firsts = this.#firstByBits.get(blockBits);
    if (firsts === undefined) {
      firsts = new Set();
      this.#firstByBits.set(blockBits, firsts);
    }
    firsts.add(destination);
  }

  has(index: number): boolean {
    for (const [bits, firsts] of this.#firstByBits) {
      if (firsts.has(index - (index % 2 ** bits))) return true;
    }
    return false;
  }
}
