/**
 * The table of one node as the core computes it (RIB) and the agent holds it (towards the FIB): rows by destination,
 * changed by deltas, compared by checksum. Pure; both ends use this one implementation.
 */
import type { Parsed } from './error.ts';
import { MAX_NODE_INDEX } from './identifier.ts';

/** `source`: packets this node sends. `transitA`/`transitB`: packets that arrive encapsulated on plane a or b. */
export type TableKind = 'source' | 'transitA' | 'transitB';
export type PlaneName = 'a' | 'b';
/** What a source row's detour travels on. `uplink`: from a leaf to its home, which puts it on a plane as its own packets. */
export type RowPlane = PlaneName | 'uplink';

export interface NextHop {
  /** Node index of the neighbour. In a source row, neighbour === destination is plain WireGuard. */
  readonly neighbour: number;
  /** 1 to 256, as iproute2 takes it. */
  readonly weight: number;
}

export interface RouteRow {
  readonly table: TableKind;
  /** Node index, or the first index of an aligned block of 2^blockBits nodes. */
  readonly destination: number;
  readonly blockBits: number;
  /** Plane of a source row's encapsulated next hops; null in transit rows and where every next hop is direct. */
  readonly plane: RowPlane | null;
  /** At least one, sorted by neighbour, no neighbour twice. */
  readonly nextHops: readonly NextHop[];
  /** Loop-free alternates, best first. */
  readonly backups: readonly number[];
}

export interface RowKey {
  readonly table: TableKind;
  readonly destination: number;
  readonly blockBits: number;
}

export interface RouteDelta {
  readonly generation: bigint;
  readonly baseGeneration: bigint;
  /** The table starts empty instead of from baseGeneration. */
  readonly full: boolean;
  readonly set: readonly RouteRow[];
  readonly remove: readonly RowKey[];
  /** Checksum of the whole table after the delta. */
  readonly checksum: bigint;
}

/** Members per next-hop group that a row may carry. */
export const MAX_NEXT_HOPS = 32;
export const MAX_BACKUPS = 4;

const TABLE_NUMBER: Record<TableKind, number> = { source: 1, transitA: 2, transitB: 3 };

/** Rows of one node by key, with the generation and the checksum of their sum. Mutable; owned by one side of one session. */
export class RouteTable {
  readonly #rows = new Map<string, RouteRow>();
  #generation = 0n;
  #checksum = 0n;

  get generation(): bigint {
    return this.#generation;
  }

  /** Sum of the rows' hashes modulo 2^64: does not depend on their order, and costs a delta only its own rows. */
  get checksum(): bigint {
    return this.#checksum;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: RowKey): RouteRow | undefined {
    return this.#rows.get(rowKeyText(key));
  }

