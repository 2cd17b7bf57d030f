/** Measured RTT matrices of the evaluation data, in microseconds. What they hold is in that folder's README. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ThalwegError } from '../protocol/error.ts';

/** Row i, column j: RTT from i to j; NaN: not measured; 0 on the diagonal. */
export type RttMatrix = readonly Float64Array[];

export const PLANETLAB_SLICES = 18;

/** One slice, 1 to 18. Complete and symmetric. */
export function planetlabSlice(folder: string, slice: number): RttMatrix {
  const name = `slice_${String(slice).padStart(2, '0')}.txt.gz`;
  const lines = readLines(join(folder, 'planetlab-rtt', name));
  return lines.map((line) => Float64Array.from(line.trim().split(/\s+/), (ms) => Number(ms) * 1_000));
}

/**
 * Cities of WonderNetwork, average RTT. A path's RTT crosses both directions, so both ends' values are averaged; where
 * one is missing the other counts.
 */
export function wonderNetwork(folder: string): RttMatrix {
  const rows = readLines(join(folder, 'wondernetwork-2018', 'pings.csv.gz')).slice(1);
  const fields = rows.map((row) => row.split(','));
  const names = [...new Set(fields.flatMap(([from = '', to = '']) => [from, to]))].sort();
  const place = new Map(names.map((name, i) => [name, i]));
  const raw = names.map(() => new Float64Array(names.length).fill(Number.NaN));
  for (const [from = '', to = '', averageMs] of fields) {
    const row = raw[place.get(from) ?? -1];
    if (row !== undefined) row[place.get(to) ?? -1] = Number(averageMs) * 1_000;
  }
  return raw.map((row, i) =>
    row.map((us, j) => {
      if (i === j) return 0;
      const back = raw[j]?.[i] ?? Number.NaN;
      return Number.isNaN(us) ? back : Number.isNaN(back) ? us : (us + back) / 2;
    }),
  );
}

/** All slices of the Seattle testbed. Asymmetric; an off-diagonal 0 means below 5 ms and becomes 2.5 ms. */
export function seattleSlices(folder: string): RttMatrix[] {
  return readLines(join(folder, 'seattle-rtt', 'slices.txt.gz')).map((line) => {
    const values = line.trim().split(' ');
    const n = Math.round(Math.sqrt(values.length));
    return Array.from({ length: n }, (_, i) =>
      Float64Array.from({ length: n }, (_, j) => {
        const us = Number(values[i * n + j]) * 1_000_000;
        return i === j ? 0 : us === 0 ? 2_500 : us;
      }),
    );
  });
}

/** The rows and columns of some nodes. */
export function submatrix(matrix: RttMatrix, nodes: readonly number[]): RttMatrix {
  return nodes.map((i) => Float64Array.from(nodes, (j) => matrix[i]?.[j] ?? Number.NaN));
}

/** Shortest ways over all links between all pairs (Floyd and Warshall); Infinity: none. */
export function shortestWays(matrix: RttMatrix): Float64Array[] {
  const best = matrix.map((row) => row.map((us) => (Number.isNaN(us) ? Number.POSITIVE_INFINITY : us)));
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

function readLines(file: string): string[] {
  try {
    return gunzipSync(readFileSync(file)).toString().trim().split('\n');
  } catch (cause) {
    throw new ThalwegError('invalid_argument', `cannot read ${file}`, {
      cause,
      nextStep: 'name the folder of the evaluation data with --data DIR',
    });
  }
}
