/**
 * What the agent forwards by, remembered: the table, the peers and the core's last known time. Read at start, before
 * the core is reached, so that a device that reboots while the core is away forwards as before.
 *
 * table.json: { version: 1, savedAtUnixMs, coreClockUnixMs, generation, checksum, rows: [[table, destination, blockBits,
 * plane, [[neighbour, weight], …], [backup, …]], …], peers: [[index, name, publicKey, [endpoint, …], stampPort, leaf, transit], …] }
 *
 * A file from a disk is as untrusted as a frame from a socket: everything in it is parsed and checked.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { formatEndpoint, type HostPort, parseEndpoint } from '../protocol/endpoint.ts';
import type { Parsed } from '../protocol/error.ts';
import { MAX_PEERS_PER_UPDATE, MAX_ROWS_PER_DELTA } from '../protocol/frame-codec.ts';
import { parseNodeIndex, parsePublicKey } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import { type RouteRow, RouteTable, type RowPlane, rowFault, type TableKind } from '../protocol/route-table.ts';
import { readCheckedFile } from './checked-file.ts';
import { LatestWrite, type LatestWriteDeps } from './latest-write.ts';
import type { MeshPeer } from './mesh-peer.ts';

export interface RememberedState {
  readonly table: RouteTable;
  readonly peers: readonly MeshPeer[];
  /** The device's own wall clock when it was written. */
  readonly savedAtUnixMs: number;
  /** The core's wall clock as last heard; 0: never. */
  readonly coreClockUnixMs: number;
}

export type StoredState = Omit<RememberedState, 'table'> & {
  readonly table: Pick<RouteTable, 'generation' | 'checksum' | 'rows'>;
};

/** 100,000 rows take about 6 MB. */
const MAX_TABLE_BYTES = 64 * 1024 * 1024;

export class TableStore {
  readonly #log: Logger;
  readonly #path: string;
  readonly #file: LatestWrite<StoredState>;

  constructor(deps: LatestWriteDeps, options: { readonly stateDir: string }) {
    this.#log = deps.log;
    this.#path = join(options.stateDir, 'table.json');
    this.#file = new LatestWrite(deps, { path: this.#path, what: 'the table', format: formatStoredState });
  }

  /** Undefined when there is none, or none that is whole: a damaged file is set aside as table.json.damaged. Never throws. */
  async load(): Promise<RememberedState | undefined> {
    try {
      return await readCheckedFile(this.#path, { maxBytes: MAX_TABLE_BYTES, parse: parseStoredState });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#log.warn('the remembered table cannot be used and is set aside', { path: this.#path, reason });
    }
    await rename(this.#path, `${this.#path}.damaged`).catch(() => {});
    return undefined;
  }

  /** Remembers `state` soon. Never throws. */
  save(state: StoredState): void {
    this.#file.save(state);
  }

  /** Resolves when what was last saved is on disk, or could not be. */
  flush(): Promise<void> {
    return this.#file.flush();
  }
}

export function formatStoredState({ table, peers, savedAtUnixMs, coreClockUnixMs }: StoredState): string {
  const rows = table
    .rows()
    .map((r) => [
      r.table,
      r.destination,
      r.blockBits,
      r.plane,
      r.nextHops.map((n) => [n.neighbour, n.weight]),
      r.backups,
    ]);
  return JSON.stringify({
    version: 1,
    savedAtUnixMs,
    coreClockUnixMs,
    generation: String(table.generation),
    checksum: String(table.checksum),
    rows,
    peers: peers.map((p) => [
      p.index,
      p.name,
      p.publicKey,
      p.endpoints.map(formatEndpoint),
      p.stampPort,
      p.leaf,
      p.transit,
    ]),
  });
}

/** Parses table.json and checks every row and peer, and the checksum over the rows. Never throws. */
export function parseStoredState(text: string): Parsed<RememberedState> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null) return { ok: false, reason: 'it is not an object' };
  const { version, savedAtUnixMs, coreClockUnixMs, generation, checksum, rows, peers } = value as Record<
    string,
    unknown
  >;
  if (version !== 1) return { ok: false, reason: `its version is ${JSON.stringify(version)?.slice(0, 20)}, not 1` };
  if (!isCount(savedAtUnixMs) || !isCount(coreClockUnixMs)) return { ok: false, reason: 'its times are not numbers' };
  const wantedGeneration = parseUint64(generation);
  const wantedChecksum = parseUint64(checksum);
  if (wantedGeneration === undefined || wantedChecksum === undefined) {
    return { ok: false, reason: 'its generation or checksum is not a number' };
  }
  if (!Array.isArray(rows) || rows.length > MAX_ROWS_PER_DELTA) return { ok: false, reason: 'its rows are not a list' };
  if (!Array.isArray(peers) || peers.length > MAX_PEERS_PER_UPDATE)
    return { ok: false, reason: 'its peers are not a list' };
  const set: RouteRow[] = [];
  for (const row of rows) {
    const parsed = parseRow(row);
    if (!parsed.ok) return { ok: false, reason: `a row: ${parsed.reason}` };
    set.push(parsed.value);
  }
  const table = new RouteTable();
  const applied = table.apply({
    generation: wantedGeneration,
    baseGeneration: 0n,
    full: true,
    set,
    remove: [],
    checksum: wantedChecksum,
  });
  if (!applied.ok) return applied;
  const parsedPeers: MeshPeer[] = [];
  for (const peer of peers) {
    const parsed = parsePeer(peer);
    if (!parsed.ok) return { ok: false, reason: `a peer: ${parsed.reason}` };
    parsedPeers.push(parsed.value);
  }
  return { ok: true, value: { table, peers: parsedPeers, savedAtUnixMs, coreClockUnixMs } };
}

