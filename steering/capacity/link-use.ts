/**
 * One direction of a link under load: when it is full, and what it carries then. Pure; time comes in.
 *
 *   bad        loss towards the peer >= 2 %, or RTT >= 1.5 base and RTT >= base + 10 ms; base is the least RTT seen (it rises by
 *              1 % a minute, so that a longer underlay path is learned too)
 *   a spell    it is bad while it carries something
 *   full       the spell lasts for 6 s; or the far end counted the same twice, less than nine tenths of what was sent, while there
 *              is a queue; or load went and the queue with it, within 2.5 s of each other (a link that got longer by itself
 *              stays long when it is left), and there was loss in the spell, or it is the second such spell in a minute. But not
 *              where nothing is lost and the link has lately borne as much
 *   by itself  it is bad for longer with little on it: what was learned is forgotten, and its RTT becomes the base
 *
 * The last sign of "full" is what steering by latency leaves behind: a link that fills is left within a second or two, and
 * filled again when the next one was full as well. Without it, nobody would know what any of them carries.
 */
import type { CapacityOptions } from './capacity-book.ts';
import { LearnedRate } from './learned-rate.ts';
import { ProvenRate } from './proven-rate.ts';

const BASE_GROWTH_PER_MINUTE = 0.01;
/** A link that is bad while it carries less than this part of what was learned was never full. */
const LITTLE = 0.5;
/** Load and queue go together when they go within this: reports of the one are a second late, of the other 0.6 s. */
const RELEASE_MS = 2_500;
/** One spell without loss may be chance: another soon after is not. */
const SECOND_SPELL_MS = 60_000;
/** Less than this part of what was sent arrives of no overload; of one that is left within seconds, a second shows a part. */
const LEAST_DELIVERED = 0.25;
const LEAST_GUESSED = 0.5;
/** What arrives of an overload is the same from second to second, and clearly less than what is sent. */
const SAME = 0.05;
const MOST_DELIVERED = 0.9;
const CLEARLY_MORE = 1.1;
/** So long it must be slow, or lossy, with little on it: loss is counted over 10 s. */
const SLOW_BY_ITSELF_MS = 3_000;
const LOSSY_BY_ITSELF_MS = 15_000;

/** What the sending end says of a link at one moment; null: not measured. Rates in bytes per second. */
export interface CarriedSample {
  readonly sentBytesPerSecond: number | null;
  readonly rttUs: number | null;
  readonly lossOutPpm: number | null;
}

interface Spell {
  readonly sinceMs: number;
  /** Most that was delivered, and sent, in one report of it. */
  deliveredPeak: number;
  sentPeak: number;
  /** What was delivered last; null: the far end has not said. */
  delivered: number | null;
  /** More was sent than arrived, and what arrived was the same twice. */
  overflows: boolean;
  wasSlow: boolean;
  wasLossy: boolean;
  /** Since when load or queue are gone; null: both are there. */
  endingSinceMs: number | null;
}

export class LinkUse {
  readonly from: number;
  readonly to: number;
  readonly rate = new LearnedRate();
  baseRttUs: number | null = null;
  /** Told last by the sending end. */
  atMs: number;
  /** The spell has lasted long enough. */
  congested = false;
  /** When load last made it slow: it was found to be full, or its queue went with its load. */
  fullAtMs = Number.NEGATIVE_INFINITY;
  readonly proven = new ProvenRate();
  /** A queue or loss shows, whatever the link carries itself. */
  isQueued = false;
  isLossy = false;
  readonly #options: CapacityOptions;
  #sent = 0;
  #sentBefore = 0;
  #rttUs: number | null = null;
  #isSlow = false;
  #slowAtMs = Number.NEGATIVE_INFINITY;
  #lossPpm = 0;
  #delivered: number | null = null;
  #deliveredAtMs = Number.NEGATIVE_INFINITY;
  #carriedBefore = 0;
  #spell: Spell | null = null;
  #releasedAtMs = Number.NEGATIVE_INFINITY;
  #slowIdleSinceMs: number | null = null;
  #badIdleSinceMs: number | null = null;
  #learnedAtMs: number;

  constructor(from: number, to: number, options: CapacityOptions, nowMs: number) {
    this.from = from;
    this.to = to;
    this.#options = options;
    this.atMs = nowMs;
    this.#learnedAtMs = nowMs;
  }

