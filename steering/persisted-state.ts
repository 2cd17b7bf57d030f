/**
 * What a core keeps across a restart so that it need not touch tables that are right: the tables that nodes hold, the
 * plane and next hops of each destination, the paths' ages and the last link observations. JSON, compact: a row is
 * [table, destination, plane, next hop], and [table, destination, plane, 0, [[next hop, weight], ...]] for a group.
 */
import { z } from 'zod';
import type { Parsed } from '../protocol/error.ts';
import { type RouteDelta, type RouteRow, type RowKey, type RowPlane, rowFault } from '../protocol/route-table.ts';

const index = z.number().int().min(1);
const group = z.array(z.tuple([index, z.number().int().min(1).max(256)])).min(1);
const [table, plane] = [z.number().int().min(1).max(3), z.number().int().min(0).max(3)];
const row = z.union([z.tuple([table, index, plane, index]), z.tuple([table, index, plane, z.literal(0), group])]);
const key = z.tuple([z.number().int().min(1).max(3), index]);
const count = z.number().nullable();
const bigint = z.string().regex(/^\d{1,20}$/);

const persisted = z.strictObject({
  version: z.literal(1),
  generation: bigint,
  nodes: z.array(
    z.strictObject({
      index,
      known: z.boolean(),
      generation: bigint,
      rows: z.array(row),
      inFlight: z
        .strictObject({
          generation: bigint,
          base: bigint,
          full: z.boolean(),
          set: z.array(row),
          remove: z.array(key),
          checksum: bigint,
        })
        .nullable(),
    }),
  ),
  destinations: z.array(
    z.strictObject({
      index,
      plane: z.enum(['a', 'b']),
      nextHops: z.array(z.tuple([index, index])),
      /** From whom, and the group that stands in for the one next hop. */
      spread: z.array(z.tuple([index, group])).default([]),
    }),
  ),
  paths: z.array(
    z.strictObject({ path: z.array(index), from: index, to: index, sinceUnixMs: z.number(), reason: z.string() }),
  ),
  /** from, peer, health (1 up, 2 down), rtt, least rtt, jitter, loss out, loss in, handshake age. */
  links: z.array(z.tuple([index, index, z.number().int().min(1).max(2), count, count, count, count, count, count])),
});

export type PersistedState = z.infer<typeof persisted>;
export type PersistedRow = z.infer<typeof row>;

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
  if (row.nextHops.length === 1) return [table, row.destination, plane, only?.neighbour ?? 0];
  return [table, row.destination, plane, 0, row.nextHops.map(({ neighbour, weight }) => [neighbour, weight])];
}

export function unpackRow([table, destination, plane, only, members]: PersistedRow): RouteRow {
  const hops = members ?? [[only, 1] as const];
  return {
    table: TABLES[table] ?? 'source',
    destination,
    blockBits: 0,
    plane: PLANES[plane] ?? null,
    nextHops: hops.map(([neighbour, weight]) => ({ neighbour, weight })),
    backups: [],
  };
}

type PersistedDelta = NonNullable<PersistedState['nodes'][number]['inFlight']>;

export function packDelta(delta: RouteDelta | null): PersistedDelta | null {
  if (delta === null) return null;
  return {
    generation: delta.generation.toString(),
    base: delta.baseGeneration.toString(),
    full: delta.full,
    set: delta.set.map(packRow),
    remove: delta.remove.map((k) => [TABLES.lastIndexOf(k.table), k.destination]),
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
      ([table, destination]): RowKey => ({ table: TABLES[table] ?? 'source', destination, blockBits: 0 }),
    ),
    checksum: BigInt(packed.checksum),
  };
}
