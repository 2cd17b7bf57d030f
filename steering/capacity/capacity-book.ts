/**
 * What links and nodes' accesses can carry: configured by the node (`--uplink`, `--downlink`), or learned (LearnedRate)
 * from the rates that WireGuard counted and from loss and delay at the same moment. Pure; numbers are stable indices.
 *
 * A link is *congested* when it carries at least `leastBytesPerSecond` and
 *     loss towards the peer >= 2 %,  or  RTT >= 1.5 base and RTT >= base + 10 ms
 * for 6 s, where base is the least RTT seen (it rises by 1 % a minute, so that a longer underlay path is learned too). When two or
 * more links of a node carry that much, more than half of them are congested, and at least two of those carry less than
 * they are known to (or nothing is known), it is the node's access that is full, and the links learn nothing: each would
 * learn its share of the access. A link that carries what it is known to carry needs no other explanation.
 *
 * A link that got longer or lossy by itself looks the same while traffic is on it. Steering by latency leaves it within the 6 s; and where
 * it is bad with little on it, what was learned is forgotten and its RTT becomes the base.
 */
import { MOST_BYTES_PER_SECOND } from '../demand/demand-matrix.ts';
import { LearnedRate } from './learned-rate.ts';

export interface CapacityOptions {
  /** Loss on an idle link says nothing of its capacity: 1 Mbit/s. */
  readonly leastBytesPerSecond: number;
  readonly lossPpm: number;
  readonly rttRatio: number;
  readonly rttUs: number;
  /** Samples of a link that are older say nothing of now: two reports at the usual pace. */
  readonly freshMs: number;
  /** So long load and loss or delay must go together: time in which steering by latency leaves a link that is slow by itself. */
  readonly persistMs: number;
}

export const DEFAULT_CAPACITY_OPTIONS: CapacityOptions = {
  leastBytesPerSecond: 125_000,
  lossPpm: 20_000,
  rttRatio: 1.5,
  rttUs: 10_000,
  freshMs: 12_000,
  persistMs: 6_000,
};

const BASE_GROWTH_PER_MINUTE = 0.01;
/** A congested link that carries this part of its known capacity is full by itself. */
const EXPLAINED = 0.8;
/** A link that is bad while it carries less than this part of what was learned was never full. */
const LITTLE = 0.5;

/** What one end says of a link at one moment; null: not measured. Rates in bytes per second. */
export interface CarriedSample {
  readonly sentBytesPerSecond: number | null;
  readonly rttUs: number | null;
  readonly lossOutPpm: number | null;
}

/** What a link report says of it. */
export function carriedSample({
  rttUs,
  lossOutPpm,
  sentBytesPerSecond = null,
}: Omit<CarriedSample, 'sentBytesPerSecond'> & { readonly sentBytesPerSecond?: number | null }): CarriedSample {
  const isAbsurd =
    sentBytesPerSecond !== null && !(sentBytesPerSecond >= 0 && sentBytesPerSecond <= MOST_BYTES_PER_SECOND);
  return { rttUs, lossOutPpm, sentBytesPerSecond: isAbsurd ? null : sentBytesPerSecond };
}

export interface AccessLimits {
  readonly uplinkBytesPerSecond: number | null;
  readonly downlinkBytesPerSecond: number | null;
}

/** A capacity, and where it is from. Null: unknown. */
export interface Capacity {
  readonly bytesPerSecond: number | null;
  readonly source: 'configured' | 'learned' | 'unknown';
}

interface LinkUse {
  readonly from: number;
  readonly to: number;
  readonly rate: LearnedRate;
  carried: number;
  /** Carried at the sample before. */
  carriedBefore: number;
  baseRttUs: number | null;
  congested: boolean;
  /** Since when it is lossy or slow under load; null: it is not. */
  badSinceMs: number | null;
  atMs: number;
}

interface AccessUse {
  readonly up: LearnedRate;
  readonly down: LearnedRate;
  limits: AccessLimits;
  upAtMs: number;
  downAtMs: number;
}

export class CapacityBook {
  readonly #options: CapacityOptions;
  readonly #out = new Map<number, Map<number, LinkUse>>();
  readonly #in = new Map<number, Map<number, LinkUse>>();
  readonly #access = new Map<number, AccessUse>();

  constructor(options: Partial<CapacityOptions> = {}) {
    this.#options = { ...DEFAULT_CAPACITY_OPTIONS, ...options };
  }

  /** What a node was configured with. */
  configure(index: number, limits: AccessLimits): void {
    this.#accessOf(index).limits = limits;
  }

