/** Chance that can be repeated: 32-bit hashes of a seed and whole numbers, for picks that must not depend on order. */

/** Mixes whole numbers into one of 0 to 2^32 - 1 (finaliser of MurmurHash3, Appleby). */
export function hashOf(seed: number, ...parts: readonly number[]): number {
  let hash = seed | 0;
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** The same number for (a, b) and (b, a). */
export function pairHash(seed: number, a: number, b: number): number {
  return a < b ? hashOf(seed, a, b) : hashOf(seed, b, a);
}
