/** A file of this device's own that is read as if a stranger had written it: bounded, parsed, checked, or refused. */

import type { Parsed } from '../protocol/error.ts';
import { ThalwegError } from '../protocol/error.ts';
import { readSmallFile } from './atomic-file.ts';

export interface CheckedFileOptions<T> {
  /** A larger file is refused unread. */
  readonly maxBytes: number;
  readonly parse: (text: string) => Parsed<T>;
}

/**
 * What `path` holds; undefined when there is no such file. Throws ThalwegError `storage_failed` when it is too large,
 * damaged (`fields.reason` says how) or cannot be read, and `missing_privilege`.
 */
export async function readCheckedFile<T>(
  path: string,
  { maxBytes, parse }: CheckedFileOptions<T>,
): Promise<T | undefined> {
  const bytes = await readSmallFile(path, maxBytes);
  if (bytes === undefined) return undefined;
  const parsed = parse(bytes.toString('utf8'));
  if (parsed.ok) return parsed.value;
  throw new ThalwegError('storage_failed', `${path} is damaged: ${parsed.reason}`, {
    fields: { path, reason: parsed.reason },
    nextStep: 'run `thalweg agent down --forget` and join again with a new token',
  });
}
