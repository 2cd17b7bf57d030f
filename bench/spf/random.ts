/** Chance for benchmarks: the same numbers from the same seed, on any machine. */

/** Numbers from 0 to 1, without 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function wholeBelow(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}
