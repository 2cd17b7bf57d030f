/**
 * Files that are whole or not there: written beside their place, synced, then renamed over it (rename(2) is atomic),
 * with the directory synced so that the name survives a power cut.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import { makeDirectory } from '../protocol/make-directory.ts';

/**
 * Replaces `path` by `content`. Throws ThalwegError `disk_full` or `storage_failed`; the old file is then untouched.
 * @param mode permission bits, 0600 for anything secret
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw storageError(path, cause);
  }
}

/** Makes a directory that only its owner may read, or tightens one that is there. */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  try {
    makeDirectory(path, 0o700);
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      const handle = await open(path, 'r');
      try {
        await handle.chmod(0o700);
      } finally {
        await handle.close();
      }
    }
  } catch (cause) {
    throw storageError(path, cause);
  }
}

/** The file's text, or undefined when there is none. Refuses files over `maxBytes`, so a wrong path costs no memory. */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) {
      throw new ThalwegError('storage_failed', `${path} has ${size} bytes, more than the ${maxBytes} it may have`, {
        fields: { path, size, maxBytes },
      });
    }
    return await readFile(path);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw cause instanceof ThalwegError ? cause : storageError(path, cause, 'read');
  }
}

/** The errno name of a system error (`ENOENT`), or undefined. */
export function errnoOf(cause: unknown): string | undefined {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function storageError(path: string, cause: unknown, verb: 'read' | 'write' = 'write'): ThalwegError {
  const errno = errnoOf(cause) ?? 'unknown';
  const fields = { path, errno };
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new ThalwegError('disk_full', `no space to write ${path}`, {
      cause,
      fields,
      nextStep: 'free space on that file system; what is in memory is still in use',
    });
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new ThalwegError('missing_privilege', `not allowed to ${verb} ${path}`, {
      cause,
      fields,
      nextStep: 'run as root, or choose a state directory that this user owns with --state-dir',
    });
  }
  return new ThalwegError('storage_failed', `cannot ${verb} ${path}: ${errno}`, { cause, fields });
}