const TABLES: ReadonlySet<unknown> = new Set<TableKind>(['source', 'transitA', 'transitB']);

const PLANES: ReadonlySet<unknown> = new Set<RowPlane>(['a', 'b', 'uplink']);

function parseRow(value: unknown): Parsed<RouteRow> {
  if (!Array.isArray(value) || value.length !== 6) return { ok: false, reason: 'not six fields' };
  const [table, destination, blockBits, plane, nextHops, backups] = value as unknown[];
  if (!TABLES.has(table)) return { ok: false, reason: 'unknown table' };
  if (plane !== null && !PLANES.has(plane)) return { ok: false, reason: 'unknown plane' };
  if (typeof destination !== 'number' || typeof blockBits !== 'number') return { ok: false, reason: 'no destination' };
  if (!Array.isArray(nextHops) || !nextHops.every(isNumberPair))
    return { ok: false, reason: 'next hops are not pairs' };
  if (!Array.isArray(backups) || !backups.every((b): b is number => typeof b === 'number')) {
    return { ok: false, reason: 'backups are not numbers' };
  }
  const row: RouteRow = {
    table: table as TableKind,
    destination,
    blockBits,
    plane: plane as RowPlane | null,
    nextHops: nextHops.map(([neighbour, weight]) => ({ neighbour, weight })),
    backups,
  };
  const fault = rowFault(row);
  return fault === undefined ? { ok: true, value: row } : { ok: false, reason: fault };
}

function parsePeer(value: unknown): Parsed<MeshPeer> {
  // a file of an agent that knew no leaves has five, of one that did not ask who forwards six
  if (!Array.isArray(value) || value.length < 5 || value.length > 7) return { ok: false, reason: 'not seven fields' };
  const [index, name, publicKey, endpoints, stampPort, leaf = false, transit = true] = value as unknown[];
  const parsedIndex = parseNodeIndex(typeof index === 'number' ? index : -1);
  if (!parsedIndex.ok) return parsedIndex;
  const parsedKey = parsePublicKey(typeof publicKey === 'string' ? publicKey : '');
  if (!parsedKey.ok) return parsedKey;
  if (typeof name !== 'string' || name.length > 63) return { ok: false, reason: 'its name is no name' };
  if (!Array.isArray(endpoints) || endpoints.length > 64) return { ok: false, reason: 'its endpoints are not a list' };
  if (typeof stampPort !== 'number' || !Number.isInteger(stampPort) || stampPort < 1 || stampPort > 65_535) {
    return { ok: false, reason: 'its STAMP port is no port' };
  }
  if (typeof leaf !== 'boolean') return { ok: false, reason: 'whether it is a leaf is not said' };
  if (typeof transit !== 'boolean') return { ok: false, reason: 'whether it forwards is not said' };
  const parsedEndpoints: HostPort[] = [];
  for (const endpoint of endpoints) {
    const parsed = parseEndpoint(typeof endpoint === 'string' ? endpoint : '');
    if (!parsed.ok) return parsed;
    parsedEndpoints.push(parsed.value);
  }
  return {
    ok: true,
    value: {
      index: parsedIndex.value,
      name,
      publicKey: parsedKey.value,
      endpoints: parsedEndpoints,
      stampPort,
      leaf,
      transit,
    },
  };
}

function isNumberPair(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((v) => typeof v === 'number');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function parseUint64(value: unknown): bigint | undefined {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) return undefined;
  const parsed = BigInt(value);
  return parsed < 2n ** 64n ? parsed : undefined;
}
