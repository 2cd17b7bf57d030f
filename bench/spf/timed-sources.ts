/** One round of sssp or leaves. */

/** Fast implementations go through the sources again until they ran this long: a just-in-time compiler needs it. */
const LEAST_MS = 300;
/** Slow ones leave sources out of a round that has taken this long. */
const MOST_MS = 2000;

/** Milliseconds of each call. */
export function timedSources(sources: Int32Array, run: (source: number) => void): number[] {
  const samplesMs: number[] = [];
  const begin = performance.now();
  for (;;) {
    for (const source of sources) {
      const start = performance.now();
      run(source);
      const end = performance.now();
      samplesMs.push(end - start);
      if (end - begin > MOST_MS) return samplesMs;
    }
    if (performance.now() - begin > LEAST_MS) return samplesMs;
  }
}
