/**
 * The store on SQLite: one file `core.db` in write-ahead mode, `synchronous=FULL`, so a commit that returned is on the
 * disk, but for what the steering engine could do without. A second file `lock` is held under an exclusive SQLite lock for as long as the store is open: two cores never
 * share a state directory, and a lock left by a killed core is gone with its process.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { NodeId, PublicKey } from '../../protocol/identifier.ts';
import { attempt, type Database, type OpenedTables, openTables } from './sqlite-file.ts';
import { storageError } from './storage-error.ts';
import {
  type Actor,
  type AuditEntry,
  type KeyRecord,
  type Labels,
  NO_SUBJECT,
  type NodeHost,
  type NodeRecord,
  type RemovedNode,
  type Store,
  type TokenRecord,
} from './store.ts';
import { auditFromRow, keyFromRow, nodeFromRow, nodeParameters, type Row, tokenFromRow } from './store-rows.ts';
import { tokenRefusal } from './token-state.ts';

type Statement = ReturnType<Database['prepare']>;

export interface SqliteStoreDeps {
  readonly monoMs: () => number;
  readonly onCommit?: (durationMs: number) => void;
}

export class SqliteStore implements Store {
  readonly #path: string;
  readonly #onCommit: (durationMs: number) => void;
  readonly #monoMs: () => number;
  readonly #statements = new Map<string, Statement>();
  readonly #lock: Database;
  #isCommitting = false;
  readonly #database: Database;

  /**
   * Opens or makes the store in `stateDir` (made with mode 0700) and brings its schema up to date. `onCommit` hears how
   * long each durable commit took. Throws conflict when another core uses the directory, invalid_config when the
   * database is of a newer version.
   */
  constructor(deps: SqliteStoreDeps, options: { stateDir: string } | OpenedTables) {
    this.#monoMs = deps.monoMs;
    this.#onCommit = deps.onCommit ?? (() => {});
    const { path, database, lock } = 'database' in options ? options : openTables(options.stateDir);
    this.#path = path;
    this.#database = database;
    this.#lock = lock;
  }

  transaction(work: () => void): void {
    if (this.#isCommitting) this.#part('save changes', work);
    else this.#whole('save changes', work);
  }

  setting(key: string): string | undefined {
    const row = this.#get('SELECT value FROM settings WHERE key = ?', key);
    return row === undefined ? undefined : String(row['value']);
  }

  setSetting(key: string, value: string): void {
    this.#commit('save a setting', () =>
      this.#run(
        'INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
        key,
        value,
      ),
    );
  }

  deleteSetting(key: string): boolean {
    if (this.setting(key) === undefined) return false;
    this.#commit('delete a setting', () => this.#run('DELETE FROM settings WHERE key = ?', key));
    return true;
  }

  engineState(): Uint8Array | undefined {
    const state = this.#get('SELECT state FROM engine_state')?.['state'];
    return state instanceof Uint8Array ? state : undefined;
  }

  saveEngineState(state: Uint8Array): void {
    this.#commitLazily('save the engine state', () => {
      this.#run('INSERT INTO engine_state VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state', state);
      this.#run('DELETE FROM engine_records');
    });
  }

  engineRecords(): Uint8Array[] {
    const records = this.#all('SELECT record FROM engine_records ORDER BY seq').map((row) => row['record']);
    return records.filter((record) => record instanceof Uint8Array);
  }

  appendEngineRecord(record: Uint8Array): void {
    this.#commitLazily('save a step of the engine', () =>
      this.#run('INSERT INTO engine_records (record) VALUES (?)', record),
    );
  }

  insertToken(token: TokenRecord, by: Actor): void {
    const { id, secretHash, labels, createdAtMs, expiresAtMs, uses, used, revokedAtMs } = token;
    this.#commit('save a token', () => {
      this.#run(
        'INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        ...[id, secretHash, JSON.stringify(labels), createdAtMs, expiresAtMs, uses, used, revokedAtMs],
      );
      this.#note({ ...NO_SUBJECT, atMs: createdAtMs, kind: 'token_created', tokenId: id, by });
    });
  }

  token(id: string): TokenRecord | undefined {
    const row = this.#get('SELECT * FROM tokens WHERE id = ?', id);
    return row === undefined ? undefined : tokenFromRow(row);
  }

  tokens(): TokenRecord[] {
    return this.#all('SELECT * FROM tokens ORDER BY created_at_ms, id').map(tokenFromRow);
  }

  revokeToken(id: string, atMs: number, by: Actor): boolean {
    return this.#commit('revoke a token', () => {
      if (this.#get('SELECT id FROM tokens WHERE id = ?', id) === undefined) return false;
      const changed = this.#run('UPDATE tokens SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL', atMs, id);
      if (changed > 0) this.#note({ ...NO_SUBJECT, atMs, kind: 'token_revoked', tokenId: id, by });
      return true;
    });
  }

  insertKey(key: KeyRecord, by: Actor): void {
    const { id, name, role, secretHash, createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs } = key;
    this.#commit('save an API key', () => {
      this.#run(
        'INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        ...[id, name, role, secretHash, createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs],
      );
      this.#note({ ...NO_SUBJECT, atMs: createdAtMs, kind: 'key_created', name, keyId: id, by });
    });
  }

  key(id: string): KeyRecord | undefined {
    const row = this.#get('SELECT * FROM api_keys WHERE id = ?', id);
    return row === undefined ? undefined : keyFromRow(row);
  }

  keys(): KeyRecord[] {
    return this.#all('SELECT * FROM api_keys ORDER BY created_at_ms, id').map(keyFromRow);
  }

  revokeKey(id: string, atMs: number, by: Actor): boolean {
    return this.#commit('revoke an API key', () => {
      const key = this.key(id);
      if (key === undefined) return false;
      if (key.revokedAtMs !== null) return true;
      this.#run('UPDATE api_keys SET revoked_at_ms = ? WHERE id = ?', atMs, id);
      this.#note({ ...NO_SUBJECT, atMs, kind: 'key_revoked', name: key.name, keyId: id, by });
      return true;
    });
  }

  setKeyUsed(id: string, atMs: number): void {
    this.#commit('save the use of an API key', () =>
      this.#run('UPDATE api_keys SET last_used_at_ms = ? WHERE id = ?', atMs, id),
    );
  }

  nodes(): NodeRecord[] {
    return this.#all('SELECT * FROM nodes ORDER BY node_index').map(nodeFromRow);
  }

  removedSince(sinceMs: number): RemovedNode[] {
    return this.#all('SELECT * FROM removed_nodes WHERE removed_at_ms > ? ORDER BY node_index', sinceMs).map((row) => ({
      id: String(row['id']),
      index: Number(row['node_index']),
      name: String(row['name']),
      removedAtMs: Number(row['removed_at_ms']),
    }));
  }

  wasRemoved(id: string): boolean {
    return this.#get('SELECT id FROM removed_nodes WHERE id = ?', id) !== undefined;
  }

  admitNode(node: NodeRecord): void {
    this.#commit(`save node ${node.name}`, () => {
      const token = this.token(node.tokenId);
      const refusal = tokenRefusal(token, node.joinedAtMs);
      if (refusal !== undefined) throw refusal;
      const holder = this.#get('SELECT name FROM nodes WHERE name = ?', node.name);
      if (holder !== undefined) {
        throw new ThalwegError('name_taken', `the name ${node.name} is held by another node`, {
          fields: { name: node.name },
          nextStep: 'join with another name, or remove the node that holds it with `thalweg node remove`',
        });
      }
      this.#run('UPDATE tokens SET used = used + 1 WHERE id = ?', node.tokenId);
      this.#run('INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', ...nodeParameters(node));
      const { joinedAtMs: atMs, id: nodeId, name, tokenId } = node;
      this.#note({ ...NO_SUBJECT, atMs, kind: 'node_joined', nodeId, name, tokenId, by: 'device' });
    });
  }

  readmitNode(node: NodeRecord): void {
    this.#commit(`save node ${node.name}`, () => {
      this.#run(
        'UPDATE nodes SET serial = ?, previous_serial = ?, certificate_expires_at_ms = ? WHERE id = ?',
        ...[node.serial, node.previousSerial, node.certificateExpiresAtMs, node.id],
      );
      const { lastSeenAtMs: atMs, id: nodeId, name, tokenId } = node;
      this.#note({ ...NO_SUBJECT, atMs, kind: 'node_rejoined', nodeId, name, tokenId, by: 'device' });
    });
  }

  setCertificate(id: NodeId, serial: string, previousSerial: string | null, expiresAtMs: number): void {
    this.#commit('save a renewed certificate', () =>
      this.#run(
        'UPDATE nodes SET serial = ?, previous_serial = ?, certificate_expires_at_ms = ? WHERE id = ?',
        ...[serial, previousSerial, expiresAtMs, id],
      ),
    );
  }

  setLabels(id: NodeId, labels: Labels, atMs: number, change: { readonly detail: string; readonly by: Actor }): void {
    this.#commit('save the labels of a node', () => {
      const row = this.#get('SELECT name FROM nodes WHERE id = ?', id);
      if (row === undefined) return;
      this.#run('UPDATE nodes SET labels = ? WHERE id = ?', JSON.stringify(labels), id);
      this.#note({ ...NO_SUBJECT, atMs, kind: 'node_labelled', nodeId: id, name: String(row['name']), ...change });
    });
  }

  setPublicKey(id: NodeId, publicKey: PublicKey, atMs: number): void {
    this.#commit('save a WireGuard key', () => {
      const holder = this.#get('SELECT name FROM nodes WHERE public_key = ? AND id <> ?', publicKey, id);
      if (holder !== undefined) {
        throw new ThalwegError('conflict', `the WireGuard key is held by node ${String(holder['name'])}`);
      }
      const row = this.#get('SELECT name FROM nodes WHERE id = ?', id);
      if (row === undefined) return;
      this.#run('UPDATE nodes SET public_key = ? WHERE id = ?', publicKey, id);
      const name = String(row['name']);
      this.#note({ ...NO_SUBJECT, atMs, kind: 'node_key_changed', nodeId: id, name, by: 'device' });
    });
  }

  setHost(id: NodeId, host: NodeHost, lastSeenAtMs: number): void {
    this.#commit('save what a node said of its host', () =>
      this.#run('UPDATE nodes SET host = ?, last_seen_at_ms = ? WHERE id = ?', JSON.stringify(host), lastSeenAtMs, id),
    );
  }

  setLastSeen(times: ReadonlyMap<NodeId, number>): void {
    this.#commit('save when nodes were seen', () => {
      for (const [id, atMs] of times) this.#run('UPDATE nodes SET last_seen_at_ms = ? WHERE id = ?', atMs, id);
    });
  }

  removeNode(id: NodeId, atMs: number, by: Actor): boolean {
    return this.#commit('remove a node', () => {
      const row = this.#get('SELECT node_index, name, token_id FROM nodes WHERE id = ?', id);
      if (row === undefined) return false;
      this.#run('INSERT INTO removed_nodes VALUES (?, ?, ?, ?)', id, row['node_index'], row['name'], atMs);
      this.#run('DELETE FROM nodes WHERE id = ?', id);
      const [name, tokenId] = [String(row['name']), String(row['token_id'])];
      this.#note({ ...NO_SUBJECT, atMs, kind: 'node_removed', nodeId: id, name, tokenId, by });
      return true;
    });
  }

  noteAudit(entry: AuditEntry): void {
    this.#commit('write the audit', () => this.#note(entry));
  }

  audit(limit: number): AuditEntry[] {
    return this.#all('SELECT * FROM audit ORDER BY seq DESC LIMIT ?', limit).map(auditFromRow);
  }

  probeWrite(nowMs: number): void {
    this.setSetting('probed_at_ms', String(nowMs));
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
    if (this.#lock.isOpen) this.#lock.close();
  }

  /** Comes before each commit. */
  protected begin(): void {}

  /** Has a commit's changes on this thread's connection and makes them durable elsewhere too. Throws to undo them. */
  protected seal(): void {}

  /** Comes after each commit, and after one that was undone. */
  protected ended(): void {}

  /** Does a change of the store's own, which may be done again when it throws. */
  protected attempts<T>(change: () => T): T {
    return change();
  }

  #note(entry: AuditEntry): void {
    this.#run(
      'INSERT INTO audit (at_ms, kind, node_id, name, token_id, key_id, actor, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[entry.atMs, entry.kind, entry.nodeId, entry.name, entry.tokenId, entry.keyId, entry.by],
      entry.detail ?? null,
    );
  }

  /** Runs `work` as one durable transaction, or as a part of the one that is under way. */
  #commit<T>(what: string, work: () => T): T {
    if (this.#isCommitting) return this.#part(what, work);
    return this.attempts(() => this.#whole(what, work));
  }

  /** As `#commit`; outlives this process at once, and a power failure from the next commit on. */
  #commitLazily(what: string, work: () => void): void {
    if (this.#isCommitting) {
      this.#part(what, work);
      return;
    }
    this.#database.exec('PRAGMA synchronous = NORMAL');
    try {
      this.#commit(what, work);
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL');
    }
  }

  #whole<T>(what: string, work: () => T): T {
    this.#isCommitting = true;
    const startedMs = this.#monoMs();
    try {
      this.begin();
      this.#database.exec('BEGIN IMMEDIATE');
      const result = work();
      this.seal();
      this.#database.exec('COMMIT');
      return result;
    } catch (cause) {
      // After SQLITE_FULL the transaction may already be rolled back.
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw storageError(cause, `cannot ${what} in ${this.#path}`);
    } finally {
      this.#isCommitting = false;
      this.#onCommit(this.#monoMs() - startedMs);
      this.ended();
    }
  }

  #part<T>(what: string, work: () => T): T {
    // A full disk may have rolled the transaction back; what would come now would be committed by itself.
    if (!this.#database.isTransaction) {
      throw new ThalwegError('storage_failed', `cannot ${what} in ${this.#path}: the commit it belongs to has failed`);
    }
    this.#database.exec('SAVEPOINT part');
    try {
      const result = work();
      this.#database.exec('RELEASE part');
      return result;
    } catch (cause) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK TO part; RELEASE part');
      throw storageError(cause, `cannot ${what} in ${this.#path}`);
    }
  }

  #statement(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #get(sql: string, ...parameters: unknown[]): Row | undefined {
    return attempt(`cannot read ${this.#path}`, () => this.#statement(sql).get(...parameters) as Row | undefined);
  }

  #all(sql: string, ...parameters: unknown[]): Row[] {
    return attempt(`cannot read ${this.#path}`, () => this.#statement(sql).all(...parameters) as Row[]);
  }

  /** Number of rows changed. */
  #run(sql: string, ...parameters: unknown[]): number {
    return Number(this.#statement(sql).run(...parameters).changes);
  }
}
