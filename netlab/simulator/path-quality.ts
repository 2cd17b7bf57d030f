/**
 * How good the paths are that packets take at a moment, beside the best that the network under them has: over all
 * destinations, or a fixed sample of them where there are many. Nothing here knows what steering knows.
 */
import type { ForwardingState } from './forwarding-state.ts';
import type { SimulatedUnderlay } from './simulated-underlay.ts';

export interface PathSample {
  readonly atS: number;
  /** Pairs that were looked at: both are there, have power, and some way between them works. */
  readonly pairs: number;
  /** Share of them whose packets do not arrive: a broken link or node on their path. 0 to 1. */
  readonly outage: number;
  /** RTT over the path that packets take to the least possible RTT, over those that arrive. 1 and more. */
  readonly meanStretch: number;
  readonly p99Stretch: number;
  readonly worstStretch: number;
  /** Share of pairs outside the margin that steering promises: 5 % and 1.5 ms above the optimum. */
  readonly outsideMargin: number;
}

/** Work of one sample, in steps of about a nanosecond: some tens of ms. */
const WORK = 2e7;
/** The margin of steering on noisy links (docs/steering.md): what hysteresis keeps and the transit price. */
const MARGIN_RATIO = 1.05;
const MARGIN_US = 1_500;

export class PathQuality {
  readonly #underlay: SimulatedUnderlay;
  readonly #forwarding: ForwardingState;
  readonly #peers: readonly (readonly number[])[];
  readonly #transit: readonly boolean[];
  readonly #destinations: readonly number[];

  /** `peers`: the links that there are, by node. */
  constructor(deps: {
    readonly underlay: SimulatedUnderlay;
    readonly forwarding: ForwardingState;
    readonly peers: readonly (readonly number[])[];
    readonly transit: readonly boolean[];
  }) {
    this.#underlay = deps.underlay;
    this.#forwarding = deps.forwarding;
    this.#peers = deps.peers;
    this.#transit = deps.transit;
    const n = deps.peers.length;
    const count = Math.min(n, Math.max(16, Math.floor(WORK / n ** 2)));
    this.#destinations = Array.from({ length: count }, (_, i) => Math.floor((i * n) / count));
  }

  sample(atS: number): PathSample {
    const stretches: number[] = [];
    let pairs = 0;
    let outside = 0;
    for (const to of this.#destinations) {
      if (!this.#isThere(to)) continue;
      const best = this.#optimum(to);
      for (const from of this.#peers.keys()) {
        const least = best[from] ?? Number.POSITIVE_INFINITY;
        if (from === to || !this.#isThere(from) || least === Number.POSITIVE_INFINITY) continue;
        pairs++;
        const rttUs = this.#taken(from, to);
        if (rttUs === null) continue;
        stretches.push(rttUs / least);
        if (rttUs > least * MARGIN_RATIO + MARGIN_US) outside++;
      }
    }
    stretches.sort((a, b) => a - b);
    const arrived = stretches.length;
    return {
      atS,
      pairs,
      outage: pairs === 0 ? 0 : round(1 - arrived / pairs),
      meanStretch: arrived === 0 ? 1 : round(stretches.reduce((sum, s) => sum + s, 0) / arrived),
      p99Stretch: round(stretches[Math.ceil(0.99 * arrived) - 1] ?? 1),
      worstStretch: round(stretches.at(-1) ?? 1),
      outsideMargin: arrived === 0 ? 0 : round(outside / arrived),
    };
  }

  #isThere(node: number): boolean {
    return this.#forwarding.isMember(node) && this.#underlay.hasPower(node);
  }

  /** RTT of the path that packets take; null: they do not arrive. */
  #taken(from: number, to: number): number | null {
    const { fate, path } = this.#forwarding.path(from, to);
    if (fate !== 'delivered') return null;
    let sum = 0;
    for (let i = 1; i < path.length; i++) {
      const rttUs = this.#underlay.trueRttUs(path[i - 1] ?? 0, path[i] ?? 0);
      if (rttUs === null) return null;
      sum += rttUs;
    }
    return sum;
  }

  /** Least RTT of every node to `to` over links that work: Dijkstra without a queue, O(nodes squared + links). */
  #optimum(to: number): Float64Array {
    const n = this.#peers.length;
    const least = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
    const isDone = new Uint8Array(n);
    least[to] = 0;
    for (;;) {
      let node = -1;
      for (let v = 0; v < n; v++) {
        if (isDone[v] === 0 && (least[v] ?? 0) < (node < 0 ? Number.POSITIVE_INFINITY : (least[node] ?? 0))) node = v;
      }
      if (node < 0) return least;
      isDone[node] = 1;
      if (node !== to && this.#transit[node] !== true) continue;
      for (const peer of this.#peers[node] ?? []) {
        if (isDone[peer] === 1 || !this.#isThere(peer)) continue;
        const rttUs = this.#underlay.trueRttUs(node, peer);
        if (rttUs !== null) least[peer] = Math.min(least[peer] ?? 0, (least[node] ?? 0) + rttUs);
      }
    }
  }
}

function round(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}
