/**
 * What was ever measured between pairs of nodes, as far as it is worth remembering: for each pair the last three RTTs,
 * whose median counts, and when. Old pairs are forgotten, so that they are tried again, and a node remembers no more than
 * `maxPerNode` pairs: the longest go first.
 *
 * Memory: about 120 bytes per pair and end in a JavaScript engine; 5,000 nodes with 128 pairs each make 320,000 pairs, 75 MB.
 */
import { isRtt } from './coordinates.ts';

export interface KnownLinkOptions {
  /** Pairs remembered per node. 128: eight times a degree of 16. */
  readonly maxPerNode: number;
  /** A pair that was not measured for so long may be anything by now. One day: routes change a few times a week. */
  readonly maxAgeMs: number;
}

export const DEFAULT_KNOWN_LINK_OPTIONS: KnownLinkOptions = { maxPerNode: 128, maxAgeMs: 24 * 3_600_000 };

export interface KnownLink {
  readonly low: number;
  readonly high: number;
  readonly rttUs: number;
  readonly atMs: number;
}

interface Entry {
  last: number;
  second: number;
  third: number;
  atMs: number;
}

export class KnownLinks {
  readonly #options: KnownLinkOptions;
  readonly #peers = new Map<number, Map<number, Entry>>();

  constructor(options: KnownLinkOptions = DEFAULT_KNOWN_LINK_OPTIONS) {
    this.#options = options;
  }

  has(a: number, b: number): boolean {
    return this.#peers.get(a)?.has(b) === true;
  }

  /** Median of the last three RTTs in microseconds; NaN: not known. */
  rttUs(a: number, b: number): number {
    const entry = this.#peers.get(a)?.get(b);
    return entry === undefined ? Number.NaN : median(entry);
  }

  /** Takes an RTT of the pair. False: not an RTT. */
  observe(a: number, b: number, rttUs: number, nowMs: number): boolean {
    if (a === b || !isRtt(rttUs)) return false;
    const entry = this.#peers.get(a)?.get(b);
    if (entry !== undefined) {
      [entry.third, entry.second, entry.last] = [entry.second, entry.last, rttUs];
      entry.atMs = nowMs;
      return true;
    }
    const made = { last: rttUs, second: rttUs, third: rttUs, atMs: nowMs };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const peers = this.#peers.get(from);
      if (peers === undefined) this.#peers.set(from, new Map([[to, made]]));
      else peers.set(to, made);
    }
    this.#trim(a);
    this.#trim(b);
    return true;
  }

  /** Forgets a pair, as when it did not come up. */
  forget(a: number, b: number): void {
    this.#peers.get(a)?.delete(b);
    this.#peers.get(b)?.delete(a);
  }

  removeNode(node: number): void {
    for (const peer of [...(this.#peers.get(node)?.keys() ?? [])]) this.forget(node, peer);
    this.#peers.delete(node);
  }

  expire(nowMs: number): void {
    for (const [node, peers] of this.#peers) {
      for (const [peer, entry] of [...peers]) if (nowMs - entry.atMs > this.#options.maxAgeMs) this.forget(node, peer);
    }
  }

  /** low, high, RTT of every pair, in no order: cheaper than `all`. */
  pack(): Float64Array {
    const flat: number[] = [];
    for (const [node, peers] of this.#peers) {
      for (const [peer, entry] of peers) if (node < peer) flat.push(node, peer, median(entry));
    }
    return Float64Array.from(flat);
  }

  /** Every pair once, sorted by (low, high): the same content gives the same list. */
  all(): KnownLink[] {
    const links: KnownLink[] = [];
    for (const [node, peers] of this.#peers) {
      for (const [peer, entry] of peers) {
        if (node < peer) links.push({ low: node, high: peer, rttUs: median(entry), atMs: entry.atMs });
      }
    }
    return links.sort((a, b) => a.low - b.low || a.high - b.high);
  }

  #trim(node: number): void {
    const peers = this.#peers.get(node);
    if (peers === undefined || peers.size <= this.#options.maxPerNode) return;
    let [worst, worstUs] = [-1, -1];
    for (const [peer, entry] of peers) {
      const us = median(entry);
      if (us > worstUs || (us === worstUs && peer > worst)) [worst, worstUs] = [peer, us];
    }
    this.forget(node, worst);
  }
}

function median({ last, second, third }: Entry): number {
  return Math.max(Math.min(last, second), Math.min(Math.max(last, second), third));
}
