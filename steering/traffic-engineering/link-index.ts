/** The links of a traffic network by the node that they leave, and by the node that they enter. */
import type { TrafficNetwork } from './traffic-network.ts';

/** The links of node v are link[start[v]] to link[start[v + 1] - 1], in rising order. */
export interface LinkIndex {
  readonly start: Int32Array;
  readonly link: Int32Array;
}

/** Links by an end of theirs: `ends` is the network's `from` or `to`. */
export function linksBy(ends: Int32Array, { nodeCount }: TrafficNetwork): LinkIndex {
  const start = new Int32Array(nodeCount + 1);
  for (const node of ends) start[node + 1] = (start[node + 1] ?? 0) + 1;
  for (let node = 0; node < nodeCount; node++) start[node + 1] = (start[node + 1] ?? 0) + (start[node] ?? 0);
  const next = start.slice();
  const link = new Int32Array(ends.length);
  for (let k = 0; k < ends.length; k++) {
    const node = ends[k] ?? 0;
    const at = next[node] ?? 0;
    link[at] = k;
    next[node] = at + 1;
  }
  return { start, link };
}
