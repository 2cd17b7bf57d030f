/** Whole numbers by chance, for benchmarks. */

/** A whole number from 0 to `limit`, without `limit`; `random` as of netlab's `seededRandom`. */
export function wholeBelow(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}
