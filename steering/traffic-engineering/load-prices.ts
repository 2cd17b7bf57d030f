/**
 * What load costs. Each link and each access of a node is a *resource*: resource l < linkCount is link l, then come the
 * uplinks of the nodes, then the downlinks (only where accesses are limited). The cost that is minimised is
 *
 *   sum over resources of  (goal / eta) * exp(eta * (u / goal - 1))       holds the highest utilisation u down to `goal`
 *   + lambda * sum over links of  length * capacity * phi(u)              keeps short paths short, and load off links
 *
 * with phi the piecewise linear cost of Fortz and Thorup (Internet Traffic Engineering by Optimizing OSPF Weights,
 * INFOCOM 2000): its slope is 1 on a link with little load and 5000 far beyond capacity. The first is a smooth maximum
 * (as in Shahrokhi and Matula, J. ACM 37(2), 1990): the higher eta, the closer. Lambda is so small that the second sum
 * decides only what the first leaves open. The *price* of a resource is the derivative of the cost by its load.
 */
import type { TrafficNetwork } from './traffic-network.ts';

/** Where the slope of Fortz and Thorup's cost changes: below the first nothing has a reason to move. */
const KNEES = [0.5, 2 / 3, 0.9, 1, 1.1] as const;
const SLOPES = [1, 3, 10, 70, 500, 5000] as const;
/** Beyond this exponent a price is as good as infinite; exp stays finite, and its sums too. */
const MOST_EXPONENT = 300;
/** Below this exponent (10^-15 of the price at the goal) load costs nothing that shows beside the length of a link. */
const LEAST_EXPONENT = -35;

/** phi'(u). Fortz and Thorup's first slope goes to 1/3; here to 1/2, below which tables are the shortest paths. */
export function fortzThorupSlope(utilisation: number): number {
  if (utilisation < KNEES[0]) return SLOPES[0];
  if (utilisation < KNEES[1]) return SLOPES[1];
  if (utilisation < KNEES[2]) return SLOPES[2];
  if (utilisation < KNEES[3]) return SLOPES[3];
  return utilisation < KNEES[4] ? SLOPES[4] : SLOPES[5];
}

/** phi(u): the integral of the slope from 0. */
export function fortzThorupCost(utilisation: number): number {
  let cost = 0;
  let below = 0;
  for (let k = 0; k < SLOPES.length; k++) {
    const knee = KNEES[k] ?? Number.POSITIVE_INFINITY;
    cost += (Math.min(utilisation, knee) - below) * (SLOPES[k] ?? 0);
    if (utilisation <= knee) break;
    below = knee;
  }
  return cost;
}

export class LoadPrices {
  readonly resourceCount: number;
  readonly linkCount: number;
  /** Per resource: 1 / capacity; 0 where nothing limits. */
  readonly inverseCapacity: Float64Array;
  /** Per resource: bits per second. Written by whoever routes. */
  readonly load: Float64Array;
  /** Per link: the sum of the prices of its own resource, its sender's uplink and its receiver's downlink. */
  readonly price: Float64Array;
  /** Per resource: its own price at its load, as of the last `tune` or `reprice`. */
  readonly own: Float64Array;
  /** Whether nodes' accesses are resources. */
  readonly hasAccess: boolean;
  readonly #network: TrafficNetwork;
  readonly #length: Float64Array;
  #eta = 1;
  #goal = 1;
  #lambda = 0;

  constructor(network: TrafficNetwork) {
    const links = network.from.length;
    const n = network.nodeCount;
    this.#network = network;
    this.linkCount = links;
    this.hasAccess = network.uplinkBps !== undefined || network.downlinkBps !== undefined;
    this.resourceCount = links + (this.hasAccess ? 2 * n : 0);
    this.inverseCapacity = new Float64Array(this.resourceCount);
    for (let link = 0; link < links; link++) this.inverseCapacity[link] = 1 / (network.capacityBps[link] ?? 1);
    if (this.hasAccess) {
      for (let node = 0; node < n; node++) {
        this.inverseCapacity[links + node] = 1 / (network.uplinkBps?.[node] ?? Number.POSITIVE_INFINITY);
        this.inverseCapacity[links + n + node] = 1 / (network.downlinkBps?.[node] ?? Number.POSITIVE_INFINITY);
      }
    }
    this.load = new Float64Array(this.resourceCount);
    this.price = new Float64Array(links);
    this.own = new Float64Array(this.resourceCount);
    this.#length = relativeLengths(network);
  }