  removeNode(index: number): void {
    this.#access.delete(index);
    for (const [own, other] of [
      [this.#out, this.#in],
      [this.#in, this.#out],
    ] as const) {
      for (const peer of own.get(index)?.keys() ?? []) other.get(peer)?.delete(index);
      own.delete(index);
    }
  }

  /** What `from` says of its links, all at once: whether a link or the access is full shows on all of them together. */
  observe(from: number, samples: readonly (CarriedSample & { readonly to: number })[], nowMs: number): void {
    const told: { readonly link: LinkUse; readonly elapsedMs: number }[] = [];
    for (const sample of samples) {
      const link = this.#link(from, sample.to, nowMs);
      const elapsedMs = Math.max(0, nowMs - link.atMs);
      link.atMs = nowMs;
      if (this.#take(link, sample, elapsedMs)) told.push({ link, elapsedMs });
    }
    if (told.length === 0) return;
    const up = this.#observeAccess(this.#out.get(from), this.#accessOf(from), 'up', nowMs);
    for (const { link, elapsedMs } of told) {
      const down = this.#observeAccess(this.#in.get(link.to), this.#accessOf(link.to), 'down', nowMs);
      if (link.congested && (up || down)) continue;
      link.rate.observe(link.carried, Math.max(link.carried, link.carriedBefore), link.congested, elapsedMs);
    }
  }

  /** False: no rate was told. */
  #take(link: LinkUse, { rttUs, lossOutPpm, sentBytesPerSecond }: CarriedSample, elapsedMs: number): boolean {
    if (rttUs !== null) {
      const grown = (link.baseRttUs ?? rttUs) * (1 + (BASE_GROWTH_PER_MINUTE * elapsedMs) / 60_000);
      link.baseRttUs = Math.min(rttUs, grown);
    }
    if (sentBytesPerSecond === null) return false;
    link.carriedBefore = link.carried;
    link.carried = sentBytesPerSecond;
    const { leastBytesPerSecond, lossPpm, rttRatio, rttUs: leastRiseUs } = this.#options;
    const base = link.baseRttUs ?? Number.POSITIVE_INFINITY;
    const isSlow = rttUs !== null && rttUs >= base * rttRatio && rttUs >= base + leastRiseUs;
    const isBad = (lossOutPpm ?? 0) >= lossPpm || isSlow;
    if (!isBad || link.carried < leastBytesPerSecond) link.badSinceMs = null;
    else link.badSinceMs ??= link.atMs;
    link.congested = link.badSinceMs !== null && link.atMs >= link.badSinceMs + this.#options.persistMs;
    // bad with little on it: load is not why
    if (isBad && link.carried < Math.max(leastBytesPerSecond, (link.rate.value ?? 0) * LITTLE)) {
      link.rate.value = null;
      link.baseRttUs = rttUs ?? link.baseRttUs;
    }
    return true;
  }

  link(from: number, to: number): Capacity {
    return learned(this.#out.get(from)?.get(to)?.rate.value ?? null);
  }

  uplink(index: number): Capacity {
    const access = this.#access.get(index);
    const configured = access?.limits.uplinkBytesPerSecond ?? null;
    if (configured !== null) return { bytesPerSecond: configured, source: 'configured' };
    return learned(access?.up.value ?? null);
  }

  downlink(index: number): Capacity {
    const access = this.#access.get(index);
    const configured = access?.limits.downlinkBytesPerSecond ?? null;
    if (configured !== null) return { bytesPerSecond: configured, source: 'configured' };
    return learned(access?.down.value ?? null);
  }

  /** Bytes per second that a link carries now; null: not told lately. */
  carried(from: number, to: number, nowMs: number): number | null {
    const link = this.#out.get(from)?.get(to);
    return link === undefined || !this.#isFresh(link, nowMs) ? null : link.carried;
  }

  /** What a node sends and receives on all its links now. */
  access(index: number, nowMs: number): { readonly sent: number; readonly received: number } {
    return { sent: this.#sum(this.#out.get(index), nowMs), received: this.#sum(this.#in.get(index), nowMs) };
  }

  /** RTT of a link without queues; null: never measured. */
  baseRttUs(from: number, to: number): number | null {
    return this.#out.get(from)?.get(to)?.baseRttUs ?? null;
  }

  /** True when the access is full: its own rate was learned, not its links'. */
  #observeAccess(
    links: ReadonlyMap<number, LinkUse> | undefined,
    access: AccessUse,
    direction: 'up' | 'down',
    nowMs: number,
  ): boolean {
    let [carrying, congested, unexplained, sum, peak] = [0, 0, 0, 0, 0];
    for (const link of links?.values() ?? []) {
      if (!this.#isFresh(link, nowMs)) continue;
      sum += link.carried;
      peak += Math.max(link.carried, link.carriedBefore);
      if (link.carried < this.#options.leastBytesPerSecond) continue;
      carrying++;
      if (!link.congested) continue;
      congested++;
      if (link.rate.value === null || link.carried < link.rate.value * EXPLAINED) unexplained++;
    }
    const isFull = carrying >= 2 && congested * 2 > carrying && unexplained >= 2;
    const at = direction === 'up' ? 'upAtMs' : 'downAtMs';
    access[direction].observe(sum, peak, isFull, Math.max(0, nowMs - access[at]));
    access[at] = nowMs;
    return isFull;
  }

  #sum(links: ReadonlyMap<number, LinkUse> | undefined, nowMs: number): number {
    let sum = 0;
    for (const link of links?.values() ?? []) if (this.#isFresh(link, nowMs)) sum += link.carried;
    return sum;
  }

  #isFresh(link: LinkUse, nowMs: number): boolean {
    return nowMs - link.atMs <= this.#options.freshMs;
  }

  #accessOf(index: number): AccessUse {
    const known = this.#access.get(index);
    if (known !== undefined) return known;
    const limits = { uplinkBytesPerSecond: null, downlinkBytesPerSecond: null };
    const access = { up: new LearnedRate(), down: new LearnedRate(), limits, upAtMs: 0, downAtMs: 0 };
    this.#access.set(index, access);
    return access;
  }

  #link(from: number, to: number, nowMs: number): LinkUse {
    const known = this.#out.get(from)?.get(to);
    if (known !== undefined) return known;
    const link: LinkUse = {
      from,
      to,
      rate: new LearnedRate(),
      carried: 0,
      carriedBefore: 0,
      baseRttUs: null,
      congested: false,
      badSinceMs: null,
      atMs: nowMs,
    };
    for (const [side, own, peer] of [
      [this.#out, from, to],
      [this.#in, to, from],
    ] as const) {
      const links = side.get(own) ?? new Map<number, LinkUse>();
      side.set(own, links.set(peer, link));
    }
    return link;
  }
}

function learned(bytesPerSecond: number | null): Capacity {
  return { bytesPerSecond, source: bytesPerSecond === null ? 'unknown' : 'learned' };
}
