/**
 * RTTs of as many made-up places as wanted, without a table: clusters on a globe, fibre that goes round about, and an
 * access line for each. A pair's RTT depends on the seed and the two numbers alone.
 *
 *   rtt = access(a) + access(b) + 2 * distance / 200 km per ms * detour(a, b)
 */
import { seededRandom } from '../seeded-random.ts';
import type { RttSource } from './rtt-matrix.ts';

const EARTH_KM = 6_371;
/** Light in fibre. */
const KM_PER_MS = 200;
const CLUSTERS = 24;
/** Spread of a cluster, as a share of the globe's radius: about 600 km. */
const SPREAD = 0.1;
/** How much longer than the great circle: measured paths are 1.2 to 4 times as long; a tail makes detours worthwhile. */
const LEAST_DETOUR = 1.2;
const DETOUR_SCALE = 0.35;

export class SyntheticRtts implements RttSource {
  readonly size: number;
  readonly #seed: number;
  /** Unit vectors, three numbers per place. */
  readonly #at: Float64Array;
  readonly #accessUs: Float64Array;

  constructor(size: number, seed: number) {
    this.size = size;
    this.#seed = seed;
    const next = seededRandom(seed);
    const clusters = Array.from({ length: CLUSTERS }, () => direction(next));
    this.#at = new Float64Array(3 * size);
    this.#accessUs = new Float64Array(size);
    for (let v = 0; v < size; v++) {
      const centre = clusters[Math.floor(next() * CLUSTERS)] ?? [1, 0, 0];
      const offset = direction(next);
      const place = centre.map((x, axis) => x + SPREAD * next() * (offset[axis] ?? 0));
      const norm = Math.hypot(...place);
      for (const [axis, x] of place.entries()) this.#at[3 * v + axis] = x / norm;
      this.#accessUs[v] = 200 + 4_000 * next() ** 2;
    }
  }

  rttUs(a: number, b: number): number {
    const [low, high] = a < b ? [a, b] : [b, a];
    let dot = 0;
    for (let axis = 0; axis < 3; axis++) dot += (this.#at[3 * low + axis] ?? 0) * (this.#at[3 * high + axis] ?? 0);
    const km = EARTH_KM * Math.acos(Math.min(1, Math.max(-1, dot)));
    const chance = seededRandom(Math.imul(low + 1, 0x9e3779b1) ^ Math.imul(high + 1, 0x85ebca6b) ^ this.#seed)();
    // a Pareto tail, cut: one pair in a hundred takes about three times the way
    const detour = LEAST_DETOUR + DETOUR_SCALE * Math.min(8, (1 - chance) ** -0.4 - 1);
    const fibreUs = (2_000 * km * detour) / KM_PER_MS;
    return Math.round((this.#accessUs[low] ?? 0) + (this.#accessUs[high] ?? 0) + fibreUs);
  }
}

/** A unit vector, evenly distributed (Marsaglia, Ann. Math. Stat. 43, 1972: by z and angle). */
function direction(next: () => number): number[] {
  const z = 2 * next() - 1;
  const angle = 2 * Math.PI * next();
  const r = Math.sqrt(1 - z * z);
  return [r * Math.cos(angle), r * Math.sin(angle), z];
}
