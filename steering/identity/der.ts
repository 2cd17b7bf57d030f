/**
 * The little of DER (ITU-T X.690) that certificates and signing requests need: a writer for the values we make, and a
 * reader that walks one level of what somebody else made. Keys, signatures and certificate checks are node:crypto's.
 */
import type { Parsed } from '../../protocol/error.ts';

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
};

/** One value: tag, length, content. */
export function derValue(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const size = content.reduce((sum, part) => sum + part.length, 0);
  const length =
    size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : size < 0x10000 ? [0x82, size >> 8, size & 255] : undefined;
  if (length === undefined) throw new RangeError(`a DER value of ${size} bytes is larger than this writer makes`);
  return Buffer.concat([Uint8Array.of(tag, ...length), ...content]);
}

export const derSequence = (...items: readonly Uint8Array[]): Uint8Array => derValue(TAG.sequence, ...items);
export const derSet = (...items: readonly Uint8Array[]): Uint8Array => derValue(TAG.set, ...items);
export const derOctetString = (content: Uint8Array): Uint8Array => derValue(TAG.octetString, content);
export const derUtf8String = (text: string): Uint8Array => derValue(TAG.utf8String, Buffer.from(text, 'utf8'));
export const derBoolean = (value: boolean): Uint8Array => Uint8Array.of(0x01, 0x01, value ? 0xff : 0x00);

/** A non-negative integer from its bytes, most significant first. */
export function derInteger(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return derValue(TAG.integer, (digits[0] ?? 0) & 0x80 ? Uint8Array.of(0, ...digits) : digits);
}

/** A bit string whose last byte has `unusedBits` unused bits. */
export function derBitString(content: Uint8Array, unusedBits = 0): Uint8Array {
  return derValue(TAG.bitString, Uint8Array.of(unusedBits), content);
}

/** Dotted text to an object identifier. */
export function derOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return derValue(TAG.oid, Uint8Array.from(bytes));
}

/** RFC 5280 4.1.2.5: UTCTime to 2049, GeneralizedTime from 2050. Whole seconds, UTC. */
export function derTime(atMs: number): Uint8Array {
  const digits = new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  const year = Number(digits.slice(0, 4));
  return year < 2050 ? derValue(0x17, Buffer.from(digits.slice(2))) : derValue(0x18, Buffer.from(digits));
}

/** A value found by the reader. `content` and `whole` are views of the bytes read. */
export interface DerItem {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content: what a signature covers. */
  readonly whole: Uint8Array;
}

/** Takes `bytes` apart into the values that follow each other in it. Never throws. */
export function readDer(bytes: Uint8Array): Parsed<DerItem[]> {
  const items: DerItem[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    if ((tag & 0x1f) === 0x1f) return { ok: false, reason: 'a tag of more than one byte' };
    let size = bytes[at + 1];
    let start = at + 2;
    if (size === undefined) return { ok: false, reason: 'cut short in a length' };
    if (size >= 0x80) {
      const count = size & 0x7f;
      if (count < 1 || count > 2 || start + count > bytes.length) return { ok: false, reason: 'a length out of range' };
      size = 0;
      for (let i = 0; i < count; i++) size = size * 256 + (bytes[start + i] ?? 0);
      start += count;
    }
    if (start + size > bytes.length) return { ok: false, reason: 'cut short in a value' };
    items.push({ tag, content: bytes.subarray(start, start + size), whole: bytes.subarray(at, start + size) });
    at = start + size;
  }
  return { ok: true, value: items };
}
