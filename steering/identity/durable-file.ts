/** Files of the core's state directory that are whole or not there. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { storageError } from '../store/storage-error.ts';

/** Writes beside and renames, so that a crash or a full disk leaves no half file; on the disk when it returns. Throws disk_full, storage_failed. */
export function writeDurably(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`;
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw storageError(cause, `cannot write ${path}`);
  }
}
