/**
 * Fuzzes targets in a thread of its own, one after the other, so that an endless loop, or one that takes all memory, is
 * somebody else's to end. The input that runs stands in shared memory: [length, count of inputs, bytes].
 */
import { parentPort, workerData } from 'node:worker_threads';
import { BlockCoverage } from './block-coverage.ts';
import { type FuzzReport, fuzz } from './fuzz-loop.ts';
import { allTargets } from './targets.ts';

export interface FuzzWork {
  readonly targets: readonly string[];
  readonly seed: number;
  /** For each target. */
  readonly milliseconds: number;
  readonly shared: SharedArrayBuffer;
}

/** Posted for each target: when it begins, and what came of it. */
export type FuzzWord = { readonly begins: string } | { readonly report: FuzzReport };

const { targets, seed, milliseconds, shared } = workerData as FuzzWork;
const header = new Int32Array(shared, 0, 2);
const current = new Uint8Array(shared, 8);
const say = (word: FuzzWord): void => parentPort?.postMessage(word);

for (const target of await allTargets()) {
  if (!targets.includes(target.name)) continue;
  say({ begins: target.name });
  header[1] = 0;
  const coverage = new BlockCoverage();
  coverage.start();
  const report = fuzz(target, seed, {
    coverage,
    nowMs: () => performance.now(),
    deadlineMs: performance.now() + milliseconds,
    onInput: (bytes) => {
      const kept = bytes.subarray(0, current.length);
      current.set(kept);
      header[0] = kept.length;
      header[1] = (header[1] ?? 0) + 1;
    },
  });
  coverage.stop();
  say({ report });
}
