/** Shares of traffic as the small whole weights that a kernel takes. */
import { MOST_WEIGHT } from './weighted-tables.ts';

/** Good to this, the smaller weights are taken: 1:1 rather than 256:256. */
const GOOD_ENOUGH = 1e-6;

/**
 * Weights of 1 to MOST_WEIGHT for `count` shares from `start` on (each above 0, sum 1), as near as possible in the sum
 * of differences; of equally near ones the smallest. Written to `weights` from 0 on. Returns that sum of differences.
 */
export function memberWeights(share: Float64Array, start: number, count: number, weights: Uint16Array): number {
  weights.fill(1, 0, count);
  if (count <= 1) return 0;
  let largest = 0;
  for (let k = 0; k < count; k++) largest = Math.max(largest, share[start + k] ?? 0);
  let best = Number.POSITIVE_INFINITY;
  let bestTop = 1;
  // nothing is better than good enough
  for (let top = 1; top <= MOST_WEIGHT && best > GOOD_ENOUGH; top++) {
    const error = errorOf(share, start, count, top / largest);
    if (error >= best - GOOD_ENOUGH) continue;
    best = error;
    bestTop = top;
  }
  for (let k = 0; k < count; k++) weights[k] = weightOf((share[start + k] ?? 0) * (bestTop / largest));
  return best;
}

function errorOf(share: Float64Array, start: number, count: number, scale: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += weightOf((share[start + k] ?? 0) * scale);
  let error = 0;
  for (let k = 0; k < count; k++) {
    const each = share[start + k] ?? 0;
    error += Math.abs(weightOf(each * scale) / sum - each);
  }
  return error;
}

function weightOf(scaled: number): number {
  const weight = Math.round(scaled);
  return Math.max(weight, 1);
}
