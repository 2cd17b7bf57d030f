/** Errors of SQLite and of the file system as the project's codes. */
import { ThalwegError } from '../../protocol/error.ts';

/** https://www.sqlite.org/rescode.html; the low byte is the primary code. */
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_FULL = 13;
const SQLITE_CONSTRAINT = 19;
/** SQLITE_IOERR_WRITE, _FSYNC and _SHMSIZE: how a full disk shows in WAL mode, depending on which write met it. */
const SQLITE_IOERR = 10;

/** Wraps whatever a storage call threw. `what` says what was being done, with the path. */
export function storageError(cause: unknown, what: string): ThalwegError {
  if (cause instanceof ThalwegError) return cause;
  const { errcode, code, message } = (cause ?? {}) as { errcode?: unknown; code?: unknown; message?: unknown };
  const primary = typeof errcode === 'number' ? errcode & 0xff : -1;
  const text = typeof message === 'string' ? message : String(cause);
  if (primary === SQLITE_FULL || code === 'ENOSPC' || code === 'EDQUOT') {
    return new ThalwegError('disk_full', `${what}: the disk is full; nothing was changed`, {
      cause,
      nextStep: 'free space on the file system of stateDir and try again; no restart is needed',
    });
  }
  if (primary === SQLITE_BUSY) {
    return new ThalwegError('conflict', `${what}: another program has locked it`, {
      cause,
      nextStep: 'stop the other core that uses this stateDir, or give this one its own with --state-dir',
    });
  }
  if (primary === SQLITE_CONSTRAINT) return new ThalwegError('conflict', `${what}: ${text}`, { cause });
  if (code === 'EACCES' || code === 'EPERM') {
    return new ThalwegError('missing_privilege', `${what}: this user may not write there (${code})`, {
      cause,
      nextStep: 'run the core as root, or choose a stateDir that this user may write with --state-dir',
    });
  }
  if (code === 'ENOTDIR' || code === 'ENOENT') {
    return new ThalwegError('storage_failed', `${what}: there can be no such folder (${code})`, {
      cause,
      nextStep: 'name a folder that is there, or can be made, with --state-dir',
    });
  }
  const denied = code === 'EROFS' || primary === SQLITE_READONLY;
  return new ThalwegError('storage_failed', `${what}: ${text}`, {
    cause,
    nextStep: denied
      ? 'give the user that runs the core write access to stateDir'
      : primary === SQLITE_IOERR
        ? 'check the disk (dmesg, df); the core answers on and tries again with the next change'
        : 'check the disk, and restore stateDir from the backup if core.db is damaged',
  });
}
