/**
 * The store on NATS JetStream. Each core keeps all tables in an SQLite file of its own, so reading costs what it costs
 * without NATS. A commit is made there first, is sent to the log as an SQLite patchset on the condition that nobody else has
 * committed since, and counts once the log has taken it; otherwise it is undone, the others' commits are applied, and it
 * is done again on what is there then. So all cores make the same commits in the same order, and what the schema holds (one
 * holder of a name, an index, a key; no token used too often) holds across cores.
 *
 *   core 1: tables --patchset--> log 41 42 43 (if 43 is last: 44) --> core 2: tables
 *                                 \__ in the newest snapshot, from which a new core starts
 *
 * The engine's state has a stream of its own, is large, and is no part of a `transaction`.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { constants } from '@photostructure/sqlite';
import { ThalwegError } from '../../../protocol/error.ts';
import type { NodeId } from '../../../protocol/identifier.ts';
import { MIGRATIONS } from '../migrations.ts';
import { hasMoved, movedError } from '../moved.ts';
import type { OpenedTables } from '../sqlite-file.ts';
import { type Database, lockStateDir, migrate, schemaVersion } from '../sqlite-file.ts';
import { SqliteStore, type SqliteStoreDeps } from '../sqlite-store.ts';
import type { NodeRecord, TokenRecord } from '../store.ts';
import { nodeFromRow, type Row } from '../store-rows.ts';
import type { LeaseState } from './lease.ts';
import type { LinkRequest, SavedEngine } from './link-message.ts';
import { decodeLogEntry, encodeLogEntry } from './log-entry.ts';
import { NatsBridge } from './nats-bridge.ts';
import { NatsRelay } from './nats-relay.ts';
import { checkNatsSettings, type NatsSettings } from './nats-settings.ts';
import { changedNodes, databaseBytes, openReplica, watchNodes } from './replica.ts';

export interface NatsStoreDeps extends SqliteStoreDeps {
  /** Who holds the lease has changed; only after `campaign`. */
  readonly onLease?: (state: LeaseState) => void;
  /** Others have changed these nodes, or something else when it is empty: `nodeById` says what they are now. */
  readonly onForeign: (nodeIds: readonly string[]) => void;
  /** The store is of no use any more, and the core with it: it must stop, and may start again. */
  readonly onLost: (error: ThalwegError) => void;
}

export interface NatsStoreOptions {
  readonly stateDir: string;
  readonly settings: NatsSettings;
  /** The program of the thread that speaks to NATS, where it is not the one of the build. */
  readonly worker?: URL;
  /** Commits of this core between two snapshots; default 2000. */
  readonly snapshotCommits?: number;
}

/** Each core writes a snapshot after so many commits of its own: applying that many takes a starting core about a second. */
const SNAPSHOT_COMMITS = 2000;
/** A commit that loses this often against others' is not going to win. */
const MOST_ATTEMPTS = 50;
/** A message holds a megabyte; a row of this is about 60 bytes before it is deflated. */
const SEEN_AT_ONCE = 5000;

export class NatsStore extends SqliteStore {
  readonly #deps: NatsStoreDeps;
  readonly #database: Database;
  readonly #bridge: NatsBridge;
  readonly #snapshotPath: string;
  readonly #snapshotCommits: number;
  /** The last entry of the log that the tables hold. */
  #applied: number;
  #session: ReturnType<Database['createSession']> | undefined;
  #lost: ThalwegError | undefined;
  #isClosed = false;
  #hasForeign = false;
  #changedNothing = false;
  #commits = 0;
  #engine: SavedEngine | undefined;
  /** What other cores are told about sessions, and say. */
  readonly relay: NatsRelay;

  /**
   * Connects and brings the tables up to date; waits for that. Throws invalid_config for settings that cannot be,
   * unreachable, conflict when another core uses `stateDir`.
   */
  static open(deps: NatsStoreDeps, options: NatsStoreOptions): NatsStore {
    checkNatsSettings(options.settings);
    const lock = lockStateDir(options.stateDir);
    let bridge: NatsBridge | undefined;
    try {
      const coreId = randomBytes(9).toString('base64url');
      bridge = new NatsBridge(options.settings, coreId, options.worker);
      const answer = bridge.ask({ kind: 'open' });
      const saved = answer.kind === 'opened' ? answer.tables : undefined;
      const path = join(options.stateDir, 'replica.db');
      const tables = {
        path: `NATS at ${options.settings.servers.join(', ')}`,
        lock,
        database: openReplica(path, saved?.bytes),
      };
      const snapshots = { path: `${path}.snapshot`, commits: options.snapshotCommits ?? SNAPSHOT_COMMITS };
      return new NatsStore(deps, tables, bridge, { seq: saved?.seq ?? 0, snapshots, coreId });
    } catch (cause) {
      bridge?.close();
      if (lock.isOpen) lock.close();
      throw cause;
    }
  }

