/**
 * The links that say what they are used for: each has a pace of its own (probe-pace.ts), and where it carries traffic or
 * stands behind a route a guard (link-guard.ts), whose bursts come on top. Both ends of such a link probe, and the one
 * with the greater address keeps to the middle between two probes of the other: so something is heard, or missed, twice
 * in an interval.
 */
import { TokenBucket } from '../../protocol/token-bucket.ts';
import { FAST_GUARD, NORMAL_GUARD, SUSPECT_INTERVAL_MS } from './link-guard.ts';
import type { LinkWord } from './link-word.ts';
import type { LoopLag } from './loop-lag.ts';
import { allotPaces, type Paces } from './probe-pace.ts';
import type { ProbeSession } from './probe-session.ts';
import type { DetectionSettings } from './prober.ts';

/** Bursts of all links together are held to the budget: so much of a second's packets may be sent at once. */
const BURST_RESERVE_S = 0.5;
const BURST_RESERVE_MIN = 50;
/** A paced probe that is due within this time goes with those that are due now: a wake-up costs as much as a packet. */
const GATHER_MS = 2;
/** Paced probes overdue by more than this, and by an interval, were stalled: they are spread again, not sent as a burst. */
const STALLED_MS = 60;
/** Share of an interval by which a probe is moved at most towards the middle between the peer's. */
const PHASE_STEP = 0.25;
/** The peer's pace counts as ours when it differs by less than this share. */
const SAME_PACE = 0.2;
/** Spreads the probes of links over the interval: neighbouring numbers fall far apart (golden section). */
const GOLDEN = 0.618_033_988_749_895;

export interface Judgement {
  /** Links in doubt from now on. */
  readonly doubts: number;
  readonly lost: readonly ProbeSession[];
  /** Addresses whose kernel is to be asked. */
  readonly ask: readonly string[];
}

const NOTHING: Judgement = { doubts: 0, lost: [], ask: [] };

export class PacedSessions {
  readonly #lag: LoopLag;
  readonly #ownAddress: string;
  #detection: DetectionSettings | undefined;
  #all: readonly ProbeSession[] = [];
  #guarded: readonly ProbeSession[] = [];
  #byAddress = new Map<string, ProbeSession>();
  #paces: Paces = { busyMs: 0, watchedMs: 0, idleMs: 0 };
  #stretch = 1;
  /** Probes that bursts may send. */
  readonly #reserve = new TokenBucket({ perS: 0, most: BURST_RESERVE_MIN }, 0);

  /** @param ownAddress tells which end of a link adapts to the other; '': this one never does */
  constructor(lag: LoopLag, ownAddress: string) {
    this.#lag = lag;
    this.#ownAddress = ownAddress;
  }

  has({ target: { address } }: ProbeSession): boolean {
    return this.#byAddress.has(address);
  }

  /** Takes those of `sessions` that have a pace; returns the rest. */
  take(sessions: readonly ProbeSession[], detection: DetectionSettings | undefined, nowMs: number): ProbeSession[] {
    this.#detection = detection;
    const perS = detection?.packetsPerSecond ?? 0;
    this.#reserve.rate = { perS, most: Math.max(BURST_RESERVE_MIN, perS * BURST_RESERVE_S) };
    const isPaced = ({ target: { use = 'plain' } }: ProbeSession): boolean =>
      detection !== undefined && use !== 'plain';
    this.#all = sessions.filter(isPaced);
    this.#byAddress = new Map(this.#all.map((session) => [session.target.address, session]));
    const before = new Set(this.#guarded);
    this.#guarded = this.#all.filter(({ target }) => target.use !== 'idle');
    for (const session of this.#guarded) {
      session.guard.pace = detection?.guard === 'fast' ? FAST_GUARD : NORMAL_GUARD;
      if (!before.has(session)) session.guard.restart();
    }
    this.#allot(nowMs);
    return sessions.filter((session) => !isPaced(session));
  }

  /** Slows all paces down by a factor, at least 1. */
  stretch(factor: number, nowMs: number): void {
    this.#stretch = factor;
    this.#allot(nowMs);
  }

  #allot(nowMs: number): void {
    if (this.#detection === undefined) return;
    const count = { busy: 0, watched: 0, idle: 0, plain: 0 };
    for (const { target } of this.#all) count[target.use ?? 'plain']++;
    this.#paces = allotPaces(count, this.#detection, this.#stretch);
    this.#all.forEach((session, at) => {
      const intervalMs = this.intervalMs(session);
      // a link that was slow and is needed now is not waited for
      if (!(session.dueMs <= nowMs + intervalMs)) session.dueMs = nowMs + ((at * GOLDEN) % 1) * intervalMs;
    });
  }

