/**
 * Puts a backup in the place of a core's store. A backup is old: what it does not know must not come back to life.
 *
 *   the store that is there still knows more: its removals, uses and revocations of tokens, API keys, and renewed
 *   certificates go into the restored one; nodes that joined since are removed, since their addresses may be given again
 *   without it (a lost disk) nobody knows what was used or revoked since, so the backup's tokens and API keys are revoked
 *
 * The steering engine's state is left out: tables of then are not what nodes hold now, and are computed anew.
 */
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { ThalwegError } from '../../protocol/error.ts';
import { BACKUP_FILES, OPTIONAL_BACKUP_FILES, sync } from './backup.ts';
import { attempt, type Database, databasePath, lockStateDir, openDatabase } from './sqlite-file.ts';
import type { Row } from './store-rows.ts';

export interface RestoreReport {
  readonly stateDir: string;
  readonly madeAtMs: number;
  readonly nodes: number;
  /** Nodes of the backup that were removed since, and stay removed. */
  readonly removedSince: number;
  /** Nodes that joined since the backup: they have to join again. */
  readonly joinedSince: number;
  readonly tokensRevoked: number;
  readonly keysRevoked: number;
  /** False: there was no store to learn from what happened since. */
  readonly merged: boolean;
}

/** Throws conflict when a core runs on the directory, invalid_argument when the file is no backup. */
export function restoreStore(file: string, stateDir: string, nowMs: number): RestoreReport {
  const lock = lockStateDir(stateDir);
  const fresh = join(stateDir, 'core.db.restored');
  try {
    return attempt(`cannot restore ${file} to ${stateDir}`, () => {
      discard(fresh);
      const { madeAtMs, files } = readBackup(file);
      const keepsCa = hasNewerCa(stateDir, files);
      copyFileSync(file, fresh);
      chmodSync(fresh, 0o600);
      const report = bringForward(fresh, databasePath(stateDir), nowMs);
      for (const [name, content] of keepsCa ? [] : files) {
        const path = join(stateDir, name);
        writeFileSync(`${path}.new`, content, { mode: name === 'ca.crt' ? 0o644 : 0o600 });
        sync(`${path}.new`);
        renameSync(`${path}.new`, path);
      }
      // A journal that is left of the store before would be taken for the new one's.
      discard(databasePath(stateDir));
      renameSync(fresh, databasePath(stateDir));
      sync(stateDir);
      return { stateDir, madeAtMs, ...report };
    });
  } finally {
    discard(fresh);
    lock.close();
  }
}

function readBackup(file: string): { madeAtMs: number; files: ReadonlyMap<string, Uint8Array> } {
  const noBackup = (cause?: unknown) =>
    new ThalwegError('invalid_argument', `${file} is no backup of a core, or is damaged`, {
      cause,
      fields: { file },
      nextStep: 'name a file that `thalweg core backup` made',
    });
  if (!existsSync(file)) throw noBackup();
  const backup = new DatabaseSync(file, { readOnly: true });
  try {
    const [check] = backup.prepare('PRAGMA integrity_check').all() as Row[];
    const made = backup.prepare('SELECT at_ms FROM backup_made').get() as Row | undefined;
    const rows = backup.prepare('SELECT name, content FROM backup_files').all() as Row[];
    const known: readonly string[] = [...BACKUP_FILES, ...OPTIONAL_BACKUP_FILES];
    const named = rows.filter((row) => known.includes(String(row['name'])));
    const files = new Map(named.map((row) => [String(row['name']), row['content'] as Uint8Array]));
    if (check?.['integrity_check'] !== 'ok' || !BACKUP_FILES.every((name) => files.has(name))) throw noBackup();
    return { madeAtMs: Number(made?.['at_ms']), files };
  } catch (cause) {
    throw cause instanceof ThalwegError ? cause : noBackup(cause);
  } finally {
    backup.close();
  }
}

/**
 * True when the CA that is there stays: it is the backup's, whatever became of its rotation since, or it followed that one.
 * A backup of another mesh would lock every node out: throws conflict.
 */
function hasNewerCa(stateDir: string, files: ReadonlyMap<string, Uint8Array>): boolean {
  const present = readIfThere(join(stateDir, 'ca.crt'));
  if (present === undefined) return false;
  const old = text(files.get('ca.crt'));
  const followed = certificateIn(readIfThere(join(stateDir, 'ca-rotation.json')), 'predecessor');
  const isSame =
    present === old || followed === old || certificateIn(text(files.get('ca-rotation.json')), 'next') === present;
  if (isSame) return existsSync(join(stateDir, 'ca.key'));
  throw new ThalwegError('conflict', `stateDir ${stateDir} belongs to a mesh with another CA than the backup's`, {
    fields: { stateDir },
    nextStep: 'restore into an empty folder, or move ca.key, ca.crt and ca-rotation.json away first',
  });
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString('utf8');
}

