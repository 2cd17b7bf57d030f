/** Files of measured RTTs, and where the evaluation data has them. What they hold is in that folder's README. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseRttMatrix, parseRttSlices, type RttMatrix } from '../netlab/simulator/rtt-matrix.ts';
import { ThalwegError } from '../protocol/error.ts';

export const PLANETLAB_SLICES = 18;

/** One slice, 1 to 18. Complete and symmetric. */
export function planetlabSlice(folder: string, slice: number): RttMatrix {
  const name = `slice_${String(slice).padStart(2, '0')}.txt.gz`;
  return parseRttMatrix(readData(join(folder, 'planetlab-rtt', name)));
}

/** Cities of WonderNetwork, average RTT; some pairs are missing. */
export function wonderNetwork(folder: string): RttMatrix {
  return parseRttMatrix(readData(join(folder, 'wondernetwork-2018', 'pings.csv.gz')));
}

/** All slices of the Seattle testbed. Complete, but not the same in both directions. */
export function seattleSlices(folder: string): RttMatrix[] {
  return parseRttSlices(readData(join(folder, 'seattle-rtt', 'slices.txt.gz')));
}

/** A file's text, unpacked where its name ends in .gz. Throws `invalid_argument`. */
export function readData(file: string): string {
  try {
    const bytes = readFileSync(file);
    return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  } catch (cause) {
    throw new ThalwegError('invalid_argument', `cannot read ${file}`, {
      cause,
      nextStep: 'name a file that is there, or the folder of the evaluation data with --data DIR',
    });
  }
}
