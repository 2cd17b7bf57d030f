/**
 * What a core keeps across a restart so that it need not touch tables that are right: the tables that nodes hold, the
 * plane and next hops of each destination, the paths' ages and the last link observations. JSON, compact: a row is
 * [table, destination, plane, next hop], and [table, destination, plane, 0, [[next hop, weight], ...]] for a group; with
 * [..., block bits, backups] behind where there are any.
 */
import { z } from 'zod';
import type { Parsed } from '../protocol/error.ts';
import {
  MAX_BACKUPS,
  type RouteDelta,
  type RouteRow,
  type RowKey,
  type RowPlane,
  rowFault,
} from '../protocol/route-table.ts';

const index = z.number().int().min(1);
const hop = z.tuple([index, z.number().int().min(1).max(256)]);
const group = z.array(hop).min(1);
const blockBits = z.number().int().min(0).max(20);
const [table, plane] = [z.number().int().min(1).max(3), z.number().int().min(0).max(3)];
export const persistedRow = z.union([
  z.tuple([table, index, plane, index]),
  z.tuple([table, index, plane, z.literal(0), group]),
  z.tuple([table, z.number().int().min(0), plane, z.literal(0), group, blockBits, z.array(index).max(MAX_BACKUPS)]),
]);
const key = z.union([z.tuple([table, index]), z.tuple([table, z.number().int().min(0), blockBits])]);
const count = z.number().nullable();
const bigint = z.string().regex(/^\d{1,20}$/);

export const persistedDelta = z.strictObject({
  generation: bigint,
  base: bigint,
  full: z.boolean(),
  set: z.array(persistedRow),
  remove: z.array(key),
  checksum: bigint,
});

/** Which plane and next hops the sources of a destination use. */
export const persistedDestination = z.strictObject({
  index,
  plane: z.enum(['a', 'b']),
  nextHops: z.array(z.tuple([index, index])),
  /** From whom, and the group that stands in for the one next hop. */
  spread: z.array(z.tuple([index, group])).default([]),
});

const persisted = z.strictObject({
  version: z.literal(1),
  generation: bigint,
  nodes: z.array(
    z.strictObject({
      index,
      known: z.boolean(),
      generation: bigint,
      rows: z.array(persistedRow),
      inFlight: persistedDelta.nullable(),
    }),
  ),
  destinations: z.array(persistedDestination),
  paths: z.array(
    z.strictObject({ path: z.array(index), from: index, to: index, sinceUnixMs: z.number(), reason: z.string() }),
  ),
  /** from, peer, health (1 up, 2 down), rtt, least rtt, jitter, loss out, loss in, handshake age. */
  links: z.array(z.tuple([index, index, z.number().int().min(1).max(2), count, count, count, count, count, count])),
});

export type PersistedState = z.infer<typeof persisted>;
export type PersistedRow = z.infer<typeof persistedRow>;

/** Reads what `exportState` wrote. Anything else is refused as a whole. */
export function parsePersistedState(bytes: Uint8Array): Parsed<PersistedState> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return { ok: false, reason: 'the steering state is not JSON' };
  }
  const parsed = persisted.safeParse(json);
  if (!parsed.success) return { ok: false, reason: z.prettifyError(parsed.error) };
  for (const node of parsed.data.nodes) {
    for (const packed of [...node.rows, ...(node.inFlight?.set ?? [])]) {
      const fault = rowFault(unpackRow(packed));
      if (fault !== undefined) return { ok: false, reason: `node ${node.index}: ${fault}` };
    }
  }
  return { ok: true, value: parsed.data };
}

const TABLES = ['source', 'source', 'transitA', 'transitB'] as const;
const PLANES: readonly (RowPlane | null)[] = [null, 'a', 'b', 'uplink'];

export function packRow(row: RouteRow): PersistedRow {
  const [table, plane] = [TABLES.lastIndexOf(row.table), PLANES.indexOf(row.plane)];
  const [only] = row.nextHops;
  const isPlain = row.blockBits === 0 && row.backups.length === 0;
  if (isPlain && row.nextHops.length === 1) return [table, row.destination, plane, only?.neighbour ?? 0];
  const members = row.nextHops.map(({ neighbour, weight }): [number, number] => [neighbour, weight]);
  if (isPlain) return [table, row.destination, plane, 0, members];
  return [table, row.destination, plane, 0, members, row.blockBits, [...row.backups]];
}

export function unpackRow([table, destination, plane, only, members, bits, backups]: PersistedRow): RouteRow {
  const hops = members ?? [[only, 1] as const];
  return {
    table: TABLES[table] ?? 'source',
    destination,
    blockBits: bits ?? 0,
    plane: PLANES[plane] ?? null,
    nextHops: hops.map(([neighbour, weight]) => ({ neighbour, weight })),
    backups: backups ?? [],
  };
}

/** Table, destination and block bits of a packed row. */
export function packRowKey([table, destination, , , , bits = 0]: PersistedRow): [number, number, number] {
  return [table, destination, bits];
}

type PersistedDelta = z.infer<typeof persistedDelta>;

export function packDelta(delta: RouteDelta): PersistedDelta {
  return {
    generation: delta.generation.toString(),
    base: delta.baseGeneration.toString(),
    full: delta.full,
    set: delta.set.map(packRow),
    remove: delta.remove.map(({ table, destination, blockBits }) => {
      const packed = TABLES.lastIndexOf(table);
      return blockBits === 0 ? [packed, destination] : [packed, destination, blockBits];
    }),
    checksum: delta.checksum.toString(),
  };
}

export function unpackDelta(packed: PersistedDelta | null): RouteDelta | null {
  if (packed === null) return null;
  return {
    generation: BigInt(packed.generation),
    baseGeneration: BigInt(packed.base),
    full: packed.full,
    set: packed.set.map(unpackRow),
    remove: packed.remove.map(
      ([table, destination, blockBits = 0]): RowKey => ({ table: TABLES[table] ?? 'source', destination, blockBits }),
    ),
    checksum: BigInt(packed.checksum),
  };
}
