/**
 * One commit as a message of the log, which every core of a mesh applies in the order of the log.
 *
 *   0        1      2       3         4              8
 *   +--------+------+-------+---------+--------------+----------------------+
 *   | format | kind | flags | 0       | schema (u32) | payload              |
 *   +--------+------+-------+---------+--------------+----------------------+
 *
 * kind 0: an SQLite patchset (https://www.sqlite.org/sessionintro.html) made at this schema version. kind 1: from here on
 * tables have this schema version. flags, bit 0: the payload is deflated (RFC 1951).
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { ThalwegError } from '../../../protocol/error.ts';

const FORMAT = 1;
const HEADER_BYTES = 8;
const DEFLATED = 1;
/** Smaller payloads are not worth the time. */
const DEFLATE_FROM_BYTES = 512;
/** More than any commit of ours: what claims to be more is damaged. */
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

const KINDS = ['changes', 'schema'] as const;

export interface LogEntry {
  readonly kind: (typeof KINDS)[number];
  readonly schema: number;
  /** Empty for `schema`. */
  readonly payload: Uint8Array;
}

export function encodeLogEntry({ kind, schema, payload }: LogEntry): Uint8Array {
  const isDeflated = payload.length >= DEFLATE_FROM_BYTES;
  const body = isDeflated ? deflateRawSync(payload, { level: 1 }) : payload;
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  bytes.set([FORMAT, KINDS.indexOf(kind), isDeflated ? DEFLATED : 0, 0]);
  new DataView(bytes.buffer).setUint32(4, schema);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Throws storage_failed for anything that `encodeLogEntry` does not make. */
export function decodeLogEntry(bytes: Uint8Array): LogEntry {
  const kind = KINDS[bytes[1] ?? KINDS.length];
  if (bytes.length < HEADER_BYTES || bytes[0] !== FORMAT || kind === undefined) {
    throw unreadable(`it begins with ${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`);
  }
  const schema = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4);
  const body = bytes.subarray(HEADER_BYTES);
  if (((bytes[2] ?? 0) & DEFLATED) === 0) return { kind, schema, payload: body };
  try {
    return { kind, schema, payload: new Uint8Array(inflateRawSync(body, { maxOutputLength: MAX_PAYLOAD_BYTES })) };
  } catch (cause) {
    throw unreadable(cause instanceof Error ? cause.message : String(cause));
  }
}

function unreadable(why: string): ThalwegError {
  return new ThalwegError('storage_failed', `an entry of the log in NATS is not readable: ${why}`, {
    nextStep: 'upgrade this core if a newer one writes to the same mesh; else look for who else writes to its subjects',
  });
}
