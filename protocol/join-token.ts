/**
 * The one string that lets a device join: where the core is, how to know it, and a secret.
 *
 *   tw1.<base64url of JSON [addresses, fingerprint, id, secret]>.<first 6 hex digits of SHA-256 over the middle part>
 *
 * The check digits tell a truncated or mistyped token from a refused one before anything is sent.
 */
import { createHash } from 'node:crypto';
import type { Parsed } from './error.ts';

export interface JoinToken {
  /** `host:port` of the agent port of each core, tried in turn; the host may be a name or a literal address. */
  readonly addresses: readonly string[];
  /** SHA-256 over the DER of the core's CA certificate: 64 hex digits. */
  readonly caFingerprint: string;
  /** Public half: names the token in lists, logs and the store. 12 characters of a-z2-7. */
  readonly id: string;
  /** Secret half: 32 bytes. The core keeps only a hash. */
  readonly secret: Uint8Array;
}

const PREFIX = 'tw1';
const TOKEN = /^tw1\.([A-Za-z0-9_-]{60,2000})\.([0-9a-f]{6})$/;
const ADDRESS = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):\d{1,5}$/;

export function formatJoinToken(token: JoinToken): string {
  const secret = Buffer.from(token.secret).toString('base64url');
  const fields = [token.addresses, token.caFingerprint, token.id, secret];
  const middle = Buffer.from(JSON.stringify(fields)).toString('base64url');
  return `${PREFIX}.${middle}.${checkDigits(middle)}`;
}

/** Parses what a person pasted. The reason never repeats the token. */
export function parseJoinToken(text: string): Parsed<JoinToken> {
  const trimmed = text.trim();
  if (!trimmed.startsWith(`${PREFIX}.`)) return { ok: false, reason: `a join token starts with ${PREFIX}.` };
  const match = TOKEN.exec(trimmed);
  if (match?.[1] === undefined || match[2] !== checkDigits(match[1])) {
    return { ok: false, reason: 'the token is incomplete or mistyped: its check digits do not match' };
  }
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(match[1], 'base64url').toString('utf8'));
  } catch {
    return { ok: false, reason: 'the token does not hold what a token holds' };
  }
  if (!Array.isArray(fields) || fields.length !== 4) return { ok: false, reason: 'the token has not four fields' };
  const [addresses, caFingerprint, id, secretText] = fields as unknown[];
  if (!Array.isArray(addresses) || addresses.length === 0 || addresses.length > 16) {
    return { ok: false, reason: 'the token names no core address, or over 16' };
  }
  if (!addresses.every((a): a is string => typeof a === 'string' && ADDRESS.test(a))) {
    return { ok: false, reason: 'the token names a core address that is not host:port' };
  }
  if (typeof caFingerprint !== 'string' || !/^[0-9a-f]{64}$/.test(caFingerprint)) {
    return { ok: false, reason: "the token's CA fingerprint is not 64 hex digits" };
  }
  if (typeof id !== 'string' || !/^[a-z2-7]{12}$/.test(id)) return { ok: false, reason: "the token's id is malformed" };
  const secret = typeof secretText === 'string' ? new Uint8Array(Buffer.from(secretText, 'base64url')) : undefined;
  if (secret?.length !== 32) return { ok: false, reason: "the token's secret is not 32 bytes" };
  return { ok: true, value: { addresses, caFingerprint, id, secret } };
}

function checkDigits(middle: string): string {
  return createHash('sha256').update(middle).digest('hex').slice(0, 6);
}
