/**
 * A bound below which no routing can bring the highest utilisation. For any prices p of resources, 0 or more,
 *
 *   sum over pairs of demand * (cheapest path under p)  /  sum over resources of capacity * p
 *
 * is at most the optimum (linear programming duality: Shahrokhi and Matula, J. ACM 37(2), 1990). Prices near those of the
 * optimum give a bound near it: so the optimiser knows by itself how good its routes are.
 */
import { DelayTrees } from './delay-trees.ts';
import type { LinkIndex } from './link-index.ts';
import type { LoadPrices } from './load-prices.ts';
import type { TrafficNetwork } from './traffic-network.ts';

/** Prices under which a bound was found: what getting from each node to each other costs, and what all capacity costs. */
export interface KeptPrices {
  /** Destination-major. */
  readonly distance: Float64Array;
  readonly weight: number;
}

export class LowerBound {
  readonly #network: TrafficNetwork;
  readonly #trees: DelayTrees;
  readonly #demand: Float64Array;
  readonly #price: Float64Array;
  #scratch: Float64Array | null = null;
  /** The highest bound found so far. */
  value = 0;
  /** The prices that gave it; null: none did. */
  kept: KeptPrices | null = null;

  /** `kept`: prices of a bound for another demand in the same network: they bound this one too. */
  constructor(network: TrafficNetwork, into: LinkIndex, demand: Float64Array, kept: KeptPrices | null = null) {
    this.#network = network;
    this.#trees = new DelayTrees(network, into);
    this.#demand = demand;
    this.#price = new Float64Array(network.from.length);
    if (kept === null) return;
    let cost = 0;
    for (let cell = 0; cell < demand.length; cell++) {
      const rate = demand[cell] ?? 0;
      if (rate > 0) cost += rate * (kept.distance[cell] ?? 0);
    }
    this.value = cost / kept.weight;
    this.kept = kept;
  }

  /** Tries the prices that load has now, without those of length. Returns the highest bound so far. */
  raise(prices: LoadPrices): number {
    const { nodeCount, from, to } = this.#network;
    const { load, inverseCapacity, linkCount, resourceCount, steepness } = prices;
    const highest = prices.highest();
    let weight = 0;
    const own = (r: number): number => {
      const inverse = inverseCapacity[r] ?? 0;
      return inverse * Math.exp(steepness * ((load[r] ?? 0) * inverse - highest));
    };
    for (let r = 0; r < resourceCount; r++) {
      const inverse = inverseCapacity[r] ?? 0;
      if (inverse > 0) weight += own(r) / inverse;
    }
    for (let link = 0; link < linkCount; link++) {
      let price = own(link);
      if (prices.hasAccess) price += own(linkCount + (from[link] ?? 0)) + own(linkCount + nodeCount + (to[link] ?? 0));
      this.#price[link] = price;
    }
    let cost = 0;
    const distance = this.#scratch ?? new Float64Array(nodeCount * nodeCount);
    for (let t = 0; t < nodeCount; t++) {
      this.#trees.compute(t, this.#price);
      const row = t * nodeCount;
      for (let at = 1; at < this.#trees.reached; at++) {
        const v = this.#trees.order[at] ?? 0;
        const rate = this.#demand[t * nodeCount + v] ?? 0;
        if (rate > 0) cost += rate * (this.#trees.distance[v] ?? 0);
        distance[row + v] = this.#trees.distance[v] ?? 0;
      }
    }
    this.#scratch = distance;
    if (cost / weight > this.value) {
      this.value = cost / weight;
      this.kept = { distance, weight };
      this.#scratch = null;
    }
    return this.value;
  }
}