  private constructor(
    deps: NatsStoreDeps,
    tables: OpenedTables,
    bridge: NatsBridge,
    from: { seq: number; snapshots: { path: string; commits: number }; coreId: string },
  ) {
    super(deps, tables);
    this.#deps = deps;
    this.#database = tables.database;
    this.#bridge = bridge;
    this.#applied = from.seq;
    this.relay = new NatsRelay(bridge, from.coreId);
    this.#snapshotPath = from.snapshots.path;
    this.#snapshotCommits = from.snapshots.commits;
    bridge.listen({
      entry: (seq, bytes) => this.#entry(seq, bytes),
      lease: (state) => deps.onLease?.(state),
      relay: (news) => this.relay.hear(news),
      lost: (why) => this.#lose(lostError(why)),
    });
    bridge.hearWaiting();
    this.#hasForeign = false;
    if (this.#lost !== undefined) throw this.#lost;
    this.#bringSchemaForward();
    watchNodes(this.#database);
  }

  nodeById(id: string): NodeRecord | undefined {
    const row = this.#database.prepare('SELECT * FROM nodes WHERE id = ?').get(id) as Row | undefined;
    return row === undefined ? undefined : nodeFromRow(row);
  }

  /** Takes part in who steers: `onLease` tells. */
  campaign(): void {
    this.beat();
    this.#bridge.ask({ kind: 'campaign' });
  }

  /** To be called every second or so: a core that does not loses the lease. */
  beat(): void {
    this.#bridge.beat();
  }

  /** Whether this core may act as the one that steers, at this moment. */
  get mayAct(): boolean {
    return this.#lost === undefined && this.#bridge.mayAct;
  }

  /** Applies what other cores have committed up to now. Throws storage_failed when NATS does not answer. */
  catchUp(): void {
    this.#usable();
    this.#bridge.ask({ kind: 'catchUp' });
    this.#hear();
  }

  /** As `catchUp`; whoever follows changes has heard of them before this returns. */
  refresh(): void {
    this.catchUp();
    this.#tellForeign();
  }

  /** Once. What `work` decides on is up to date; when another core is faster all the same, `hasMoved` tells. */
  override transaction(work: () => void): void {
    if (this.#session === undefined) this.refresh();
    super.transaction(work);
  }

  override engineState(): Uint8Array | undefined {
    return this.#loadEngine().state;
  }

  override engineRecords(): Uint8Array[] {
    return [...this.#loadEngine().records];
  }

  override saveEngineState(state: Uint8Array): void {
    this.#loadEngine();
    this.#askEngine({ kind: 'saveEngine', state });
    this.#engine = { state, records: [] };
  }

  override appendEngineRecord(record: Uint8Array): void {
    const { records } = this.#loadEngine();
    this.#askEngine({ kind: 'recordEngine', record });
    records.push(record);
  }

  /** One that was made on another core a moment ago is found. */
  override token(id: string): TokenRecord | undefined {
    const known = super.token(id);
    if (known !== undefined || this.#session !== undefined) return known;
    this.catchUp();
    return super.token(id);
  }

  override setLastSeen(times: ReadonlyMap<NodeId, number>): void {
    const all = [...times];
    for (let from = 0; from < all.length; from += SEEN_AT_ONCE) {
      super.setLastSeen(new Map(all.slice(from, from + SEEN_AT_ONCE)));
    }
  }

  override close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#bridge.close();
    super.close();
  }

  protected override begin(): void {
    this.#usable();
    this.#session?.close();
    this.#session = this.#database.createSession();
  }

  protected override seal(): void {
    const payload = this.#session?.patchset() ?? new Uint8Array();
    this.#changedNothing = payload.length === 0;
    if (!this.#changedNothing) this.#append(encodeLogEntry({ kind: 'changes', schema: MIGRATIONS.length, payload }));
  }

  protected override ended(): void {
    this.#session?.close();
    this.#session = undefined;
    // its own changes are no news
    if (!this.#hasForeign) changedNodes(this.#database);
    this.#bridge.hearWaiting();
    if (this.#commits < this.#snapshotCommits || this.#lost !== undefined) return;
    this.#commits = 0;
    this.#saveSnapshot();
  }

  protected override attempts<T>(change: () => T): T {
    for (let attempt = 1; ; attempt++) {
      const decidedAt = this.#applied;
      try {
        this.#changedNothing = false;
        const result = change();
        // what changes something is held against the log; what does not must have looked at the newest
        if (!this.#changedNothing || !this.#isStale(decidedAt)) return result;
      } catch (cause) {
        if (!hasMoved(cause) && !this.#isStale(decidedAt)) throw cause;
        if (attempt >= MOST_ATTEMPTS) throw cause;
      }
    }
  }

  /** Whether there was more in the log than `seq`; then it is in the tables now. */
  #isStale(seq: number): boolean {
    if (this.#lost !== undefined) return false;
    this.catchUp();
    return this.#applied > seq;
  }

  #append(bytes: Uint8Array): void {
    const answer = this.#bridge.ask({ kind: 'append', bytes, after: this.#applied });
    if (answer.kind === 'appended') {
      this.#applied = answer.seq;
      this.#commits++;
      return;
    }
    throw movedError();
  }

  #bringSchemaForward(): void {
    this.attempts(() => {
      if (schemaVersion(this.#database) >= MIGRATIONS.length) return;
      try {
        this.#append(encodeLogEntry({ kind: 'schema', schema: MIGRATIONS.length, payload: new Uint8Array() }));
        migrate(this.#database, MIGRATIONS.length);
      } finally {
        this.#hear();
      }
    });
  }

  /** Takes in what came while an answer was waited for. */
  #hear(): void {
    this.#bridge.hearWaiting();
    this.#usable();
  }

  #entry(seq: number, bytes: Uint8Array): void {
    if (seq <= this.#applied || this.#lost !== undefined || this.#isClosed) return;
    try {
      this.#apply(seq, bytes);
    } catch (cause) {
      this.#lose(cause instanceof ThalwegError ? cause : lostError(String(cause)));
      return;
    }
    this.#applied = seq;
    if (this.#hasForeign) return;
    this.#hasForeign = true;
    // once for all that came together
    queueMicrotask(() => this.#tellForeign());
  }

  #tellForeign(): void {
    if (!this.#hasForeign || this.#isClosed) return;
    this.#hasForeign = false;
    const nodeIds = changedNodes(this.#database);
    this.#deps.onForeign(nodeIds);
  }

  #apply(seq: number, bytes: Uint8Array): void {
    const { kind, schema, payload } = decodeLogEntry(bytes);
    if (schema > MIGRATIONS.length) {
      throw new ThalwegError(
        'invalid_config',
        `a core of this mesh has schema version ${schema}; this one knows up to ${MIGRATIONS.length}`,
        {
          nextStep: 'upgrade this core: the others go on',
        },
      );
    }
    if (kind === 'schema') {
      migrate(this.#database, schema);
      watchNodes(this.#database);
      return;
    }
    if (schema !== schemaVersion(this.#database)) {
      throw lostError(`entry ${seq} is of schema version ${schema}, the tables of ${schemaVersion(this.#database)}`);
    }
    const isTaken = this.#database.applyChangeset(payload, { onConflict: () => constants.SQLITE_CHANGESET_ABORT });
    if (!isTaken) throw lostError(`entry ${seq} of the log does not fit the tables`);
  }

  #saveSnapshot(): void {
    const bytes = databaseBytes(this.#database, this.#snapshotPath);
    // nobody waits for it: without it the log is only longer
    this.#bridge.tell({ kind: 'saveTables', tables: { bytes, seq: this.#applied } });
  }

  /** Loading claims it: what a core that had it before still writes is refused. */
  #loadEngine(): { readonly state: Uint8Array | undefined; readonly records: Uint8Array[] } {
    this.#usable();
    if (this.#engine !== undefined) return this.#engine;
    const answer = this.#bridge.ask({ kind: 'loadEngine' });
    this.#engine = answer.kind === 'engine' ? answer.engine : { state: undefined, records: [] };
    return this.#engine;
  }

  /** A core that another one has replaced writes nothing any more, and is told so. */
  #askEngine(request: LinkRequest): void {
    this.#usable();
    try {
      this.#bridge.ask(request);
    } catch (cause) {
      if (cause instanceof ThalwegError && cause.code === 'conflict') this.#lose(cause);
      throw cause;
    }
  }

  #usable(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  #lose(error: ThalwegError): void {
    if (this.#lost !== undefined || this.#isClosed) return;
    this.#lost = error;
    queueMicrotask(() => this.#deps.onLost(error));
  }
}

function lostError(why: string): ThalwegError {
  return new ThalwegError('storage_failed', `the store in NATS cannot be followed: ${why}`, {
    nextStep: 'start this core again: it reads everything anew',
  });
}
