/** What a planner of sessions is held against: the best way over some links, by an algorithm too simple to be wrong. */
import type { RttMatrix } from '../netlab/simulator/rtt-matrix.ts';

/** Row a, column b: microseconds from a to b, NaN: no link; 0 on the diagonal. */
export type LinkRows = readonly Float64Array[];

/** Rows without any link. */
export function noLinks(size: number): LinkRows {
  return Array.from({ length: size }, (_, a) => new Float64Array(size).fill(Number.NaN).fill(0, a, a + 1));
}

/** Every pair of the matrix that was measured. */
export function allLinks(matrix: RttMatrix): LinkRows {
  const rows = noLinks(matrix.size);
  for (let a = 0; a < matrix.size; a++) for (let b = 0; b < a; b++) setLink(rows, matrix, a, b);
  return rows;
}

export function setLink(rows: LinkRows, matrix: RttMatrix, a: number, b: number): void {
  const us = matrix.rttUs(a, b) ?? Number.NaN;
  const [there, back] = [rows[a], rows[b]];
  if (there !== undefined) there[b] = us;
  if (back !== undefined) back[a] = us;
}

/** Shortest ways over the links between all pairs (Floyd and Warshall), in microseconds; Infinity: none. */
export function shortestWays(links: LinkRows): Float64Array[] {
  const best = links.map((row) => row.map((us) => (Number.isNaN(us) ? Number.POSITIVE_INFINITY : us)));
  for (const [k, through] of best.entries()) {
    for (const row of best) {
      const toK = row[k] ?? Number.POSITIVE_INFINITY;
      if (toK === Number.POSITIVE_INFINITY) continue;
      for (let j = 0; j < row.length; j++) {
        const us = toK + (through[j] ?? 0);
        if (us < (row[j] ?? 0)) row[j] = us;
      }
    }
  }
  return best;
}