/** A certificate of a rotation file; undefined also where it is damaged: the core says so when it starts. */
function certificateIn(file: string | undefined, of: 'predecessor' | 'next'): string | undefined {
  if (file === undefined) return undefined;
  try {
    const value = JSON.parse(file) as Record<string, { certificate?: unknown } | undefined>;
    return String(value[of]?.certificate);
  } catch {
    return undefined;
  }
}

type Changes = Omit<RestoreReport, 'stateDir' | 'madeAtMs'>;

function bringForward(fresh: string, present: string, nowMs: number): Changes {
  const database = openDatabase(fresh);
  try {
    const merged = isUsable(present);
    if (merged) database.prepare('ATTACH ? AS present').run(present);
    database.exec('BEGIN IMMEDIATE');
    database.exec('DROP TABLE backup_files; DROP TABLE backup_made');
    database.exec('DELETE FROM engine_state; DELETE FROM engine_records');
    const changes = merged ? takeOver(database, nowMs) : forgetTokens(database, nowMs);
    database.prepare("INSERT INTO audit (at_ms, kind, actor) VALUES (?, 'store_restored', 'host')").run(nowMs);
    const nodes = count(database, 'SELECT count(*) AS n FROM nodes');
    database.exec('COMMIT');
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return { nodes, merged, ...changes };
  } finally {
    database.close();
  }
}

/** What the present store knows and the backup cannot. */
function takeOver(database: Database, nowMs: number): Omit<Changes, 'nodes' | 'merged'> {
  const run = (sql: string, ...values: number[]) => Number(database.prepare(sql).run(...values).changes);
  run('INSERT OR IGNORE INTO removed_nodes SELECT * FROM present.removed_nodes');
  const joinedSince = run(
    `INSERT OR IGNORE INTO removed_nodes
     SELECT id, node_index, name, ? FROM present.nodes WHERE id NOT IN (SELECT id FROM main.nodes)`,
    nowMs,
  );
  const removedSince = run('DELETE FROM main.nodes WHERE id IN (SELECT id FROM main.removed_nodes)');
  run(`UPDATE main.nodes SET (serial, previous_serial, certificate_expires_at_ms, host, public_key) = (
         SELECT serial, previous_serial, certificate_expires_at_ms, host, public_key FROM present.nodes AS p WHERE p.id = nodes.id)
       WHERE id IN (SELECT id FROM present.nodes)`);
  run('INSERT OR IGNORE INTO main.tokens SELECT * FROM present.tokens');
  run(`UPDATE main.tokens SET
         used = max(used, (SELECT used FROM present.tokens AS p WHERE p.id = tokens.id)),
         revoked_at_ms = coalesce(revoked_at_ms, (SELECT revoked_at_ms FROM present.tokens AS p WHERE p.id = tokens.id))
       WHERE id IN (SELECT id FROM present.tokens)`);
  run('INSERT OR IGNORE INTO main.api_keys SELECT * FROM present.api_keys');
  run(`UPDATE main.api_keys SET (revoked_at_ms, last_used_at_ms) = (
         SELECT coalesce(api_keys.revoked_at_ms, p.revoked_at_ms), p.last_used_at_ms
         FROM present.api_keys AS p WHERE p.id = api_keys.id)
       WHERE id IN (SELECT id FROM present.api_keys)`);
  run(`INSERT OR IGNORE INTO main.audit SELECT * FROM present.audit`);
  return { joinedSince, removedSince, tokensRevoked: 0, keysRevoked: 0 };
}

function forgetTokens(database: Database, nowMs: number): Omit<Changes, 'nodes' | 'merged'> {
  const revoke = (table: 'tokens' | 'api_keys') =>
    Number(database.prepare(`UPDATE ${table} SET revoked_at_ms = ? WHERE revoked_at_ms IS NULL`).run(nowMs).changes);
  return { joinedSince: 0, removedSince: 0, tokensRevoked: revoke('tokens'), keysRevoked: revoke('api_keys') };
}

/** There, and not damaged; brings its schema up to date, so that both are alike. */
function isUsable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    const database = openDatabase(path);
    try {
      const [check] = database.prepare('PRAGMA quick_check').all() as Row[];
      return check?.['quick_check'] === 'ok';
    } finally {
      database.close();
    }
  } catch (cause) {
    if (cause instanceof ThalwegError) throw cause;
    return false;
  }
}

function count(database: Database, sql: string): number {
  return Number((database.prepare(sql).get() as Row | undefined)?.['n'] ?? 0);
}

/** With its journal. */
function discard(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${suffix}`, { force: true });
}