  intervalMs({ target, guard }: ProbeSession): number {
    const { busyMs, watchedMs, idleMs } = this.#paces;
    if (target.use === 'idle') return idleMs;
    const intervalMs = target.use === 'busy' ? busyMs : watchedMs;
    return guard.suspect ? Math.min(intervalMs, SUSPECT_INTERVAL_MS) : intervalMs;
  }

  /** When there is something to do, on the monotonic clock; Infinity: never. */
  dueMs(nowMs: number): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const session of this.#all) dueMs = Math.min(dueMs, session.dueMs);
    const excusedMs = nowMs - this.#lag.attentiveMs(nowMs);
    for (const { guard, health } of this.#guarded) {
      if (health.state === 'up') dueMs = Math.min(dueMs, guard.dueMs + excusedMs);
    }
    return dueMs;
  }

  /** A link whose guard wants a probe at once. */
  takeBurst(): ProbeSession | undefined {
    const session = this.#guarded.find(({ burstDue }) => burstDue);
    if (session !== undefined) session.burstDue = false;
    return session;
  }

  /** The link whose probe is due at `nowMs`; its next time is set. */
  takeDue(nowMs: number): ProbeSession | undefined {
    for (const session of this.#all) {
      if (session.dueMs > nowMs + GATHER_MS) continue;
      const intervalMs = this.intervalMs(session);
      if (nowMs - session.dueMs > Math.max(intervalMs, STALLED_MS)) {
        session.dueMs = nowMs + ((session.target.peerIndex * GOLDEN) % 1) * intervalMs;
        continue;
      }
      session.dueMs += intervalMs;
      return session;
    }
    return undefined;
  }

  /** Has the guards look at their links; what is lost has been given up. Call it when the sockets have been read. */
  judge(nowMs: number): Judgement {
    if (this.#guarded.length === 0) return NOTHING;
    const attentiveMs = this.#lag.attentiveMs(nowMs);
    const ask: string[] = [];
    const gone: ProbeSession[] = [];
    let doubts = 0;
    const patient = this.#doubtsAll();
    for (const session of this.#guarded) {
      const { guard, health, target } = session;
      if (health.state !== 'up') {
        guard.restart();
        continue;
      }
      if (attentiveMs < guard.dueMs || (guard.doubts && !this.#reserve.holds(1, nowMs))) continue;
      const doubted = guard.doubts;
      const { probe, echo, lost } = guard.step(attentiveMs, patient);
      if (guard.doubts && !doubted) doubts++;
      if (probe) {
        session.burstDue = true;
        this.#reserve.take(1, nowMs);
      }
      if (echo) ask.push(target.address);
      if (!lost || !health.giveUp()) continue;
      gone.push(session);
      // the peer is told at once
      session.burstDue = true;
    }
    return { doubts, lost: gone, ask };
  }

  /** No link is up and beyond doubt, of several. */
  #doubtsAll(): boolean {
    let inDoubt = 0;
    for (const { guard, health } of this.#guarded) {
      if (health.state !== 'up') continue;
      if (!guard.doubts) return false;
      inDoubt++;
    }
    return inDoubt > 1;
  }

  /** The kernel at `address` answered what it was asked at `askedAtMs`. */
  echoed(address: string, askedAtMs: number): void {
    const session = this.#byAddress.get(address);
    if (session === undefined) return;
    session.guard.echoed(this.#lag.attentiveMs(askedAtMs));
    session.health.excuse();
    session.isExcused = true;
  }

  /** A peer's own probe came with a word. Returns its session, if it has a pace. */
  heard(address: string, word: LinkWord, nowMs: number): ProbeSession | undefined {
    const session = this.#byAddress.get(address);
    if (session === undefined || session.target.use === 'idle') return session;
    session.guard.heard(word, this.#lag.attentiveMs(nowMs));
    const intervalMs = this.intervalMs(session);
    const isSamePace = Math.abs(word.nextWithinMs - intervalMs) < intervalMs * SAME_PACE;
    if (!isSamePace || word.doubts || !(this.#ownAddress > address)) return session;
    const awayMs = (nowMs + intervalMs / 2 - session.dueMs) % intervalMs;
    const nearestMs = awayMs - intervalMs * Math.round(awayMs / intervalMs);
    const mostMs = intervalMs * PHASE_STEP;
    session.dueMs += Math.min(Math.max(nearestMs, -mostMs), mostMs);
    return session;
  }
}
