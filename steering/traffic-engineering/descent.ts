/**
 * Coordinate descent on the cost of load-prices.ts, over the groups themselves. For one destination at a time: the price
 * of getting there from each node (Gallager, A Minimum Delay Routing Algorithm Using Distributed Computation, IEEE Trans.
 * Comm. 25(1), 1977), then at each node traffic goes from its dearest member to its cheapest link, as much as is best.
 * What is reached is what can be forwarded: acyclic, within the stretch bound, with so many members.
 */
import type { LinkIndex } from './link-index.ts';
import type { LoadPrices } from './load-prices.ts';
import { pushSplits } from './split-loads.ts';
import type { Splits } from './splits.ts';
import type { StretchBound } from './stretch-bound.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import { TrafficShift } from './traffic-shift.ts';

export interface DescentParts {
  readonly network: TrafficNetwork;
  readonly out: LinkIndex;
  readonly into: LinkIndex;
  readonly splits: Splits;
  readonly prices: LoadPrices;
  /** Destination-major, see demandByDestination. */
  readonly demand: Float64Array;
  readonly stretch: StretchBound | null;
  /** Most members of a group: at most the width of the splits. */
  readonly members: number;
}

/** Candidates that are tried at one node before it is left as it is: the cheapest may close a loop or stretch too far. */
const TRIES = 4;
/** A pass ends after so many looks at a node: one that moves back in the order is looked at again. */
const MOST_LOOKS = 2;
/** A share smaller than this is taken out of its group: no weight stands for it. */
const LEAST_SHARE = 1e-4;

export class Descent {
  readonly #parts: DescentParts;
  readonly #shift: TrafficShift;
  /** Towards the destination at hand: price from each node, and what each node sends and forwards. */
  readonly #toGo: Float64Array;
  readonly #through: Float64Array;
  readonly #banned: Int32Array;
  #epoch = 0;
  /** Steps taken since the start. */
  shifts = 0;

  constructor(parts: DescentParts) {
    this.#parts = parts;
    this.#shift = new TrafficShift(parts.network, parts.out, parts.into, parts.splits, parts.prices);
    this.#toGo = new Float64Array(parts.network.nodeCount);
    this.#through = new Float64Array(parts.network.nodeCount);
    this.#banned = new Int32Array(parts.network.from.length);
  }

  /**
   * One pass over the groups towards `t`. `tolerance`: a member dearer than the cheapest by less than this part stays.
   * `least`: so does one that is dearer by less than this price; more than 0: groups without traffic stay too.
   */
  visit(t: number, tolerance: number, least = 0): void {
    const { splits, network, demand } = this.#parts;
    const row = t * splits.nodeCount;
    const reached = splits.reached[t] ?? 0;
    this.#priceAll(t);
    pushSplits(network, splits, demand, t, this.#through, null);
    // what a step does to the prices of nodes further away is seen when their turn comes
    let left = MOST_LOOKS * reached;
    for (let at = 1; at < reached && left > 0; left--) {
      const v = splits.order[row + at] ?? 0;
      this.#improve(t, v, tolerance, least);
      this.#toGo[v] = this.#priceFrom(row + v);
      // where v moved back, whoever took its place is still to be seen
      if (splits.order[row + at] === v) at++;
    }
  }

  #priceAll(t: number): void {
    const { splits } = this.#parts;
    const row = t * splits.nodeCount;
    this.#toGo[t] = 0;
    const reached = splits.reached[t] ?? 0;
    for (let at = 1; at < reached; at++) {
      const v = splits.order[row + at] ?? 0;
      this.#toGo[v] = this.#priceFrom(row + v);
    }
  }

