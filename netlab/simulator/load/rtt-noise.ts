/**
 * Noise of real measurements, laid over other links: for each link the course of some pair of a measured series, as a
 * factor of that pair's quiet level (its least tenth); never below 1, since nothing is faster than the way itself.
 */
import type { RttMatrix } from '../rtt-matrix.ts';

const QUIET_SHARE = 0.1;

export class RttNoise {
  /** By course, then by time. */
  readonly #factors: Float64Array[] = [];
  readonly #sliceMs: number;

  /** `sliceMs`: time between two slices. */
  constructor(slices: readonly RttMatrix[], sliceMs: number) {
    this.#sliceMs = sliceMs;
    const size = slices[0]?.size ?? 0;
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        const us = a === b ? [] : slices.map((slice) => slice.measuredUs(a, b)).filter((value) => value !== null);
        if (us.length < slices.length || us.length === 0) continue;
        const quiet = us.toSorted((x, y) => x - y)[Math.floor(QUIET_SHARE * us.length)] ?? 1;
        this.#factors.push(Float64Array.from(us, (value) => Math.max(1, value / quiet)));
      }
    }
  }

  /** Of a link's RTT as it is measured at this time; 1 where there is no series. */
  factor(link: number, nowMs: number): number {
    // steps of a prime: neighbouring links do not share a node of the series
    const course = this.#factors[(link * 7_919) % Math.max(1, this.#factors.length)];
    return course?.[Math.floor(nowMs / this.#sliceMs) % course.length] ?? 1;
  }
}
