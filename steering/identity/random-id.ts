/** Random identifiers in lower-case base32 (RFC 4648 alphabet), from the system's secure source. */
import { randomBytes } from 'node:crypto';
import type { NodeId } from '../../protocol/identifier.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** 5 bits of randomness per character. */
export function randomBase32(characters: number): string {
  let text = '';
  for (const byte of randomBytes(characters)) text += ALPHABET[byte & 31];
  return text;
}

/** A node id: 100 random bits, so ids of different meshes do not meet either. */
export function newNodeId(): NodeId {
  return `n-${randomBase32(20)}` as NodeId;
}
