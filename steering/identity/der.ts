/**
 * DER (ITU-T X.690), as far as certificates and signing requests need it: a tag of one byte, a definite length in its shortest
 * form, the content. The library that reads all of ASN.1 takes 3 ms for a certificate; a core that thousands join at once
 * has not got them. Pure.
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A context-specific tag [n]; `constructed`: it holds other values. */
export function contextTag(n: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | n;
}

/** One value: tag, length, and the contents one after the other. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  return Buffer.concat([header(tag, length), ...contents]);
}

/** An object identifier that is written as its bytes: `06`, length, content. */
export function objectIdentifier(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}

/** The point in time in whole seconds, as RFC 5280 section 4.1.2.5 wants it: UTCTime up to 2049. */
export function derTime(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '');
  const isShort = /^(19[5-9]|20[0-4])\d/.test(digits);
  return der(isShort ? TAG.utcTime : TAG.generalizedTime, Buffer.from(isShort ? digits.slice(2) : digits, 'latin1'));
}

/** A bit string of whole bytes. */
export function bitString(bytes: Uint8Array): Uint8Array {
  return der(TAG.bitString, Uint8Array.of(0), bytes);
}

/** A non-negative integer from its bytes, most significant first; `bytes` has no needless zeros in front. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array {
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0;
  return der(TAG.integer, ...(isNegative ? [Uint8Array.of(0)] : []), bytes);
}

/** A value that was read; both parts are views of the bytes it came from. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
}

/**
 * The values that `bytes` is made of, one after the other, without a look inside. Undefined: it is not DER, or more than
 * `most` values. Never throws.
 */
export function readDer(bytes: Uint8Array, most: number): DerValue[] | undefined {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = readOne(bytes, at);
    if (value === undefined || values.length === most) return undefined;
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

function readOne(bytes: Uint8Array, at: number): DerValue | undefined {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  // a tag of several bytes: nothing of what is read here has one
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let from = at + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    // an indefinite length is BER, and nothing here is larger than 64 KiB
    if (lengthBytes === 0 || lengthBytes > 2) return undefined;
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[from++] ?? 0);
    if (length < (lengthBytes === 1 ? 0x80 : 0x100)) return undefined;
  }
  const end = from + length;
  if (end > bytes.length) return undefined;
  return { tag, content: bytes.subarray(from, end), whole: bytes.subarray(at, end) };
}

function header(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length);
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length);
  return Uint8Array.of(tag, 0x82, length >> 8, length & 0xff);
}