  /** What arrives: as the far end counts it; where it does not say, what is sent less what probes lose. */
  get carried(): number {
    if (this.#delivered !== null && this.atMs - this.#deliveredAtMs <= this.#options.freshMs) {
      // the far end's count may be a second old: what is not sent any more does not arrive
      return Math.min(this.#delivered, Math.max(this.#sent, this.#sentBefore));
    }
    return this.#sent * (1 - this.#lossPpm / 1e6);
  }

  /** What the far end received lately. */
  delivered(bytesPerSecond: number, nowMs: number): void {
    this.#delivered = bytesPerSecond;
    this.#deliveredAtMs = nowMs;
    const spell = this.#spell;
    if (spell === null) return;
    spell.deliveredPeak = Math.max(spell.deliveredPeak, bytesPerSecond);
    const before = spell.delivered ?? 0;
    spell.delivered = bytesPerSecond;
    const sent = Math.min(this.#sent, this.#sentBefore);
    // a number that is told again is of the same second
    const isSame = bytesPerSecond !== before && Math.abs(bytesPerSecond - before) <= before * SAME;
    const isPart = bytesPerSecond >= sent * LEAST_DELIVERED && bytesPerSecond <= sent * MOST_DELIVERED;
    if (this.#isSlow && isPart && isSame) spell.overflows = true;
  }

  /** What the sending end says. False: it told no rate. `learn` follows when it is known whose fault it is. */
  take({ rttUs, lossOutPpm, sentBytesPerSecond }: CarriedSample, nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.atMs);
    this.atMs = nowMs;
    if (rttUs !== null) {
      const grown = (this.baseRttUs ?? rttUs) * (1 + (BASE_GROWTH_PER_MINUTE * elapsedMs) / 60_000);
      this.baseRttUs = Math.min(rttUs, grown);
    }
    const { lossPpm, rttRatio, rttUs: leastRiseUs, leastBytesPerSecond } = this.#options;
    const base = this.baseRttUs ?? Number.POSITIVE_INFINITY;
    this.isQueued = rttUs !== null && rttUs >= base + leastRiseUs;
    this.isLossy = (lossOutPpm ?? 0) >= lossPpm;
    this.#lossPpm = lossOutPpm ?? 0;
    const isSlow = this.isQueued && (rttUs ?? 0) >= base * rttRatio;
    this.#isSlow = isSlow;
    if (isSlow) this.#slowAtMs = nowMs;
    this.#rttUs = rttUs;
    if (sentBytesPerSecond === null) return false;
    this.#carriedBefore = this.carried;
    this.#sentBefore = this.#sent;
    this.#sent = sentBytesPerSecond;
    const isBad = isSlow || this.isLossy;
    if (this.#spell === null && isBad && this.#sent >= leastBytesPerSecond) {
      this.#spell = {
        sinceMs: nowMs,
        deliveredPeak: 0,
        sentPeak: this.#sent,
        delivered: null,
        overflows: false,
        // where nothing was carried the counters are read seldom: the queue may be told before the load is
        wasSlow: nowMs <= this.#slowAtMs + RELEASE_MS,
        wasLossy: false,
        endingSinceMs: null,
      };
    }
    if (this.#spell !== null) this.#goOn(this.#spell, isSlow, nowMs);
    this.proven.observe(this.carried, this.#spell !== null, elapsedMs, nowMs);
    return true;
  }

  /** Takes what is carried now into what the link can carry. `blameless`: its access is full, or may be. */
  learn(blameless: boolean, nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#learnedAtMs);
    this.#learnedAtMs = nowMs;
    if (blameless) return;
    this.#watchIdle(nowMs);
    // while it is not known what a spell is, nothing is learned from it
    if (this.#spell !== null && !this.congested) return;
    const carried = this.carried;
    this.rate.observe(carried, Math.max(carried, this.#carriedBefore), this.congested, elapsedMs);
  }

  #goOn(spell: Spell, isSlow: boolean, nowMs: number): void {
    spell.wasSlow ||= isSlow;
    spell.wasLossy ||= this.isLossy;
    spell.sentPeak = Math.max(spell.sentPeak, this.#sent);
    const loadWent = this.#sent < spell.sentPeak * LITTLE;
    if (!loadWent && (isSlow || this.isLossy)) {
      spell.endingSinceMs = null;
      const lasts = nowMs >= spell.sinceMs + this.#options.persistMs;
      this.congested = spell.overflows || (lasts && this.#isLoads(spell));
      if (this.congested) this.fullAtMs = nowMs;
      return;
    }
    this.congested = false;
    spell.endingSinceMs ??= nowMs;
    if (loadWent && spell.wasSlow && !isSlow) {
      const isSecond = nowMs <= this.#releasedAtMs + SECOND_SPELL_MS;
      if (spell.wasLossy || (isSecond && this.#isLoads(spell))) this.#guess(spell);
      this.#releasedAtMs = nowMs;
      // whatever it carries: the loss that probes still count is of the load that has gone
      this.fullAtMs = nowMs;
      this.#learnedAtMs = nowMs;
      this.#spell = null;
    } else if (nowMs > spell.endingSinceMs + RELEASE_MS) this.#spell = null;
  }

  /** A link that bore as much, and loses nothing, is slow for another reason. */
  #isLoads({ wasLossy, sentPeak }: Spell): boolean {
    return wasLossy || sentPeak > this.proven.value * CLEARLY_MORE;
  }

  /** Only from what the far end counted: what was sent into a queue is more than the link carries. */
  #guess({ deliveredPeak, sentPeak }: Spell): void {
    // what it counted is of other seconds than the spell's
    if (deliveredPeak < Math.max(this.#options.leastBytesPerSecond, sentPeak * LEAST_GUESSED)) return;
    this.rate.guess(deliveredPeak);
  }

  /** Bad with little on it, for longer than what is measured lags behind: load is not why. */
  #watchIdle(nowMs: number): void {
    const { leastBytesPerSecond } = this.#options;
    const isSlow = this.#isSlow;
    const isIdle = this.#sent < Math.max(leastBytesPerSecond, (this.rate.value ?? 0) * LITTLE);
    this.#slowIdleSinceMs = isIdle && isSlow ? (this.#slowIdleSinceMs ?? nowMs) : null;
    this.#badIdleSinceMs = isIdle && (isSlow || this.isLossy) ? (this.#badIdleSinceMs ?? nowMs) : null;
    const isSlowByItself = this.#slowIdleSinceMs !== null && nowMs >= this.#slowIdleSinceMs + SLOW_BY_ITSELF_MS;
    const isBadByItself = this.#badIdleSinceMs !== null && nowMs >= this.#badIdleSinceMs + LOSSY_BY_ITSELF_MS;
    if (!isSlowByItself && !isBadByItself) return;
    this.rate.value = null;
    this.baseRttUs = this.#rttUs ?? this.baseRttUs;
    this.#spell = null;
    this.congested = false;
  }
}
