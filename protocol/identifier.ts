/** Branded identifiers: a value of these types has been parsed, so code that takes one need not check again. */
import type { Parsed } from './error.ts';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** Stable id of a node: `n-` and 20 characters of lower-case base32. Also the subject of its certificate. */
export type NodeId = Branded<string, 'NodeId'>;
/** A node's place in the address ranges and in tables: 1 to 2^20 - 2. Dense, never reused while a node holds it. */
export type NodeIndex = Branded<number, 'NodeIndex'>;
/** A node's name: a DNS label (RFC 1123), lower case, 1 to 63 characters. */
export type NodeName = Branded<string, 'NodeName'>;
/** A WireGuard public key in base64: 44 characters for 32 bytes. */
export type PublicKey = Branded<string, 'PublicKey'>;

/** Largest index: the ranges are /12s in the CGNAT block, less the last address. */
export const MAX_NODE_INDEX = 2 ** 20 - 2;

const NODE_ID = /^n-[a-z2-7]{20}$/;
const NODE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PUBLIC_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export function parseNodeId(text: string): Parsed<NodeId> {
  return NODE_ID.test(text)
    ? { ok: true, value: text as NodeId }
    : { ok: false, reason: 'a node id is n- and 20 characters a-z2-7' };
}

export function parseNodeName(text: string): Parsed<NodeName> {
  return NODE_NAME.test(text)
    ? { ok: true, value: text as NodeName }
    : { ok: false, reason: 'a node name is 1 to 63 of a-z, 0-9 and -, not starting or ending with -' };
}

export function parsePublicKey(text: string): Parsed<PublicKey> {
  return PUBLIC_KEY.test(text)
    ? { ok: true, value: text as PublicKey }
    : { ok: false, reason: 'a WireGuard key is 44 characters of base64' };
}

/** Raw 32 bytes to the base64 form. */
export function publicKeyFromBytes(bytes: Uint8Array): Parsed<PublicKey> {
  return bytes.length === 32
    ? { ok: true, value: Buffer.from(bytes).toString('base64') as PublicKey }
    : { ok: false, reason: `a WireGuard key has 32 bytes, not ${bytes.length}` };
}

/** The raw 32 bytes of a key. */
export function publicKeyToBytes(key: PublicKey): Uint8Array {
  return new Uint8Array(Buffer.from(key, 'base64'));
}

export function parseNodeIndex(value: number): Parsed<NodeIndex> {
  return Number.isInteger(value) && value >= 1 && value <= MAX_NODE_INDEX
    ? { ok: true, value: value as NodeIndex }
    : { ok: false, reason: `a node index is a whole number from 1 to ${MAX_NODE_INDEX}` };
}
