/**
 * What of new tables is worth its moves: a destination whose groups were changed gets its old ones back where the highest
 * utilisation stays within a limit without the change. Those with the fewest changed routes are given back last, so that what
 * moves is few routes that count. Pure.
 */
import { accessLoads, forwardedLoads, highestUtilisation, TablePush } from './forwarded-loads.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import { sameGroup, type WeightedTables } from './weighted-tables.ts';

/**
 * `after`, or tables between it and `before` with the groups of some destinations as before, and the highest utilisation at
 * most `limit`. `demand`: destination-major.
 */
export function keepWhatCounts(
  network: TrafficNetwork,
  demand: Float64Array,
  before: WeightedTables,
  after: WeightedTables,
  limit: number,
): WeightedTables {
  const n = network.nodeCount;
  const changed: { readonly t: number; readonly routes: number }[] = [];
  for (let t = 0; t < n; t++) {
    let routes = 0;
    for (let v = 0; v < n; v++) if (!sameGroup(before, after, t * n + v)) routes++;
    if (routes > 0) changed.push({ t, routes });
  }
  if (changed.length === 0) return after;
  const push = new TablePush(network);
  let { linkBps } = forwardedLoads(network, after, demand);
  const back = new Uint8Array(n);
  let count = 0;
  for (const { t } of changed.sort((a, b) => b.routes - a.routes || a.t - b.t)) {
    const tried = linkBps.slice();
    push.add(after, demand, t, -1, tried);
    push.add(before, demand, t, 1, tried);
    const highest = highestUtilisation(network, { linkBps: tried, ...accessLoads(network, tried), undeliveredBps: 0 });
    if (highest > limit) continue;
    linkBps = tried;
    back[t] = 1;
    count++;
  }
  return count === 0 ? after : merged(before, after, back);
}

/** The groups towards t from `before` where back[t] is 1, else from `after`. */
function merged(before: WeightedTables, after: WeightedTables, back: Uint8Array): WeightedTables {
  const n = after.nodeCount;
  const start = new Uint32Array(n * n + 1);
  const of = (t: number): WeightedTables => (back[t] === 1 ? before : after);
  for (let t = 0; t < n; t++) {
    const source = of(t);
    for (let group = t * n; group < (t + 1) * n; group++) {
      start[group + 1] = (start[group] ?? 0) + (source.start[group + 1] ?? 0) - (source.start[group] ?? 0);
    }
  }
  const link = new Int32Array(start[n * n] ?? 0);
  const weight = new Uint16Array(link.length);
  for (let t = 0; t < n; t++) {
    const source = of(t);
    const [first, end] = [source.start[t * n] ?? 0, source.start[(t + 1) * n] ?? 0];
    link.set(source.link.subarray(first, end), start[t * n] ?? 0);
    weight.set(source.weight.subarray(first, end), start[t * n] ?? 0);
  }
  return { nodeCount: n, start, link, weight };
}
