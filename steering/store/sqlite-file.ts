/** Opening a database file of the store: its mode, its journal, and its schema brought up to date. */
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { ThalwegError } from '../../protocol/error.ts';
import { makeDirectory } from '../../protocol/make-directory.ts';
import { MIGRATIONS } from './migrations.ts';
import { storageError } from './storage-error.ts';
import type { Row } from './store-rows.ts';

export type Database = InstanceType<typeof DatabaseSync>;

/** Tables that are open, with the lock of their state directory. The store that is given them closes both. */
export interface OpenedTables {
  /** What error messages name. */
  readonly path: string;
  readonly database: Database;
  readonly lock: Database;
}

/** The database of a state directory. */
export function databasePath(stateDir: string): string {
  return join(stateDir, 'core.db');
}

/**
 * Takes the state directory (made with mode 0700) for this process until the result is closed; a killed process frees it.
 * Throws conflict when a core uses it.
 */
export function lockStateDir(stateDir: string): Database {
  return attempt(`cannot lock stateDir ${stateDir}`, () => {
    makeDirectory(stateDir, 0o700);
    const path = join(stateDir, 'lock');
    // By hand first: SQLite does not say why it cannot open a file.
    closeSync(openSync(path, 'a', 0o600));
    const lock = new DatabaseSync(path);
    try {
      lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      return lock;
    } catch (cause) {
      lock.close();
      throw cause;
    }
  });
}

/** Opens or makes the file. Throws invalid_config when it is of a newer version than this software. */
export function openDatabase(path: string): Database {
  const isNew = !existsSync(path);
  const database = new DatabaseSync(path, { timeout: 2000 });
  try {
    if (isNew) chmodSync(path, 0o600);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    const version = schemaVersion(database);
    if (version > MIGRATIONS.length) {
      throw new ThalwegError(
        'invalid_config',
        `${path} has schema version ${version}; this core knows up to ${MIGRATIONS.length}`,
        {
          nextStep: 'start the newer core that wrote it, or restore a backup from before the upgrade',
        },
      );
    }
    migrate(database, MIGRATIONS.length);
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/** Takes the state directory and opens what is in it. */
export function openTables(stateDir: string): OpenedTables {
  const path = databasePath(stateDir);
  const lock = lockStateDir(stateDir);
  try {
    return { path, lock, database: attempt(`cannot open ${path}`, () => openDatabase(path)) };
  } catch (cause) {
    lock.close();
    throw cause;
  }
}

/** Brings the schema forward to a version that this software knows. */
export function migrate(database: Database, version: number): void {
  for (let step = schemaVersion(database); step < version; step++) {
    database.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[step]} PRAGMA user_version = ${step + 1}; COMMIT`);
  }
}

export function schemaVersion(database: Database): number {
  return Number((database.prepare('PRAGMA user_version').get() as Row | undefined)?.['user_version'] ?? 0);
}

/** Does storage work; what it throws becomes a ThalwegError. */
export function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw storageError(cause, what);
  }
}
