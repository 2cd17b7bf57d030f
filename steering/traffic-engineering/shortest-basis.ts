/**
 * What every plan for a network needs and demand does not change: its shortest paths by RTT. Made once, and used again for as
 * long as the network is the same.
 */
import { DelayTrees } from './delay-trees.ts';
import { accessLoads, type ForwardedLoads } from './forwarded-loads.ts';
import { type LinkIndex, linksBy } from './link-index.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { WeightedTables } from './weighted-tables.ts';

export class ShortestBasis {
  readonly network: TrafficNetwork;
  readonly into: LinkIndex;
  /** One member a group: the first link of the path with the least RTT. */
  readonly tables: WeightedTables;
  /** Destination-major: nodes that reach it, nearest first; how many; the first link from each node (-1: none); microseconds. */
  readonly order: Int32Array;
  readonly reached: Int32Array;
  readonly firstLink: Int32Array;
  readonly distance: Float64Array;

  constructor(network: TrafficNetwork) {
    const n = network.nodeCount;
    this.network = network;
    this.into = linksBy(network.to, network);
    this.order = new Int32Array(n * n);
    this.reached = new Int32Array(n);
    this.firstLink = new Int32Array(n * n);
    this.distance = new Float64Array(n * n);
    const start = new Uint32Array(n * n + 1);
    const link = new Int32Array(n * n);
    const trees = new DelayTrees(network, this.into);
    let at = 0;
    for (let t = 0; t < n; t++) {
      trees.compute(t, network.rttUs);
      const row = t * n;
      this.order.set(trees.order, row);
      this.reached[t] = trees.reached;
      this.firstLink.set(trees.firstLink, row);
      this.distance.set(trees.distance, row);
      for (let v = 0; v < n; v++) {
        const first = trees.firstLink[v] ?? -1;
        if (first >= 0) link[at++] = first;
        start[row + v + 1] = at;
      }
    }
    this.tables = { nodeCount: n, start, link: link.slice(0, at), weight: new Uint16Array(at).fill(1) };
  }

  /** What the shortest paths carry of `demand`, destination-major. */
  loads(demand: Float64Array): ForwardedLoads {
    const { nodeCount: n, to } = this.network;
    const linkBps = new Float64Array(to.length);
    const through = new Float64Array(n);
    let undeliveredBps = 0;
    for (let t = 0; t < n; t++) {
      const row = t * n;
      const reached = this.reached[t] ?? 0;
      for (let v = 0; v < n; v++) {
        through[v] = demand[row + v] ?? 0;
        if (v !== t && (this.firstLink[row + v] ?? -1) < 0) undeliveredBps += through[v] ?? 0;
      }
      for (let at = reached - 1; at > 0; at--) {
        const v = this.order[row + at] ?? 0;
        const bps = through[v] ?? 0;
        if (bps === 0) continue;
        const link = this.firstLink[row + v] ?? 0;
        const head = to[link] ?? 0;
        linkBps[link] = (linkBps[link] ?? 0) + bps;
        through[head] = (through[head] ?? 0) + bps;
      }
    }
    return { linkBps, ...accessLoads(this.network, linkBps), undeliveredBps };
  }

  /** Whether it is what would be made for `network`. */
  fits(network: TrafficNetwork): boolean {
    const own = this.network;
    return (
      own.nodeCount === network.nodeCount &&
      same(own.from, network.from) &&
      same(own.to, network.to) &&
      same(own.rttUs, network.rttUs) &&
      same(own.forwards, network.forwards)
    );
  }
}

type Column = Int32Array | Float64Array | Uint8Array | undefined;

export function same(a: Column, b: Column): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