  #priceFrom(group: number): number {
    const { splits, prices, network } = this.#parts;
    const slot = group * splits.width;
    const end = slot + (splits.count[group] ?? 0);
    let sum = 0;
    for (let k = slot; k < end; k++) {
      const link = splits.link[k] ?? 0;
      sum += (splits.share[k] ?? 0) * ((prices.price[link] ?? 0) + (this.#toGo[network.to[link] ?? 0] ?? 0));
    }
    return sum;
  }

  #improve(t: number, v: number, tolerance: number, least: number): void {
    const { splits, prices, network, out } = this.#parts;
    const row = t * splits.nodeCount;
    const group = row + v;
    const slot = group * splits.width;
    const count = splits.count[group] ?? 0;
    const toGo = this.#toGo;
    if (least > 0 && ((toGo[v] ?? 0) < least || this.#through[v] === 0)) return;
    let away = -1;
    let dearest = -1;
    for (let k = slot; k < slot + count; k++) {
      const link = splits.link[k] ?? 0;
      const price = (prices.price[link] ?? 0) + (toGo[network.to[link] ?? 0] ?? 0);
      if (price > dearest) {
        dearest = price;
        away = k;
      }
    }
    const limit = Math.min(dearest * (1 - tolerance), dearest - least);
    const epoch = ++this.#epoch;
    const end = out.start[v + 1] ?? 0;
    for (let tries = 0; tries < TRIES; tries++) {
      let best = -1;
      let cheapest = limit;
      for (let k = out.start[v] ?? 0; k < end; k++) {
        const link = out.link[k] ?? 0;
        const head = network.to[link] ?? 0;
        const price = (prices.price[link] ?? 0) + (toGo[head] ?? 0);
        if (price >= cheapest || this.#banned[link] === epoch) continue;
        if ((splits.place[row + head] ?? -1) < 0) continue;
        if (head !== t && network.forwards !== undefined && network.forwards[head] !== 1) continue;
        cheapest = price;
        best = link;
      }
      if (best < 0) return;
      if (this.#tryShift(t, v, away, best)) return;
      this.#banned[best] = epoch;
    }
  }

  /** False: the link cannot be used here; another may. */
  #tryShift(t: number, v: number, away: number, onto: number): boolean {
    const { splits, network, stretch, members } = this.#parts;
    const row = t * splits.nodeCount;
    const group = row + v;
    let target = splits.slotOf(group, onto);
    if (target < 0) {
      const head = network.to[onto] ?? 0;
      if (splits.passes(t, head, v)) return false;
      if (stretch !== null && !stretch.allows(t, v, onto)) return false;
      splits.putBefore(t, head, v);
    }
    const awayLink = splits.link[away] ?? 0;
    const through = this.#through[v] ?? 0;
    if (through === 0) {
      // nothing to shift, no load changes: the whole group points the cheapest way
      splits.count[group] = 0;
      splits.share[splits.append(group, onto)] = 1;
      stretch?.changed(t);
      return true;
    }
    const shift = this.#shift;
    shift.aim(t, awayLink, onto);
    const awayShare = splits.share[away] ?? 0;
    const most = through * awayShare;
    let amount = shift.bestAmount(most);
    if (amount === 0) return false;
    const rest = awayShare - amount / through;
    const empties = rest < LEAST_SHARE;
    if (empties) amount = most;
    if (target < 0) {
      if (!empties && (splits.count[group] ?? 0) >= members) return false;
      if (!empties && amount / through < LEAST_SHARE) return false;
      if (empties) {
        // the new link takes the place of the old one
        splits.link[away] = onto;
        target = away;
      } else {
        target = splits.append(group, onto);
      }
      stretch?.changed(t);
    }
    shift.apply(amount);
    splits.changed[group] = 1;
    this.shifts++;
    if (target !== away) {
      splits.share[target] = (splits.share[target] ?? 0) + amount / through;
      splits.share[away] = rest;
      if (empties) {
        splits.share[away] = 0;
        splits.share[target] = (splits.share[target] ?? 0) + rest;
        splits.remove(group, away);
        stretch?.changed(t);
      }
    }
    for (let k = 0; k < shift.nodeCount; k++) {
      const node = shift.nodes[k] ?? 0;
      const after = (this.#through[node] ?? 0) + amount * (shift.parts[k] ?? 0);
      this.#through[node] = Math.max(after, 0);
    }
    return true;
  }
}