  /** The highest utilisation of all resources. */
  highest(): number {
    let most = 0;
    for (let r = 0; r < this.resourceCount; r++) {
      const u = (this.load[r] ?? 0) * (this.inverseCapacity[r] ?? 0);
      if (u > most) most = u;
    }
    return most;
  }

  /** The exponent of a price rises by so much when a utilisation rises by 1. */
  get steepness(): number {
    return this.#eta / this.#goal;
  }

  /** Sets what the cost is made of, and all prices anew. */
  tune(eta: number, goal: number, lambda: number): void {
    this.#eta = eta;
    this.#goal = goal;
    this.#lambda = lambda;
    for (let r = 0; r < this.resourceCount; r++) this.own[r] = this.priceAt(r, this.load[r] ?? 0);
    for (let link = 0; link < this.linkCount; link++) this.#refreshLink(link);
  }

  /** The price of a resource when it carries `load`. Rises with the load. */
  priceAt(resource: number, load: number): number {
    const inverse = this.inverseCapacity[resource] ?? 0;
    const u = load * inverse;
    const exponent = this.#eta * (u / this.#goal - 1);
    const barrier = exponent < LEAST_EXPONENT ? 0 : inverse * Math.exp(Math.min(exponent, MOST_EXPONENT));
    if (resource >= this.linkCount) return barrier;
    return barrier + this.#lambda * (this.#length[resource] ?? 0) * fortzThorupSlope(u);
  }

  /** The highest price of a resource, as its load is. */
  dearest(): number {
    let most = 0;
    for (let r = 0; r < this.resourceCount; r++) most = Math.max(most, this.own[r] ?? 0);
    return most;
  }

  /** Sets the price of a resource after its load changed. Call `refresh` for its links when all are done. */
  reprice(resource: number): void {
    this.own[resource] = this.priceAt(resource, this.load[resource] ?? 0);
  }

  /** Adds up the price of a link after it, or an access at its ends, was repriced. */
  refresh(link: number): void {
    this.#refreshLink(link);
  }

  #refreshLink(link: number): void {
    let price = this.own[link] ?? 0;
    if (this.hasAccess) {
      price += this.own[this.linkCount + (this.#network.from[link] ?? 0)] ?? 0;
      price += this.own[this.linkCount + this.#network.nodeCount + (this.#network.to[link] ?? 0)] ?? 0;
    }
    this.price[link] = price;
  }
}

/**
 * Round-trip times in parts of their mean, plus a hundredth of it a link: of two equally long paths the one of fewer. Each is up
 * to 5 % longer by a number of the link's own, so that near ties fall differently from node to node: a relay that is a little
 * better than others, or of which nobody knows what it carries, is not taken by all at once.
 */
export function relativeLengths({ rttUs, from, to }: TrafficNetwork): Float64Array {
  let sum = 0;
  for (const rtt of rttUs) sum += rtt;
  const mean = sum > 0 ? sum / rttUs.length : 1;
  return rttUs.map((rtt, link) => (rtt / mean + HOP_SHARE) * (1 + NEAR_TIE * drawn(from[link] ?? 0, to[link] ?? 0)));
}

const HOP_SHARE = 0.01;
const NEAR_TIE = 0.05;

/** 0 to 1, the same for the same link: its ends, mixed (Steele, Lea and Flood, Fast Splittable PRNGs, OOPSLA 2014). */
function drawn(from: number, to: number): number {
  let x = Math.imul(from + 1, 0x9e37_79b9) ^ Math.imul(to + 1, 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 16), 0x21f0_aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a_2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 0x1_0000_0000;
}