  /** Rows in the order of (table, destination, blockBits). */
  rows(): RouteRow[] {
    return [...this.#rows.values()].sort(compareRows);
  }

  /**
   * Applies a delta. On `ok: false` nothing has changed: the base generation was not ours, or the result would not
   * have the delta's checksum.
   */
  apply(delta: RouteDelta): Parsed<RouteTable> {
    if (!delta.full && delta.baseGeneration !== this.#generation) {
      return {
        ok: false,
        reason: `delta starts from generation ${delta.baseGeneration}, the table is ${this.#generation}`,
      };
    }
    const changed = new Map<string, RouteRow | undefined>();
    for (const key of delta.remove) changed.set(rowKeyText(key), undefined);
    for (const row of delta.set) changed.set(rowKeyText(row), row);
    let sum = delta.full ? 0n : this.#checksum;
    for (const [key, row] of changed) {
      const old = delta.full ? undefined : this.#rows.get(key);
      if (old !== undefined) sum -= fnv1a64(rowText(old));
      if (row !== undefined) sum += fnv1a64(rowText(row));
    }
    sum = BigInt.asUintN(64, sum);
    if (sum !== delta.checksum) return { ok: false, reason: 'the table after the delta does not have its checksum' };
    if (delta.full) this.#rows.clear();
    for (const [key, row] of changed) {
      if (row === undefined) this.#rows.delete(key);
      else this.#rows.set(key, row);
    }
    this.#generation = delta.generation;
    this.#checksum = sum;
    return { ok: true, value: this };
  }

  /** The delta that turns an empty table into this one. */
  toFullDelta(): RouteDelta {
    return {
      generation: this.#generation,
      baseGeneration: 0n,
      full: true,
      set: this.rows(),
      remove: [],
      checksum: this.#checksum,
    };
  }
}

/** Delta from `table` with `set` and `remove` applied, as generation `generation`. `table` itself is not changed. */
export function deltaFrom(
  table: RouteTable,
  generation: bigint,
  set: readonly RouteRow[],
  remove: readonly RowKey[],
): RouteDelta {
  let sum = table.checksum;
  for (const key of remove) {
    const old = table.get(key);
    if (old !== undefined) sum -= fnv1a64(rowText(old));
  }
  for (const row of set) {
    const old = table.get(row);
    if (old !== undefined) sum -= fnv1a64(rowText(old));
    sum += fnv1a64(rowText(row));
  }
  return { generation, baseGeneration: table.generation, full: false, set, remove, checksum: BigInt.asUintN(64, sum) };
}

/** Checksum that a table of exactly these rows has. */
export function checksumOf(rows: Iterable<RouteRow>): bigint {
  let sum = 0n;
  for (const row of rows) sum += fnv1a64(rowText(row));
  return BigInt.asUintN(64, sum);
}

export function rowKeyText(key: RowKey): string {
  return `${TABLE_NUMBER[key.table]}/${key.destination}/${key.blockBits}`;
}

export function compareRows(a: RowKey, b: RowKey): number {
  return TABLE_NUMBER[a.table] - TABLE_NUMBER[b.table] || a.destination - b.destination || a.blockBits - b.blockBits;
}

/** True when both rows forward alike: same key, plane, next hops, weights and backups. */
export function rowsEqual(a: RouteRow, b: RouteRow): boolean {
  return rowText(a) === rowText(b);
}

/** Why a row is not one a node may install, or undefined when it is. Every row from a socket or a file goes through here. */
export function rowFault(row: RouteRow): string | undefined {
  const { destination, blockBits, nextHops, backups } = row;
  if (!Number.isInteger(blockBits) || blockBits < 0 || blockBits > 20) return `blockBits ${blockBits} is not 0 to 20`;
  if (
    !Number.isInteger(destination) ||
    destination < 0 ||
    destination > MAX_NODE_INDEX ||
    destination % 2 ** blockBits !== 0
  ) {
    return `destination ${destination} is not the first of a block of 2^${blockBits}`;
  }
  if (nextHops.length === 0 || nextHops.length > MAX_NEXT_HOPS)
    return `${nextHops.length} next hops, not 1 to ${MAX_NEXT_HOPS}`;
  let previous = 0;
  for (const { neighbour, weight } of nextHops) {
    if (!Number.isInteger(neighbour) || neighbour <= previous || neighbour > MAX_NODE_INDEX) {
      return `next hop ${neighbour} is out of range, out of order or twice there`;
    }
    if (!Number.isInteger(weight) || weight < 1 || weight > 256) return `weight ${weight} is not 1 to 256`;
    previous = neighbour;
  }
  if (backups.length > MAX_BACKUPS) return `${backups.length} backups, at most ${MAX_BACKUPS}`;
  if (backups.some((b) => !Number.isInteger(b) || b < 1 || b > MAX_NODE_INDEX)) return 'a backup is out of range';
  const encapsulated = row.table !== 'source' || nextHops.some((n) => n.neighbour !== destination || blockBits > 0);
  if (row.table === 'source' && encapsulated && row.plane === null) return 'a source row with a detour names no plane';
  if (row.table !== 'source' && row.plane !== null) return 'a transit row names a plane of its own';
  return undefined;
}

/**
 * FNV-1a, 64 bit, over ASCII text (draft-eastlake-fnv). Detects disagreement, not malice: the stream it protects is
 * authenticated.
 */
export function fnv1a64(text: string): bigint {
  let low = 0x84222325;
  let high = 0xcbf29ce4;
  for (let i = 0; i < text.length; i++) {
    low = (low ^ text.charCodeAt(i)) >>> 0;
    // times the prime 2^40 + 0x1b3, in 32-bit halves
    const lowProduct = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + Math.floor(lowProduct / 2 ** 32) + (low << 8)) >>> 0;
    low = lowProduct >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

function rowText(row: RouteRow): string {
  const hops = row.nextHops.map((n) => `${n.neighbour}*${n.weight}`).join(',');
  return `${rowKeyText(row)}|${row.plane ?? '-'}|${hops}|${row.backups.join(',')}`;
}
