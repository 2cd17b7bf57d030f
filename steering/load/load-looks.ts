/** What was seen of load in the last looks, and its means. Pure. */
import type { ForwardedLoads } from '../traffic-engineering/forwarded-loads.ts';
import type { TrafficDemand } from '../traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../traffic-engineering/traffic-network.ts';

export interface Look {
  readonly atMs: number;
  /** Utilisation of every resource, see `utilisations`. */
  readonly use: Float64Array;
  /** Demand, destination-major. */
  readonly matrix: Float64Array;
}

/** What is loaded so much less than the worst cannot become the worst by noise. */
const BUSY_SHARE = 0.8;

export class LoadLooks {
  #looks: Look[] = [];

  /** Adds a look, and drops those of `sinceMs` and before. */
  add(look: Look, sinceMs: number): void {
    this.#looks = this.#looks.filter(({ atMs }) => atMs > sinceMs);
    this.#looks.push(look);
  }

  forget(): void {
    this.#looks = [];
  }

  /** Mean utilisations of the looks after `sinceMs`. */
  meanUse(sinceMs: number): Float64Array {
    return meanOf(this.#looks.filter(({ atMs }) => atMs > sinceMs).map(({ use }) => use));
  }

  /** More than one look, and the worst of each at least so much. */
  allAbove(utilisation: number, sinceMs: number): boolean {
    const looks = this.#looks.filter(({ atMs }) => atMs > sinceMs);
    return looks.length > 1 && looks.every(({ use }) => most(use) >= utilisation);
  }

  /** Mean demand of the looks after `sinceMs`, pairs in the order of destination and source. */
  meanDemand(nodeCount: number, sinceMs: number): TrafficDemand {
    const mean = meanOf(this.#looks.filter(({ atMs }) => atMs > sinceMs).map(({ matrix }) => matrix));
    const [from, to, rate]: [number[], number[], number[]] = [[], [], []];
    for (const [cell, bps] of mean.entries()) {
      if (bps === 0) continue;
      from.push(cell % nodeCount);
      to.push(Math.floor(cell / nodeCount));
      rate.push(bps);
    }
    return { from: Int32Array.from(from), to: Int32Array.from(to), rateBps: Float64Array.from(rate) };
  }
}

function meanOf(columns: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(columns[0]?.length ?? 0);
  for (const column of columns)
    for (let k = 0; k < mean.length; k++) mean[k] = (mean[k] ?? 0) + (column[k] ?? 0) / columns.length;
  return mean;
}

export function most(use: Float64Array): number {
  let worst = 0;
  for (let k = 0; k < use.length; k++) worst = Math.max(worst, use[k] ?? 0);
  return worst;
}

/** Of links, uplinks and downlinks, in this order. */
export function utilisations(network: TrafficNetwork, loads: ForwardedLoads): Float64Array {
  const { linkBps, uplinkBps, downlinkBps } = loads;
  const all = new Float64Array(linkBps.length + 2 * network.nodeCount);
  let at = 0;
  for (const [bps, capacity] of [
    [linkBps, network.capacityBps],
    [uplinkBps, network.uplinkBps],
    [downlinkBps, network.downlinkBps],
  ] as const) {
    for (let k = 0; k < bps.length; k++) all[at++] = (bps[k] ?? 0) / (capacity?.[k] ?? Number.POSITIVE_INFINITY);
  }
  return all;
}

/** The most by which something busy in either differs. */
export function drift(a: Float64Array, b: Float64Array): number {
  const busy = BUSY_SHARE * Math.max(most(a), most(b));
  let by = 0;
  for (let k = 0; k < a.length; k++) {
    const [now, then] = [a[k] ?? 0, b[k] ?? 0];
    if (Math.max(now, then) >= busy) by = Math.max(by, Math.abs(now - then));
  }
  return by;
}
