/**
 * The link-state database: what each node measured on its links, and what both ends together make of each pair of
 * nodes. A round trip crosses both directions, so a pair has one effective cost; the ends' reports are merged:
 *
 *   health   down if one end says down (a dead direction is a dead link), up if one end says up, else unmeasured
 *   rtt      mean of both ends; the larger where they disagree wildly
 *   jitter   the larger
 *   loss     per direction the mean of the two ends' views of it, then see LossEstimate
 *
 * A node without a session reports nothing new: the other end's word alone counts as long as it has one.
 */
import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import { LinkBand, type LinkBandOptions } from './link-band.ts';
import { type CostOptions, linkCost } from './link-cost.ts';
import { LinkFilter, type LinkFilterOptions, type LinkReading } from './link-filter.ts';
import { LossEstimate, type LossOptions } from './loss-estimate.ts';

/** Reports that were not believed, and why. */
export interface LinkStateCounters {
  unknownPeer: number;
  selfLink: number;
  absurdValue: number;
  /** Times at which the two ends' RTTs began to disagree by more than 25 % and 2 ms. */
  endsDisagree: number;
}

export interface LinkEnd {
  readonly observation: LinkObservation;
  readonly atMs: number;
}

/** One unordered pair of nodes. */
export interface Link {
  readonly low: number;
  readonly high: number;
  /** What `low` and `high` reported. */
  lowEnd: LinkEnd | null;
  highEnd: LinkEnd | null;
  /** The two ends' RTTs differ wildly. */
  disagree: boolean;
  /** By how much, in microseconds, while they do; else 0. */
  doubtUs: number;
  /** RTT merged from both ends, undamped. */
  rttUs: number | null;
  readonly filter: LinkFilter;
  /** What its effective cost has been lately. */
  readonly band: LinkBand;
  readonly loss: LossEstimate;
}

/** Longest RTT and delay variation believed: 60 s, far above TCP's patience with a path. */
const MAX_BELIEVED_US = 60_000_000;

export interface LinkStateOptions {
  readonly cost: CostOptions;
  readonly filter: LinkFilterOptions;
  readonly band: LinkBandOptions;
  readonly loss: LossOptions;
}

export class LinkState {
  readonly counters: LinkStateCounters = { unknownPeer: 0, selfLink: 0, absurdValue: 0, endsDisagree: 0 };
  readonly #options: LinkStateOptions;
  readonly #links = new Map<number, Map<number, Link>>();
  readonly #connected = new Set<number>();
  readonly #changed = new Set<Link>();
  readonly #timed = new Set<Link>();
  readonly #unsteady = new Set<Link>();

  constructor(options: LinkStateOptions) {
    this.#options = options;
  }

  get(a: number, b: number): Link | undefined {
    return this.#links.get(a)?.get(b);
  }

  /** Each pair once. */
  *all(): IterableIterator<Link> {
    for (const [index, peers] of this.#links) {
      for (const link of peers.values()) if (link.low === index) yield link;
    }
  }

  /** Takes one observation of node `from`. False: not believed and counted. */
  report(from: number, observation: LinkObservation, isKnown: (index: number) => boolean, nowMs: number): boolean {
    const peer = observation.peerIndex;
    if (peer === from) return this.#refuse('selfLink');
    if (!Number.isInteger(peer) || peer < 1 || peer > MAX_NODE_INDEX || !isKnown(peer))
      return this.#refuse('unknownPeer');
    if (isAbsurd(observation)) return this.#refuse('absurdValue');
    const link = this.#open(from, peer);
    const end = { observation, atMs: nowMs };
    if (from === link.low) link.lowEnd = end;
    else link.highEnd = end;
    this.#evaluate(link, nowMs);
    return true;
  }

