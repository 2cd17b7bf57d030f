/** The search for good groups: the state, and the schedule by which the smooth maximum gets steeper. */
import { Descent } from './descent.ts';
import { linksBy } from './link-index.ts';
import { LoadPrices } from './load-prices.ts';
import { type KeptPrices, LowerBound } from './lower-bound.ts';
import type { ShortestBasis } from './shortest-basis.ts';
import { addAccessLoads, pushSplits } from './split-loads.ts';
import { Splits } from './splits.ts';
import { Steepness } from './steepness.ts';
import { StretchBound } from './stretch-bound.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { TrafficOptions } from './traffic-options.ts';
import type { WeightedTables } from './weighted-tables.ts';

/** Rounds until the search ends without having met the gap: the stretch bound or the members may forbid it. */
const MOST_ROUNDS = 160;
/** Tables that were found at one of these, or between them, show it in a bound near their loads. */
const BOUND_ETAS = [300, 1000, 3000] as const;
/** The stretch bound or the members may forbid the optimum: the search ends when falling back gained little so often. */
const WORTH_ANOTHER = 2e-4;
const MOST_FRUITLESS = 3;
/** The length of paths weighs so little beside load at the goal: it decides what load leaves open. */
const LENGTH_WEIGHT = 1e-6;
/** Members whose prices differ by less are equally good. */
const TOLERANCE = 1e-3;
const WARM_TOLERANCE = 1e-2;
/** From tables in force, what costs less than this part of the dearest resource is left alone: moving it gains nothing that shows. */
const WARM_LEAST = 0.02;

export class TrafficSearch {
  readonly splits: Splits;
  readonly prices: LoadPrices;
  readonly bound: LowerBound;
  rounds = 0;
  readonly #basis: ShortestBasis;
  readonly #network: TrafficNetwork;
  readonly #demand: Float64Array;
  readonly #options: TrafficOptions;
  readonly #stretch: StretchBound | null;
  readonly #descent: Descent;
  readonly #lambda: number;
  #best: Splits | null = null;
  #bestUtilisation = Number.POSITIVE_INFINITY;

  /** `kept`: prices of a bound found for another demand. */
  constructor(
    basis: ShortestBasis,
    network: TrafficNetwork,
    demand: Float64Array,
    options: TrafficOptions,
    kept: KeptPrices | null = null,
  ) {
    const { into } = basis;
    this.#basis = basis;
    this.#network = network;
    this.#demand = demand;
    this.#options = options;
    this.splits = new Splits(network, options.members);
    this.prices = new LoadPrices(network);
    this.bound = new LowerBound(network, into, demand, kept);
    this.#stretch = options.stretch === null ? null : new StretchBound(network, this.splits);
    this.#descent = new Descent({
      network,
      out: linksBy(network.from, network),
      into,
      splits: this.splits,
      prices: this.prices,
      demand,
      stretch: this.#stretch,
      members: options.members,
    });
    let largest = 0;
    for (const inverse of this.prices.inverseCapacity) if (inverse > 0) largest = Math.max(largest, 1 / inverse);
    this.#lambda = largest > 0 ? LENGTH_WEIGHT / largest : LENGTH_WEIGHT;
  }

  get shifts(): number {
    return this.#descent.shifts;
  }

  /** Takes the groups of `previous` where they are whole and short enough, else the shortest paths. Whether it took all. */
  begin(previous: WeightedTables | undefined): boolean {
    let whole = previous !== undefined;
    const { stretch } = this.#options;
    const n = this.#network.nodeCount;
    for (let t = 0; t < n; t++) {
      const order = this.#basis.order.subarray(t * n, (t + 1) * n);
      const reached = this.#basis.reached[t] ?? 0;
      if (stretch !== null) {
        this.#stretch?.limit(t, this.#basis.distance.subarray(t * n, (t + 1) * n), stretch);
      }
      const taken = previous !== undefined && this.splits.takeTables(t, previous, order, reached);
      if (!taken || this.#stretch?.holds(t) === false) {
        this.splits.plantTree(t, this.#basis.firstLink.subarray(t * n, (t + 1) * n), order, reached);
        whole = false;
      }
    }
    this.addLoads();
    return whole;
  }

  /** Sums the loads anew: steps leave rounding behind. */
  addLoads(): void {
    const { load } = this.prices;
    const through = new Float64Array(this.#network.nodeCount);
    load.fill(0);
    for (let t = 0; t < this.#network.nodeCount; t++) {
      pushSplits(this.#network, this.splits, this.#demand, t, through, load);
    }
    addAccessLoads(this.#network, load);
  }

  /** Whether the loads as they are, are near the optimum: by prices of several steepnesses. */
  isNear(near: number): boolean {
    const highest = this.prices.highest();
    if (highest <= this.#options.calmUtilisation || highest <= near * this.bound.value) return true;
    // a bound from before that says nothing now is not far off: the search will look for a better one
    if (this.bound.value > 0) return false;
    for (const eta of BOUND_ETAS) {
      this.prices.tune(eta, highest, 0);
      if (highest <= near * this.bound.raise(this.prices)) return true;
    }
    return false;
  }

  /** Runs until the highest utilisation is within the gap of the bound, or below where it matters. */
  run(warm: boolean): void {
    const { calmUtilisation, gap, warmGap } = this.#options;
    const near = 1 + (warm ? warmGap : gap);
    const tolerance = warm ? WARM_TOLERANCE : TOLERANCE;
    const steepness = new Steepness(this.prices.resourceCount, warm);
    let fruitless = 0;
    for (; this.rounds < MOST_ROUNDS; this.rounds++) {
      const highest = this.prices.highest();
      if (highest <= calmUtilisation) break;
      if (warm && highest <= near * this.bound.value) break;
      steepness.begin(highest);
      if (steepness.looksAtBound) {
        const above = highest / this.bound.raise(this.prices) - 1;
        if (above <= near - 1) break;
        if (steepness.above(above)) {
          if (highest > this.#bestUtilisation * (1 - WORTH_ANOTHER) && ++fruitless === MOST_FRUITLESS) break;
          this.#keepIfBest(highest);
        }
      }
      this.prices.tune(steepness.eta, Math.max(highest, calmUtilisation), this.#lambda);
      const least = warm ? this.prices.dearest() * WARM_LEAST : 0;
      for (let t = 0; t < this.#network.nodeCount; t++) this.#descent.visit(t, tolerance, least);
      steepness.end();
    }
    if (this.#best !== null && this.#bestUtilisation < this.prices.highest()) this.splits.copy(this.#best);
    this.addLoads();
  }

  #keepIfBest(highest: number): void {
    if (highest >= this.#bestUtilisation) return;
    this.#bestUtilisation = highest;
    this.#best ??= new Splits(this.#network, this.#options.members);
    this.#best.copy(this.splits);
  }
}
