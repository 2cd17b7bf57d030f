/**
 * How long paths may get: towards each destination, the longest path that the groups allow from a node stays within the
 * node's limit. Kept while links are added one at a time, from two labels a node: `longest`, the longest path to the
 * destination, and `most`, how long that may become before some node upstream is beyond its limit.
 */
import type { Splits } from './splits.ts';
import type { TrafficNetwork } from './traffic-network.ts';

export interface StretchRule {
  /** A pair's paths may take so many times its shortest RTT... */
  readonly factor: number;
  /** ...and so many microseconds more. */
  readonly extraUs: number;
}

/** Sums of RTTs in another order differ in the last bits; a path as long as the limit is within it. */
const ROUNDING = 1e-9;

export class StretchBound {
  readonly #network: TrafficNetwork;
  readonly #splits: Splits;
  /** Destination-major: the longest allowed, in microseconds. */
  readonly #limit: Float64Array;
  readonly #longest: Float64Array;
  readonly #most: Float64Array;
  /** The destination that the labels are of; -1: none. */
  #labelled = -1;

  constructor(network: TrafficNetwork, splits: Splits) {
    this.#network = network;
    this.#splits = splits;
    this.#limit = new Float64Array(network.nodeCount * network.nodeCount);
    this.#longest = new Float64Array(network.nodeCount);
    this.#most = new Float64Array(network.nodeCount);
  }

  /** Sets the limits towards `t` from the shortest RTT of each node to it. */
  limit(t: number, shortestUs: Float64Array, { factor, extraUs }: StretchRule): void {
    const row = t * this.#network.nodeCount;
    for (let v = 0; v < shortestUs.length; v++) {
      this.#limit[row + v] = ((shortestUs[v] ?? 0) * factor + extraUs) * (1 + ROUNDING);
    }
  }

  /** Says that members towards `t` came or went. */
  changed(t: number): void {
    if (this.#labelled === t) this.#labelled = -1;
  }

  /** Whether node v may send to t by `link` too. */
  allows(t: number, v: number, link: number): boolean {
    if (this.#labelled !== t) this.#label(t);
    const head = this.#network.to[link] ?? 0;
    return (this.#network.rttUs[link] ?? 0) + (this.#longest[head] ?? 0) <= (this.#most[v] ?? 0);
  }

  /** Whether all paths that the groups towards `t` allow are within their limits. */
  holds(t: number): boolean {
    this.#label(t);
    const row = t * this.#network.nodeCount;
    const reached = this.#splits.reached[t] ?? 0;
    for (let at = 1; at < reached; at++) {
      const v = this.#splits.order[row + at] ?? 0;
      if ((this.#longest[v] ?? 0) > (this.#limit[row + v] ?? 0)) return false;
    }
    return true;
  }

  #label(t: number): void {
    const { to, rttUs } = this.#network;
    const { order, reached, link, count, width, nodeCount } = this.#splits;
    const row = t * nodeCount;
    const longest = this.#longest;
    const most = this.#most;
    const end = reached[t] ?? 0;
    longest[t] = 0;
    for (let at = 1; at < end; at++) {
      const v = order[row + at] ?? 0;
      most[v] = this.#limit[row + v] ?? 0;
      const slot = (row + v) * width;
      const last = slot + (count[row + v] ?? 0);
      let far = 0;
      for (let k = slot; k < last; k++) {
        const member = link[k] ?? 0;
        const by = (rttUs[member] ?? 0) + (longest[to[member] ?? 0] ?? 0);
        if (by > far) far = by;
      }
      longest[v] = far;
    }
    for (let at = end - 1; at > 0; at--) {
      const v = order[row + at] ?? 0;
      const slot = (row + v) * width;
      const last = slot + (count[row + v] ?? 0);
      for (let k = slot; k < last; k++) {
        const member = link[k] ?? 0;
        const head = to[member] ?? 0;
        const room = (most[v] ?? 0) - (rttUs[member] ?? 0);
        if (room < (most[head] ?? 0)) most[head] = room;
      }
    }
    this.#labelled = t;
  }
}
