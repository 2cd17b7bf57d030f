/**
 * What a core keeps across a restart so that it need not touch tables that are right: the tables that nodes hold, the
 * plane and next hops of each destination, the paths' ages and the last link observations. JSON, compact: a row is
 * [table, destination, plane, next hop].
 */
import { z } from 'zod';
import type { Parsed } from '../protocol/error.ts';
import { type PlaneName, type RouteDelta, type RouteRow, type RowKey, rowFault } from '../protocol/route-table.ts';

const index = z.number().int().min(1);
const row = z.tuple([z.number().int().min(1).max(3), index, z.number().int().min(0).max(2), index]);
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
    z.strictObject({ index, plane: z.enum(['a', 'b']), nextHops: z.array(z.tuple([index, index])) }),
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
const PLANES: readonly (PlaneName | null)[] = [null, 'a', 'b'];

export function packRow(row: RouteRow): PersistedRow {
  return [TABLES.lastIndexOf(row.table), row.destination, PLANES.indexOf(row.plane), row.nextHops[0]?.neighbour ?? 0];
}

export function unpackRow([table, destination, plane, neighbour]: PersistedRow): RouteRow {
  return {
    table: TABLES[table] ?? 'source',
    destination,
    blockBits: 0,
    plane: PLANES[plane] ?? null,
    nextHops: [{ neighbour, weight: 1 }],
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
