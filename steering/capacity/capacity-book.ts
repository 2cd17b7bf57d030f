/**
 * What links and nodes' accesses can carry: configured by the node (`--uplink`, `--downlink`), or learned (LearnedRate)
 * from what far ends received while a link was full (LinkUse says when). Pure; numbers are stable indices.
 *
 * A node's access is what is full where its links are slow *together*, those with little on them included: they share the
 * queue. So: at least three quarters of its links (and two) have a queue of 10 ms, or, where none has one, loss; and of those at
 * least two carry less than they are known to, or nothing is known of them. The links then learn nothing: each would learn its
 * share of the access. After 6 s the access does. Not counted is an idle link whose other direction carries something. A link that carries what it is known to carry needs no other explanation.
 */
import { MOST_BYTES_PER_SECOND } from '../demand/demand-matrix.ts';
import { LearnedRate } from './learned-rate.ts';
import { type CarriedSample, LinkUse } from './link-use.ts';

export interface CapacityOptions {
  /** Loss on an idle link says nothing of its capacity: 1 Mbit/s. */
  readonly leastBytesPerSecond: number;
  readonly lossPpm: number;
  readonly rttRatio: number;
  readonly rttUs: number;
  /** Samples of a link that are older say nothing of now: two reports at the usual pace. */
  readonly freshMs: number;
  /** So long load and loss or delay must last together: time in which steering by latency leaves a link that is slow by itself. */
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

/** Part of a node's links that are slow together when its access is full: of three all, since an idle one would wait in the same queue. */
const TOGETHER = 3 / 4;
/** The loss window of the probes, and what the core's own estimate takes to follow. */
const AFTER_FULL_MS = 20_000;
/** A congested link that carries this part of its known capacity is full by itself. */
const EXPLAINED = 0.8;
/** What one end says of a link: how it sends, and what it received of the other direction. */
export interface LinkSample extends CarriedSample {
  readonly receivedBytesPerSecond: number | null;
}

type Told<T> = { readonly [K in keyof T]?: T[K] };

/** What a link report says of it. A rate that cannot be counts as not told. */
export function carriedSample({
  rttUs,
  lossOutPpm,
  sentBytesPerSecond = null,
  receivedBytesPerSecond = null,
}: CarriedSampleFields): LinkSample {
  return {
    rttUs,
    lossOutPpm,
    sentBytesPerSecond: believable(sentBytesPerSecond),
    receivedBytesPerSecond: believable(receivedBytesPerSecond),
  };
}

type CarriedSampleFields = Pick<LinkSample, 'rttUs' | 'lossOutPpm'> &
  Told<Pick<LinkSample, 'sentBytesPerSecond' | 'receivedBytesPerSecond'>>;

function believable(bytesPerSecond: number | null): number | null {
  const isRate = bytesPerSecond !== null && bytesPerSecond >= 0 && bytesPerSecond <= MOST_BYTES_PER_SECOND;
  return isRate ? bytesPerSecond : null;
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

interface AccessUse {
  readonly up: LearnedRate;
  readonly down: LearnedRate;
  limits: AccessLimits;
  readonly upSpell: AccessSpell;
  readonly downSpell: AccessSpell;
}

interface AccessSpell {
  atMs: number;
  /** Since when its links are slow together; null: they are not. */
  sinceMs: number | null;
}

export class CapacityBook {
  readonly #options: CapacityOptions;
  readonly #out = new Map<number, Map<number, LinkUse>>();
  readonly #in = new Map<number, Map<number, LinkUse>>();
  readonly #access = new Map<number, AccessUse>();
  #learnings = 0;

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
  observe(
    from: number,
    samples: readonly (CarriedSample & Told<LinkSample> & { readonly to: number })[],
    nowMs: number,
  ): void {
    const told: { readonly link: LinkUse; readonly wasKnown: boolean }[] = [];
    for (const sample of samples) {
      const link = this.#link(from, sample.to, nowMs);
      const received = sample.receivedBytesPerSecond ?? null;
      if (received !== null) this.#link(sample.to, from, nowMs).delivered(received, nowMs);
      const wasKnown = link.rate.value !== null;
      if (link.take(sample, nowMs)) told.push({ link, wasKnown });
    }
    if (told.length === 0) return;
    const up = this.#observeAccess(this.#out.get(from), this.#accessOf(from), 'up', nowMs);
    for (const { link, wasKnown } of told) {
      const down = this.#observeAccess(this.#in.get(link.to), this.#accessOf(link.to), 'down', nowMs);
      link.learn(up || down, nowMs);
      if (!wasKnown && link.rate.value !== null) this.#learnings++;
    }
  }

  /** Grows whenever something is learned of a link or an access of which nothing was known. */
  get learnings(): number {
    return this.#learnings;
  }

  link(from: number, to: number): Capacity {
    return learned(this.#out.get(from)?.get(to)?.rate.value ?? null);
  }

  /** The most that a link of the node is known to carry, in either direction; 0: nothing is known of any. */
  mostLearned(index: number): number {
    let most = 0;
    for (const side of [this.#out, this.#in]) {
      for (const { rate } of side.get(index)?.values() ?? []) most = Math.max(most, rate.value ?? 0);
    }
    return most;
  }

  /** What a link has carried lately without being bad for it. */
  proven(from: number, to: number): number {
    return this.#out.get(from)?.get(to)?.proven.value ?? 0;
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

  /** Whether what is measured of the link may still be what load did to it: loss is counted over 10 s. */
  wasFull(from: number, to: number, nowMs: number): boolean {
    const link = this.#out.get(from)?.get(to);
    return link !== undefined && nowMs <= link.fullAtMs + AFTER_FULL_MS;
  }

  /** RTT of a link without queues; null: never measured. */
  baseRttUs(from: number, to: number): number | null {
    return this.#out.get(from)?.get(to)?.baseRttUs ?? null;
  }

  /** True when the access is full, or seems so: its links are not to learn from that. */
  #observeAccess(
    links: ReadonlyMap<number, LinkUse> | undefined,
    access: AccessUse,
    direction: 'up' | 'down',
    nowMs: number,
  ): boolean {
    let [known, queued, lossy, unexplained, sum] = [0, 0, 0, 0, 0];
    for (const link of links?.values() ?? []) {
      if (!this.#isFresh(link, nowMs)) continue;
      sum += link.carried;
      // a queue that the other direction makes says nothing of this one
      const isIdle = link.carried < this.#options.leastBytesPerSecond;
      const back = this.#out.get(link.to)?.get(link.from);
      if (isIdle && back !== undefined && back.carried >= this.#options.leastBytesPerSecond) continue;
      known++;
      if (link.isQueued) queued++;
      if (link.isLossy) lossy++;
      const { value } = link.rate;
      if ((link.isQueued || link.isLossy) && (value === null || link.carried < value * EXPLAINED)) unexplained++;
    }
    const together = Math.max(2, known * TOGETHER);
    const seemsFull =
      sum >= this.#options.leastBytesPerSecond &&
      unexplained >= 2 &&
      (queued >= together || (queued === 0 && lossy >= together));
    const spell = direction === 'up' ? access.upSpell : access.downSpell;
    const elapsedMs = Math.max(0, nowMs - spell.atMs);
    spell.atMs = nowMs;
    spell.sinceMs = seemsFull ? (spell.sinceMs ?? nowMs) : null;
    const isFull = spell.sinceMs !== null && nowMs >= spell.sinceMs + this.#options.persistMs;
    const rate = access[direction];
    if (isFull && rate.value === null) this.#learnings++;
    if (isFull || !seemsFull) rate.observe(sum, sum, isFull, elapsedMs);
    return seemsFull;
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
    const [upSpell, downSpell] = [
      { atMs: 0, sinceMs: null },
      { atMs: 0, sinceMs: null },
    ];
    const access: AccessUse = { up: new LearnedRate(), down: new LearnedRate(), limits, upSpell, downSpell };
    this.#access.set(index, access);
    return access;
  }

  #link(from: number, to: number, nowMs: number): LinkUse {
    const known = this.#out.get(from)?.get(to);
    if (known !== undefined) return known;
    const link = new LinkUse(from, to, this.#options, nowMs);
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
