/** Secrets of tokens and API keys: 32 random bytes, of which only a hash is kept. */
import { createHash, timingSafeEqual } from 'node:crypto';

export const SECRET_BYTES = 32;
/** Compared against when the id is unknown, so that an unknown id costs what a wrong secret costs. */
const NO_HASH = new Uint8Array(32);

/** SHA-256: no stretching is needed for a secret of full entropy. */
export function hashSecret(secret: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest());
}

/** In constant time. `secretHash` undefined: nothing matches. */
export function matchesSecret(secret: Uint8Array, secretHash: Uint8Array | undefined): boolean {
  const matches = timingSafeEqual(hashSecret(secret), secretHash ?? NO_HASH);
  return matches && secretHash !== undefined;
}
