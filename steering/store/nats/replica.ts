/** A core's own copy of the tables: made from a snapshot, and made into one; and which nodes change in it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from '@photostructure/sqlite';
import { ThalwegError } from '../../../protocol/error.ts';
import { MIGRATIONS } from '../migrations.ts';
import { type Database, schemaVersion } from '../sqlite-file.ts';
import type { Row } from '../store-rows.ts';

/** A file that only this process reads; it is made anew at each start. */
export function openReplica(path: string, saved: Uint8Array | undefined): Database {
  rmSync(path, { force: true });
  writeFileSync(path, saved ?? new Uint8Array(), { mode: 0o600 });
  const database = new DatabaseSync(path);
  try {
    // what is durable is in NATS; constraints between tables were held by whoever committed
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON');
    if (schemaVersion(database) <= MIGRATIONS.length) return database;
    throw new ThalwegError('invalid_config', `the tables in NATS have schema version ${schemaVersion(database)}`, {
      nextStep: 'start the newer core that wrote them',
    });
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/** Has this connection note which nodes change. Tables of its own are in no patchset. */
export function watchNodes(database: Database): void {
  database.exec('CREATE TEMP TABLE IF NOT EXISTS changed_nodes (id TEXT NOT NULL)');
  for (const [event, row] of [
    ['INSERT', 'new'],
    ['UPDATE', 'old'],
    ['DELETE', 'old'],
  ]) {
    database.exec(`
      DROP TRIGGER IF EXISTS temp.note_${event};
      CREATE TEMP TRIGGER note_${event} AFTER ${event} ON main.nodes
        BEGIN INSERT INTO changed_nodes VALUES (${row}.id); END;
    `);
  }
}

/** Those that have changed since it was asked last. */
export function changedNodes(database: Database): string[] {
  const rows = database.prepare('SELECT DISTINCT id FROM temp.changed_nodes').all() as Row[];
  if (rows.length > 0) database.exec('DELETE FROM temp.changed_nodes');
  return rows.map((row) => String(row['id']));
}

/** The whole database as a file holds it; written to `path` on the way. */
export function databaseBytes(database: Database, path: string): Uint8Array {
  rmSync(path, { force: true });
  database.prepare('VACUUM INTO ?').run(path);
  const bytes = new Uint8Array(readFileSync(path));
  rmSync(path, { force: true });
  return bytes;
}
