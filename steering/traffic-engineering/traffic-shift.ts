/**
 * One step of the descent: at one node, part of its traffic towards one destination goes from one link to another. The
 * loads change along a line (everything downstream splits as before), on which the cost is convex: the best length of
 * the step is found exactly.
 */
import type { LinkIndex } from './link-index.ts';
import type { LoadPrices } from './load-prices.ts';
import type { Splits } from './splits.ts';
import type { TrafficNetwork } from './traffic-network.ts';

/** Looks for the length of one shift: where it ends is within so much of the whole, or balanced to so much. */
const LINE_STEPS = 30;
const LINE_TOLERANCE = 1e-7;
const BALANCED = 1e-3;
/** Parts of a shifted unit smaller than this are rounding, not traffic. */
const LEAST_PART = 1e-12;

export class TrafficShift {
  readonly #network: TrafficNetwork;
  readonly #out: LinkIndex;
  readonly #into: LinkIndex;
  readonly #splits: Splits;
  readonly #prices: LoadPrices;
  /** What each node gets more of, per unit shifted. All 0 between calls. */
  readonly #part: Float64Array;
  /** What each resource gets more of, per unit shifted, for those in #touched. */
  readonly #change: Float64Array;
  readonly #listed: Uint8Array;
  readonly #touched: Int32Array;
  #touchedCount = 0;
  /** Nodes downstream that get more or less, and how much per unit shifted. */
  readonly nodes: Int32Array;
  readonly parts: Float64Array;
  nodeCount = 0;

  constructor(network: TrafficNetwork, out: LinkIndex, into: LinkIndex, splits: Splits, prices: LoadPrices) {
    this.#network = network;
    this.#out = out;
    this.#into = into;
    this.#splits = splits;
    this.#prices = prices;
    this.#part = new Float64Array(network.nodeCount);
    this.#change = new Float64Array(prices.resourceCount);
    this.#listed = new Uint8Array(prices.resourceCount);
    this.#touched = new Int32Array(prices.resourceCount);
    this.nodes = new Int32Array(network.nodeCount);
    this.parts = new Float64Array(network.nodeCount);
  }

  /** Aims the step: per unit, what of `t`'s traffic goes from link `away` to link `onto` of the same node. */
  aim(t: number, away: number, onto: number): void {
    this.#forget();
    const { to } = this.#network;
    this.#add(away, -1);
    this.#add(onto, 1);
    const part = this.#part;
    const n = this.#splits.nodeCount;
    const row = t * n;
    const { place, order, count, link, share, width } = this.#splits;
    const a = to[away] ?? 0;
    const b = to[onto] ?? 0;
    part[a] = (part[a] ?? 0) - 1;
    part[b] = (part[b] ?? 0) + 1;
    for (let at = Math.max(place[row + a] ?? 0, place[row + b] ?? 0); at > 0; at--) {
      const v = order[row + at] ?? 0;
      const amount = part[v] ?? 0;
      if (amount === 0) continue;
      part[v] = 0;
      if (amount < LEAST_PART && amount > -LEAST_PART) continue;
      this.nodes[this.nodeCount] = v;
      this.parts[this.nodeCount++] = amount;
      const slot = (row + v) * width;
      const end = slot + (count[row + v] ?? 0);
      for (let k = slot; k < end; k++) {
        const each = amount * (share[k] ?? 0);
        if (each === 0) continue;
        const next = link[k] ?? 0;
        this.#add(next, each);
        const head = to[next] ?? 0;
        part[head] = (part[head] ?? 0) + each;
      }
    }
    part[t] = 0;
  }

  /**
   * How dear what gets more is, over how dear what gets less is, as a logarithm, after `amount` was shifted. Negative:
   * shifting more pays. Prices are exponential in load, so this is nearly straight where the slope itself is a cliff.
   */
  balanceAt(amount: number): number {
    const { load } = this.#prices;
    let more = 0;
    let less = 0;
    for (let k = 0; k < this.#touchedCount; k++) {
      const r = this.#touched[k] ?? 0;
      const change = this.#change[r] ?? 0;
      const cost = change * this.#prices.priceAt(r, (load[r] ?? 0) + amount * change);
      if (cost > 0) more += cost;
      else less -= cost;
    }
    return Math.log(more / less);
  }

  /** The best amount between 0 and `most`. */
  bestAmount(most: number): number {
    let lowBalance = this.balanceAt(0);
    if (!(lowBalance < 0)) return 0;
    let highBalance = this.balanceAt(most);
    if (!(highBalance > 0)) return most;
    let low = 0;
    let high = most;
    let side = 0;
    // Illinois: the secant between the ends, with the value of an end that stays twice halved
    for (let step = 0; step < LINE_STEPS && high - low > LINE_TOLERANCE * most; step++) {
      let middle = (low * highBalance - high * lowBalance) / (highBalance - lowBalance);
      if (!(middle > low && middle < high) || step % 4 === 3) middle = (low + high) / 2;
      const balance = this.balanceAt(middle);
      if (Math.abs(balance) < BALANCED) return middle;
      if (balance < 0) {
        low = middle;
        lowBalance = balance;
        if (side === -1) highBalance /= 2;
        side = -1;
      } else {
        high = middle;
        highBalance = balance;
        if (side === 1) lowBalance /= 2;
        side = 1;
      }
    }
    return low;
  }

  /** Carries out the step for loads and prices. Shares are the caller's. */
  apply(amount: number): void {
    const prices = this.#prices;
    const { load, linkCount } = prices;
    for (let k = 0; k < this.#touchedCount; k++) {
      const r = this.#touched[k] ?? 0;
      const after = (load[r] ?? 0) + amount * (this.#change[r] ?? 0);
      load[r] = Math.max(after, 0);
      prices.reprice(r);
    }
    for (let k = 0; k < this.#touchedCount; k++) {
      const r = this.#touched[k] ?? 0;
      if (r < linkCount) prices.refresh(r);
      else this.#refreshAround(r - linkCount);
    }
  }

  #refreshAround(access: number): void {
    const n = this.#network.nodeCount;
    const { start, link } = access < n ? this.#out : this.#into;
    const node = access < n ? access : access - n;
    const end = start[node + 1] ?? 0;
    for (let k = start[node] ?? 0; k < end; k++) this.#prices.refresh(link[k] ?? 0);
  }

  #add(link: number, amount: number): void {
    this.#touch(link, amount);
    if (!this.#prices.hasAccess) return;
    const n = this.#network.nodeCount;
    this.#touch(this.#prices.linkCount + (this.#network.from[link] ?? 0), amount);
    this.#touch(this.#prices.linkCount + n + (this.#network.to[link] ?? 0), amount);
  }

  #touch(resource: number, amount: number): void {
    if (this.#prices.inverseCapacity[resource] === 0 && resource >= this.#prices.linkCount) return;
    if (this.#listed[resource] === 0) {
      this.#listed[resource] = 1;
      this.#touched[this.#touchedCount++] = resource;
    }
    this.#change[resource] = (this.#change[resource] ?? 0) + amount;
  }

  #forget(): void {
    for (let k = 0; k < this.#touchedCount; k++) {
      const r = this.#touched[k] ?? 0;
      this.#change[r] = 0;
      this.#listed[r] = 0;
    }
    this.#touchedCount = 0;
    this.nodeCount = 0;
  }
}
