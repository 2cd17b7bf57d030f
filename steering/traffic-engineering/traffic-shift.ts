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
/**
 * A resource is followed along the line only if, from end to end, what it costs changes by more than this part of what balances:
 * of the hundred or so that a shift touches a handful is left. What the others leave out is within BALANCED.
 */
const LEAST_FOLLOWED = 1e-5;
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
  /** Per entry of #touched: what it costs per unit shifted, when all is. */
  readonly #costAtMost: Float64Array;
  /** Of #touched those whose cost matters to the length of the step; what the others cost, more and less. */
  readonly #followed: Int32Array;
  #followedCount = 0;
  #more = 0;
  #less = 0;
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
    this.#costAtMost = new Float64Array(prices.resourceCount);
    this.#followed = new Int32Array(prices.resourceCount);
    this.nodes = new Int32Array(network.nodeCount);
    this.parts = new Float64Array(network.nodeCount);
  }

  /** Aims the step: per unit, what of `t`'s traffic goes from link `away` to link `onto` of the same node. */
  aim(t: number, away: number, onto: number): void {
    this.#forget();
    const { to } = this.#network;
    this.#touch(away, -1);
    this.#touch(onto, 1);
    const part = this.#part;
    const n = this.#splits.nodeCount;
    const row = t * n;
    const { place, order, count, link, share, width } = this.#splits;
    const a = to[away] ?? 0;
    const b = to[onto] ?? 0;
    part[a] = (part[a] ?? 0) - 1;
    part[b] = (part[b] ?? 0) + 1;
    // nodes that have a part: where the two ways have come together again, nothing changes from there on
    let waiting = a === b ? 0 : 2;
    for (let at = Math.max(place[row + a] ?? 0, place[row + b] ?? 0); at > 0 && waiting > 0; at--) {
      const v = order[row + at] ?? 0;
      const amount = part[v] ?? 0;
      if (amount === 0) continue;
      part[v] = 0;
      waiting--;
      if (amount < LEAST_PART && amount > -LEAST_PART) continue;
      this.nodes[this.nodeCount] = v;
      this.parts[this.nodeCount++] = amount;
      const slot = (row + v) * width;
      const end = slot + (count[row + v] ?? 0);
      for (let k = slot; k < end; k++) {
        const each = amount * (share[k] ?? 0);
        if (each === 0) continue;
        const next = link[k] ?? 0;
        this.#touch(next, each);
        const head = to[next] ?? 0;
        const before = part[head] ?? 0;
        const after = before + each;
        part[head] = after;
        if (before === 0) waiting++;
        if (after === 0) waiting--;
      }
    }
    part[t] = 0;
    if (this.#prices.hasAccess) this.#touchAccesses();
  }

  /** The best amount between 0 and `most`. */
  bestAmount(most: number): number {
    const { load, own } = this.#prices;
    const touched = this.#touched;
    const count = this.#touchedCount;
    let more = 0;
    let less = 0;
    for (let k = 0; k < count; k++) {
      const r = touched[k] ?? 0;
      const cost = (this.#change[r] ?? 0) * (own[r] ?? 0);
      if (cost > 0) more += cost;
      else less -= cost;
    }
    if (!(more < less)) return 0;
    let moreAtMost = 0;
    let lessAtMost = 0;
    for (let k = 0; k < count; k++) {
      const r = touched[k] ?? 0;
      const change = this.#change[r] ?? 0;
      const cost = change * this.#prices.priceAt(r, (load[r] ?? 0) + most * change);
      this.#costAtMost[k] = cost;
      if (cost > 0) moreAtMost += cost;
      else lessAtMost -= cost;
    }
    if (!(moreAtMost > lessAtMost)) return most;
    this.#follow(Math.max(more, lessAtMost) * LEAST_FOLLOWED);
    return this.#balanced(most, Math.log(more / less), Math.log(moreAtMost / lessAtMost));
  }

  /** Takes in the resources whose cost changes by more than `least` from end to end; what the others cost, it adds up. */
  #follow(least: number): void {
    const { own } = this.#prices;
    let followed = 0;
    let more = 0;
    let less = 0;
    for (let k = 0; k < this.#touchedCount; k++) {
      const r = this.#touched[k] ?? 0;
      const first = (this.#change[r] ?? 0) * (own[r] ?? 0);
      const last = this.#costAtMost[k] ?? 0;
      if (Math.abs(last - first) > least) this.#followed[followed++] = r;
      else if (first > 0) more += first;
      else less -= first;
    }
    this.#followedCount = followed;
    this.#more = more;
    this.#less = less;
  }

  /** The amount between 0, where the balance is below 0, and `most`, where it is above, at which it is 0. */
  #balanced(most: number, atZero: number, atMost: number): number {
    let low = 0;
    let high = most;
    let lowBalance = atZero;
    let highBalance = atMost;
    let side = 0;
    // Illinois: the secant between the ends, with the value of an end that stays twice halved
    for (let step = 0; step < LINE_STEPS && high - low > LINE_TOLERANCE * most; step++) {
      let middle = (low * highBalance - high * lowBalance) / (highBalance - lowBalance);
      if (!(middle > low && middle < high) || step % 4 === 3) middle = (low + high) / 2;
      const balance = this.#balanceAt(middle);
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

  /**
   * How dear what gets more is, over how dear what gets less is, as a logarithm, after `amount` was shifted. Negative:
   * shifting more pays. Prices are exponential in load, so this is nearly straight where the slope itself is a cliff.
   */
  #balanceAt(amount: number): number {
    const { load } = this.#prices;
    let more = this.#more;
    let less = this.#less;
    for (let k = 0; k < this.#followedCount; k++) {
      const r = this.#followed[k] ?? 0;
      const change = this.#change[r] ?? 0;
      const cost = change * this.#prices.priceAt(r, (load[r] ?? 0) + amount * change);
      if (cost > 0) more += cost;
      else less -= cost;
    }
    return Math.log(more / less);
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

  /** What the links get more of, their ends send and receive more of. */
  #touchAccesses(): void {
    const { linkCount, inverseCapacity } = this.#prices;
    const { from, to, nodeCount } = this.#network;
    const links = this.#touchedCount;
    for (let k = 0; k < links; k++) {
      const link = this.#touched[k] ?? 0;
      const amount = this.#change[link] ?? 0;
      const uplink = linkCount + (from[link] ?? 0);
      const downlink = linkCount + nodeCount + (to[link] ?? 0);
      if (inverseCapacity[uplink] !== 0) this.#touch(uplink, amount);
      if (inverseCapacity[downlink] !== 0) this.#touch(downlink, amount);
    }
  }

  #touch(resource: number, amount: number): void {
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
