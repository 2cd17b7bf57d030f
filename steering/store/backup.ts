/**
 * A backup: one file (mode 0600) with the whole store and the CA's key and certificate, taken while the core runs. It is as
 * secret as the state directory.
 *
 * The copy is one consistent moment (`VACUUM INTO` reads in one transaction; a reader never holds up a writer in
 * write-ahead mode). It is written beside its final name and renamed when it is on the disk.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { ThalwegError } from '../../protocol/error.ts';
import { attempt, databasePath, schemaVersion } from './sqlite-file.ts';
import type { Row } from './store-rows.ts';

/** Files of the state directory that are kept in the table `backup_files`. */
export const BACKUP_FILES = ['ca.key', 'ca.crt'] as const;
/** Kept where it is there: the rotation of the CA. */
export const OPTIONAL_BACKUP_FILES = ['ca-rotation.json'] as const;

export interface BackupReport {
  readonly file: string;
  readonly madeAtMs: number;
  readonly schemaVersion: number;
  readonly nodes: number;
  readonly tokens: number;
}

/** Throws not_found when there is no store, already_exists when the file is there, disk_full, storage_failed. */
export function backupStore(stateDir: string, file: string, nowMs: number): BackupReport {
  const path = databasePath(stateDir);
  if (!existsSync(path)) {
    throw new ThalwegError('not_found', `stateDir ${stateDir} holds no core.db`, {
      fields: { stateDir },
      nextStep: 'name the folder of the core with --state-dir',
    });
  }
  if (existsSync(file)) {
    throw new ThalwegError('already_exists', `the backup file ${file} is there already`, {
      fields: { file },
      nextStep: 'name another file: a backup is never overwritten',
    });
  }
  const part = `${file}.part`;
  try {
    return attempt(`cannot back up ${path} to ${file}`, () => {
      rmSync(part, { force: true });
      // Made by hand for its mode; SQLite takes an empty file.
      closeSync(openSync(part, 'wx', 0o600));
      const source = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
      try {
        source.prepare('VACUUM INTO ?').run(part);
      } finally {
        source.close();
      }
      const report = addFiles(stateDir, part, nowMs);
      sync(part);
      renameSync(part, file);
      sync(join(file, '..'));
      return { file, ...report };
    });
  } finally {
    rmSync(part, { force: true });
  }
}

function addFiles(stateDir: string, part: string, nowMs: number): Omit<BackupReport, 'file'> {
  const copy = new DatabaseSync(part);
  try {
    copy.exec(`
      PRAGMA journal_mode = DELETE;
      PRAGMA synchronous = FULL;
      CREATE TABLE backup_files (name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT;
      CREATE TABLE backup_made (at_ms INTEGER NOT NULL) STRICT;
    `);
    const insert = copy.prepare('INSERT INTO backup_files VALUES (?, ?)');
    for (const name of BACKUP_FILES) insert.run(name, new Uint8Array(readFileSync(join(stateDir, name))));
    for (const name of OPTIONAL_BACKUP_FILES) {
      const path = join(stateDir, name);
      if (existsSync(path)) insert.run(name, new Uint8Array(readFileSync(path)));
    }
    copy.prepare('INSERT INTO backup_made VALUES (?)').run(nowMs);
    const count = (table: string) =>
      Number((copy.prepare(`SELECT count(*) AS n FROM ${table}`).get() as Row | undefined)?.['n'] ?? 0);
    return { madeAtMs: nowMs, schemaVersion: schemaVersion(copy), nodes: count('nodes'), tokens: count('tokens') };
  } finally {
    copy.close();
  }
}

/** Waits until the file or folder is on the disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
