/** Reads a small text file that an option names: a key, a certificate. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { ThalwegError } from '../protocol/error.ts';

/** A bundle of every public CA is about 250 KB. */
const MAX_BYTES = 1024 * 1024;

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it',
};

/** As UTF-8. Throws invalid_argument, which names the option and the file, never what is in it. */
export function readSmallFile(option: string, file: string): string {
  const fault = (why: string, cause?: unknown) =>
    new ThalwegError('invalid_argument', `${option} ${file}: ${why}`, {
      cause,
      nextStep: 'name a file that this user may read',
    });
  try {
    const descriptor = openSync(file, 'r');
    try {
      if (fstatSync(descriptor).size > MAX_BYTES) throw fault(`it is larger than ${MAX_BYTES} bytes`);
      const text = readFileSync(descriptor, 'utf8');
      if (text.trim() === '') throw fault('it is empty');
      return text;
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (cause instanceof ThalwegError) throw cause;
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw fault(WHY[code] ?? message, cause);
  }
}
