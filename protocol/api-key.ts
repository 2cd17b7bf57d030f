/**
 * An API key as a caller carries it: who it is, and a secret.
 *
 *   twk1.<id: 12 of a-z2-7>.<secret: 32 bytes, base64url without padding>
 *
 * The prefix lets scanners for leaked secrets find it. The core keeps only a hash of the secret.
 */
import type { Parsed } from './error.ts';

export interface ApiKey {
  /** Public half: names the key in lists, logs, the audit and the store. */
  readonly id: string;
  readonly secret: Uint8Array;
}

/** 32 bytes are 43 characters, the last of which carries four bits: one spelling only. */
const KEY = /^twk1\.([a-z2-7]{12})\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/;

export function formatApiKey({ id, secret }: ApiKey): string {
  return `twk1.${id}.${Buffer.from(secret).toString('base64url')}`;
}

/** Parses what a caller sent. The reason never repeats it. */
export function parseApiKey(text: string): Parsed<ApiKey> {
  const match = KEY.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    return { ok: false, reason: 'it is not twk1., an id and a secret: it is incomplete or mistyped' };
  }
  return { ok: true, value: { id: match[1], secret: new Uint8Array(Buffer.from(match[2], 'base64url')) } };
}