  /** A session of the node began or ended: whose word counts on its links changes. */
  setConnected(index: number, connected: boolean, nowMs: number): void {
    if (connected) this.#connected.add(index);
    else this.#connected.delete(index);
    for (const link of this.#links.get(index)?.values() ?? []) this.#evaluate(link, nowMs);
  }

  /** The pair has no session any more: what was measured is forgotten. */
  forget(a: number, b: number): void {
    const link = this.get(a, b);
    if (link === undefined) return;
    this.#links.get(a)?.delete(b);
    this.#links.get(b)?.delete(a);
    for (const set of [this.#changed, this.#timed, this.#unsteady]) set.delete(link);
  }

  /** Has the link looked at again, as when its role changed. */
  touch(a: number, b: number): void {
    const link = this.get(a, b);
    if (link !== undefined) this.#changed.add(link);
  }

  /** Nodes with which the node has a link that was reported. */
  peersOf(index: number): Iterable<number> {
    return this.#links.get(index)?.keys() ?? [];
  }

  removeNode(index: number): void {
    for (const [peer, link] of this.#links.get(index) ?? []) {
      this.#links.get(peer)?.delete(index);
      this.#changed.delete(link);
      this.#timed.delete(link);
      this.#unsteady.delete(link);
    }
    this.#links.delete(index);
    this.#connected.delete(index);
  }

  /** Runs hold times that are due. */
  tick(nowMs: number): void {
    for (const link of this.#timed) {
      if (link.filter.dueMs > nowMs) continue;
      const changed = link.filter.tick(nowMs);
      if (this.#widen(link, nowMs) || changed) this.#changed.add(link);
      if (link.filter.dueMs === Number.POSITIVE_INFINITY) this.#timed.delete(link);
    }
  }

  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const link of this.#timed) dueMs = Math.min(dueMs, link.filter.dueMs);
    return dueMs;
  }

  /** Stable indices of those to whom a node has a link with a band: their detours to it must be proven. */
  unsteadyPeers(index: number): number[] {
    if (this.#unsteady.size === 0) return [];
    const peers: number[] = [];
    for (const [peer, link] of this.#links.get(index) ?? []) if (this.#unsteady.has(link)) peers.push(peer);
    return peers;
  }

  /** Links whose effective state changed since the last call, in a fixed order. */
  takeChanged(): Link[] {
    const changed = [...this.#changed].sort((a, b) => a.low - b.low || a.high - b.high);
    this.#changed.clear();
    return changed;
  }

  #open(a: number, b: number): Link {
    const known = this.get(a, b);
    if (known !== undefined) return known;
    const link: Link = {
      low: Math.min(a, b),
      high: Math.max(a, b),
      lowEnd: null,
      highEnd: null,
      disagree: false,
      doubtUs: 0,
      rttUs: null,
      filter: new LinkFilter(this.#options.filter),
      band: new LinkBand(this.#options.band),
      loss: new LossEstimate(this.#options.loss),
    };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const peers = this.#links.get(from) ?? new Map<number, Link>();
      this.#links.set(from, peers.set(to, link));
    }
    return link;
  }

  #evaluate(link: Link, nowMs: number): void {
    const changed = link.filter.update(this.#merge(link, nowMs), nowMs);
    if (this.#widen(link, nowMs) || changed) this.#changed.add(link);
    if (link.filter.dueMs === Number.POSITIVE_INFINITY) this.#timed.delete(link);
    else this.#timed.add(link);
  }

  /** Shows the effective cost to the link's band; true when that changed what the link counts with. */
  #widen(link: Link, nowMs: number): boolean {
    const { effective, undamped } = link.filter;
    if (effective === null || undamped === null) return false;
    const changed = link.band.update(effective.totalUs, undamped.totalUs, link.doubtUs, nowMs);
    if (link.band.bottomUs < link.band.topUs) this.#unsteady.add(link);
    else this.#unsteady.delete(link);
    return changed;
  }

  #merge(link: Link, nowMs: number): LinkReading {
    let low = measured(link.lowEnd);
    let high = measured(link.highEnd);
    if (low !== null && high !== null) {
      const lowConnected = this.#connected.has(link.low);
      const highConnected = this.#connected.has(link.high);
      if (lowConnected && !highConnected) high = null;
      if (highConnected && !lowConnected) low = null;
    }
    link.rttUs = null;
    if (low?.health === 'down' || high?.health === 'down') return { health: 'down' };
    const rtts = [low?.rttUs ?? null, high?.rttUs ?? null].filter((rtt) => rtt !== null);
    if (rtts.length === 0) return { health: 'unmeasured' };
    const [least, most] = [Math.min(...rtts), Math.max(...rtts)];
    const disagree = most - least > Math.max(2_000, 0.25 * most);
    if (disagree && !link.disagree) this.counters.endsDisagree++;
    link.disagree = disagree;
    link.doubtUs = disagree ? most - least : 0;
    link.rttUs = disagree ? most : Math.round((least + most) / 2);
    const jitters = [low?.jitterUs ?? null, high?.jitterUs ?? null].filter((jitter) => jitter !== null);
    const upward = mean(low?.lossOutPpm ?? null, high?.lossInPpm ?? null);
    const downward = mean(low?.lossInPpm ?? null, high?.lossOutPpm ?? null);
    const bothPpm = 1_000_000 - ((1_000_000 - (upward ?? 0)) * (1_000_000 - (downward ?? 0))) / 1_000_000;
    const lossPpm = link.loss.update(bothPpm, rtts.length, nowMs);
    const metrics = {
      rttUs: link.rttUs,
      jitterUs: jitters.length === 0 ? null : Math.max(...jitters),
      lossPpm,
      loadUs: 0,
    };
    return { health: 'up', cost: linkCost(metrics, this.#options.cost) };
  }

  #refuse(reason: keyof LinkStateCounters): false {
    this.counters[reason]++;
    return false;
  }
}

function measured(end: LinkEnd | null): LinkObservation | null {
  return end === null || end.observation.health === 'unmeasured' ? null : end.observation;
}

function mean(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return (a + b) / 2;
}

/** True when a number of the observation cannot be: outside what a link can have, or not a number at all. */
export function isAbsurd(o: LinkObservation): boolean {
  const outside = (value: number | null, least: number, most: number) =>
    value !== null && !(value >= least && value <= most);
  return (
    outside(o.rttUs, 1, MAX_BELIEVED_US) ||
    outside(o.minRttUs, 1, MAX_BELIEVED_US) ||
    outside(o.jitterUs, 0, MAX_BELIEVED_US) ||
    outside(o.lossOutPpm, 0, 1_000_000) ||
    outside(o.lossInPpm, 0, 1_000_000) ||
    outside(o.handshakeAgeS, 0, Number.MAX_SAFE_INTEGER)
  );
}
