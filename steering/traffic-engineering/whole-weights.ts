/** From shares to tables: every group gets whole weights, and its shares become what those weights say. */
import { memberWeights } from './member-weights.ts';
import type { Splits } from './splits.ts';
import { MOST_WEIGHT, type WeightedTables } from './weighted-tables.ts';

/** A share below half of the least that a weight can say next to the largest is left out. */
const LEAST_OF_LARGEST = 0.5 / MOST_WEIGHT;

/** Rounds the shares of a group in place. */
export function roundGroup(splits: Splits, group: number, weights: Uint16Array): void {
  const slot = group * splits.width;
  let largest = 0;
  for (let k = slot; k < slot + (splits.count[group] ?? 0); k++) largest = Math.max(largest, splits.share[k] ?? 0);
  for (let k = slot + (splits.count[group] ?? 0) - 1; k >= slot; k--) {
    if ((splits.share[k] ?? 0) < largest * LEAST_OF_LARGEST) splits.remove(group, k);
  }
  const count = splits.count[group] ?? 0;
  let kept = 0;
  for (let k = slot; k < slot + count; k++) kept += splits.share[k] ?? 0;
  for (let k = slot; k < slot + count; k++) splits.share[k] = (splits.share[k] ?? 0) / kept;
  memberWeights(splits.share, slot, count, weights);
  let sum = 0;
  for (let k = 0; k < count; k++) sum += weights[k] ?? 0;
  for (let k = 0; k < count; k++) splits.share[slot + k] = (weights[k] ?? 0) / sum;
}

/** Rounds all changed groups that have more than one member. */
export function roundGroups(splits: Splits): void {
  const weights = new Uint16Array(splits.width);
  for (let group = 0; group < splits.count.length; group++) {
    if ((splits.count[group] ?? 0) > 1 && splits.changed[group] === 1) roundGroup(splits, group, weights);
  }
}

/** The groups, whose shares were rounded, as tables; those that were not changed as they are in `before`. */
export function tablesOf(splits: Splits, before?: WeightedTables): WeightedTables {
  const n = splits.nodeCount;
  const start = new Uint32Array(n * n + 1);
  for (let group = 0; group < n * n; group++) start[group + 1] = (start[group] ?? 0) + (splits.count[group] ?? 0);
  const link = new Int32Array(start[n * n] ?? 0);
  const weight = new Uint16Array(link.length).fill(1);
  const weights = new Uint16Array(splits.width);
  for (let group = 0; group < n * n; group++) {
    const slot = group * splits.width;
    const count = splits.count[group] ?? 0;
    const at = start[group] ?? 0;
    if (before !== undefined && splits.changed[group] === 0) {
      const from = before.start[group] ?? 0;
      for (let k = 0; k < count; k++) {
        link[at + k] = before.link[from + k] ?? 0;
        weight[at + k] = before.weight[from + k] ?? 1;
      }
      continue;
    }
    if (count > 1) memberWeights(splits.share, slot, count, weights);
    for (let k = 0; k < count; k++) {
      // by insertion: members in rising order of their links
      let place = at + k;
      const member = splits.link[slot + k] ?? 0;
      for (; place > at && (link[place - 1] ?? 0) > member; place--) {
        link[place] = link[place - 1] ?? 0;
        weight[place] = weight[place - 1] ?? 0;
      }
      link[place] = member;
      weight[place] = count > 1 ? (weights[k] ?? 1) : 1;
    }
  }
  return { nodeCount: n, start, link, weight };
}
