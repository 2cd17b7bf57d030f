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

export class LowerBound {
  readonly #network: TrafficNetwork;
  readonly #trees: DelayTrees;
  readonly #demand: Float64Array;
  readonly #price: Float64Array;
  /** The highest bound found so far. */
  value = 0;

  constructor(network: TrafficNetwork, into: LinkIndex, demand: Float64Array) {
    this.#network = network;
    this.#trees = new DelayTrees(network, into);
    this.#demand = demand;
    this.#price = new Float64Array(network.from.length);
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
    for (let t = 0; t < nodeCount; t++) {
      this.#trees.compute(t, this.#price);
      for (let at = 1; at < this.#trees.reached; at++) {
        const v = this.#trees.order[at] ?? 0;
        const rate = this.#demand[t * nodeCount + v] ?? 0;
        if (rate > 0) cost += rate * (this.#trees.distance[v] ?? 0);
      }
    }
    if (cost / weight > this.value) this.value = cost / weight;
    return this.value;
  }
}
