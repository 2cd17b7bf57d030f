/** The loads that shares of a working state put on links and accesses. */
import type { Splits } from './splits.ts';
import type { TrafficNetwork } from './traffic-network.ts';

/**
 * Pushes `demand` (destination-major) through the groups towards `t` by their shares. `through` gets what passes each node that
 * reaches `t`; what each link carries is added to `load`, unless that is null.
 */
export function pushSplits(
  network: TrafficNetwork,
  splits: Splits,
  demand: Float64Array,
  t: number,
  through: Float64Array,
  load: Float64Array | null,
): void {
  const row = t * splits.nodeCount;
  const reached = splits.reached[t] ?? 0;
  for (let at = 0; at < reached; at++) {
    const v = splits.order[row + at] ?? 0;
    through[v] = demand[row + v] ?? 0;
  }
  for (let at = reached - 1; at > 0; at--) {
    const v = splits.order[row + at] ?? 0;
    const amount = through[v] ?? 0;
    if (amount === 0) continue;
    const slot = (row + v) * splits.width;
    const end = slot + (splits.count[row + v] ?? 0);
    for (let k = slot; k < end; k++) {
      const link = splits.link[k] ?? 0;
      const part = amount * (splits.share[k] ?? 0);
      if (load !== null) load[link] = (load[link] ?? 0) + part;
      const head = network.to[link] ?? 0;
      through[head] = (through[head] ?? 0) + part;
    }
  }
}

/** Adds the links' loads up at the accesses: resources of load-prices.ts. */
export function addAccessLoads(network: TrafficNetwork, load: Float64Array): void {
  const links = network.from.length;
  const n = network.nodeCount;
  if (load.length === links) return;
  load.fill(0, links);
  for (let link = 0; link < links; link++) {
    const bps = load[link] ?? 0;
    const up = links + (network.from[link] ?? 0);
    const down = links + n + (network.to[link] ?? 0);
    load[up] = (load[up] ?? 0) + bps;
    load[down] = (load[down] ?? 0) + bps;
  }
}
