/**
 * The Session-Sender without its socket: which peer is probed when, what a reply says, what is known of each link.
 * Probes of n targets are spread evenly: one every interval / n, in turn, so that neither the sockets nor the far side
 * see bursts. After a stall the missed ones are not sent later. A new link that answers is asked again soon
 * until it is up: slow probing must not make it late.
 */
import { encodeWord, type LinkWord } from './link-word.ts';
import type { LoopLag } from './loop-lag.ts';
import { PacedSessions } from './paced-sessions.ts';
import { RING_PROBES } from './probe-ring.ts';
import { healthOf, newProbeSession, type ProbeSession } from './probe-session.ts';
import type { LinkSummary, ProbeSettings, ProbeTarget } from './prober.ts';
import type { StampClock } from './stamp-clock.ts';
import {
  decodeReply,
  encodeErrorEstimate,
  encodeProbe,
  errorEstimateUs,
  newReplyFields,
  residenceUs,
  STAMP_PACKET_BYTES,
} from './stamp-packet.ts';

/** What became of a datagram. Only `accepted` and `late_event_loop` count as a reply; the rest changes nothing. */
export type ReplyOutcome =
  | 'accepted'
  | 'late_event_loop'
  | 'malformed'
  | 'unknown_session'
  | 'unsolicited'
  | 'duplicate'
  | 'late';

/** What a user-space stamp of an idle machine may be off by. Our clock's distance from UTC is not claimed (S = 0). */
export const STAMP_ERROR_US = 1000;
const STAMP_ERROR = encodeErrorEstimate(STAMP_ERROR_US, false);
/** Probes overdue by up to a tick of the loop and its ordinary lateness are sent; what is later was a stall. */
const CATCH_UP_MS = 60;
/** A probe without a reply for this long is lost: above the RTT of two satellite hops. */
const REPLY_TIMEOUT_MS = 2000;
/** Entries of the ring kept back for the loss window when the interval is short. */
const RING_RESERVE = 64;
/** A reflector's clock may be this coarse before T3 - T2 > T4 - T1 is called nonsense. */
const COARSE_CLOCK_US = 1000;
/** A reflector that says its stamps are this bad, and this much worse than it can, had a stall of its own. */
const LATE_REFLECTOR_US = 10_000;
const LATE_REFLECTOR_FACTOR = 4;

/** After a reply on a link that was never up: far enough from the reply that one gap in the network is not two samples. */
const EAGER_MS = 100;
/** Deadlines of links that have a pace, in intervals: a slow pace must not make one lost probe a dead link. */
const DEAD_INTERVALS = 4;
/** A peer that says a link is lost is believed for so many of its intervals, and this much longer. */
const WORD_INTERVALS = 1.5;
const WORD_GRACE_MS = 100;

/** A probe to hand to the socket at once. `packet` is only lent. */
export interface OutgoingProbe {
  readonly target: ProbeTarget;
  readonly packet: Buffer;
}

export class SessionSender {
  readonly #clock: StampClock;
  readonly #lag: LoopLag;
  readonly #firstSequence: number;
  #settings: ProbeSettings;
  #sessions: ProbeSession[] = [];
  #byEndpoint = new Map<string, ProbeSession>();
  #cursor = 0;
  #nextDueMs = 0;
  /** Links to ask again, in the order of their times. */
  #eager: { readonly session: ProbeSession; readonly atMs: number }[] = [];
  #urgent = false;
  /** Most links are late at the same time. */
  #isHostSlow = false;
  #plain: ProbeSession[] = [];
  readonly #paced: PacedSessions;
  readonly #onGuard: (what: 'doubt' | 'lost') => void;
  readonly #reply = newReplyFields();
  readonly #t1 = { seconds: 0, fraction: 0 };

  /**
   * @param deps `onGuard` hears of each doubt and each verdict of loss
   * @param options `ownAddress`: tells which end of a link adapts to the other; without it this one never does
   */
  constructor(
    deps: { clock: StampClock; lag: LoopLag; onGuard?: (what: 'doubt' | 'lost') => void },
    options: { settings: ProbeSettings; firstSequence?: number; ownAddress?: string },
  ) {
    this.#clock = deps.clock;
    this.#onGuard = deps.onGuard ?? (() => {});
    this.#paced = new PacedSessions(deps.lag, options.ownAddress ?? '');
    this.#lag = deps.lag;
    this.#settings = options.settings;
    this.#firstSequence = options.firstSequence ?? 0;
  }

  /** Time between two probes of plain targets, of whichever. */
  get slotMs(): number {
    return this.#settings.intervalMs / Math.max(1, this.#plain.length);
  }

  /** Targets whose peer, address and port stay keep all they have; the others begin anew. Checked by `checkTargets`. */
  setTargets(targets: readonly ProbeTarget[]): void {
    const kept = this.#byEndpoint;
    this.#sessions = targets.map((target) => {
      const old = kept.get(endpointKey(target.address, target.port));
      if (old === undefined || old.target.peerIndex !== target.peerIndex)
        return newProbeSession(target, this.#firstSequence);
      old.target = target;
      return old;
    });
    this.#byEndpoint = new Map(this.#sessions.map((s) => [endpointKey(s.target.address, s.target.port), s]));
    this.#sort();
  }

  setSettings(settings: ProbeSettings): void {
    this.#settings = settings;
    this.#sort();
  }

  /** Slows the paces of links that have one down by a factor, at least 1. */
  set stretch(factor: number) {
    this.#paced.stretch(factor, this.#clock.monoMs());
  }

  #sort(): void {
    this.#plain = this.#paced.take(this.#sessions, this.#settings.detection, this.#clock.monoMs());
    if (this.#cursor >= this.#plain.length) this.#cursor = 0;
  }

  /** When there is something to do for links with a pace, on the monotonic clock; Infinity: never. */
  dueMs(nowMs: number): number {
    return this.#paced.dueMs(nowMs);
  }

  /**
   * Has the guards look at their links; bursts are taken by `takeDueProbe` afterwards. Returns addresses whose kernel is
   * to be asked. Call it when the sockets have been read since the last stall.
   */
  judge(nowMs: number): readonly string[] {
    const { doubts, lost, ask } = this.#paced.judge(nowMs);
    for (let i = 0; i < doubts; i++) this.#onGuard('doubt');
    for (const session of lost) {
      this.#onGuard('lost');
      this.#afterDown(session);
    }
    return ask;
  }

  /** The kernel at `address` answered what it was asked at `askedAtMs`. */
  echoed(address: string, askedAtMs: number): void {
    this.#paced.echoed(address, askedAtMs);
  }

  /** A peer at `address` sent a probe of its own, with a word or without. */
  heard(address: string, word: LinkWord | undefined, nowMs: number): void {
    const session = word === undefined ? undefined : this.#paced.heard(address, word, nowMs);
    if (word === undefined || session === undefined) return;
    const attentiveMs = this.#lag.attentiveMs(nowMs);
    const before = healthOf(session, attentiveMs);
    session.peerLostUntilMs = word.lost
      ? attentiveMs + word.nextWithinMs * WORD_INTERVALS + WORD_GRACE_MS
      : Number.NEGATIVE_INFINITY;
    if (healthOf(session, attentiveMs) !== before) this.#urgent = true;
  }

  /** The next probe that is due at `nowMs`, stamped and noted as sent; undefined when none is. */
  takeDueProbe(nowMs: number): OutgoingProbe | undefined {
    const burst = this.#paced.takeBurst();
    const session = burst ?? this.#paced.takeDue(nowMs) ?? this.#takeEager(nowMs) ?? this.#takeScheduled(nowMs);
    if (session === undefined) return undefined;
    const { ring, target, guard, health } = session;
    const isPaced = this.#paced.has(session);
    const packet = isPaced ? session.packet : session.packet.subarray(0, STAMP_PACKET_BYTES);
    const sentAtMs = this.#clock.monoMs();
    this.#clock.ntpAt(sentAtMs, this.#t1);
    const attentiveMs = this.#lag.attentiveMs(sentAtMs);
    const { seconds, fraction } = this.#t1;
    const sequence = ring.record(sentAtMs, attentiveMs, seconds, fraction, burst !== undefined);
    encodeProbe(packet, sequence, this.#t1, STAMP_ERROR);
    if (isPaced) {
      encodeWord(packet, {
        lost: health.state === 'down',
        doubts: guard.doubts,
        nextWithinMs: Math.max(0, session.dueMs - nowMs),
      });
      guard.probeSent(attentiveMs);
    }
    health.probeSent(attentiveMs);
    return { target, packet };
  }

  #takeEager(nowMs: number): ProbeSession | undefined {
    const [first] = this.#eager;
    if (first === undefined || nowMs < first.atMs) return undefined;
    this.#eager.shift();
    const { target, health } = first.session;
    const isStill = this.#byEndpoint.get(endpointKey(target.address, target.port)) === first.session;
    return isStill && health.state === 'unmeasured' ? first.session : this.#takeEager(nowMs);
  }

  #takeScheduled(nowMs: number): ProbeSession | undefined {
    const session = this.#plain[this.#cursor];
    if (session === undefined || nowMs < this.#nextDueMs) return undefined;
    // What a stall made late is left out instead of sent as a burst.
    if (nowMs - this.#nextDueMs > Math.max(2 * this.slotMs, CATCH_UP_MS)) this.#nextDueMs = nowMs;
    this.#nextDueMs += this.slotMs;
    this.#cursor = (this.#cursor + 1) % this.#plain.length;
    return session;
  }

  /** Takes one datagram from `address`:`port`, read from the socket at `receivedAtMs` (T4). Never throws on content. */
  receive(packet: Buffer, address: string, port: number, receivedAtMs: number): ReplyOutcome {
    const session = this.#byEndpoint.get(endpointKey(address, port));
    if (session === undefined) return 'unknown_session';
    const reply = this.#reply;
    if (!decodeReply(packet, reply)) return 'malformed';
    const { ring, metrics, health } = session;
    const { senderSequence: sequence, t1 } = reply;
    const attentiveMs = this.#lag.attentiveMs(receivedAtMs);
    const outcome = ring.match(sequence, t1.seconds, t1.fraction, attentiveMs, this.#replyTimeoutMs());
    if (outcome === 'late') ring.answerLate(sequence);
    if (outcome !== 'accepted') return outcome;
    const sentAtMs = ring.sentAtMs(sequence);
    const rttUs = (receivedAtMs - sentAtMs) * 1000 - residenceUs(reply);
    if (!(rttUs >= -COARSE_CLOCK_US)) return 'malformed';
    // The peer's prober was away, as when its agent is upgraded: what it did not answer says nothing of the link.
    if (session.isExcused && attentiveMs - session.repliedAtMs >= this.#settings.deadAfterMs) ring.restartLoss();
    session.repliedAtMs = attentiveMs;
    session.isExcused = false;
    ring.answer(sequence, reply.sequence);
    const wronged = session.guard.replied(ring.sentAttentiveMs(sequence), attentiveMs);
    if (wronged && health.revive()) {
      metrics.takeBack();
      // the peer, which was told that the link is lost, is told at once
      session.burstDue = true;
      this.#urgent = true;
    }
    if (health.replied(sequence)) this.#urgent = true;
    else if (health.state === 'unmeasured' && this.#settings.intervalMs > EAGER_MS) {
      this.#eager.push({ session, atMs: receivedAtMs + EAGER_MS });
    }
    const errorUs = errorEstimateUs(reply.errorEstimate);
    session.leastErrorUs = Math.min(session.leastErrorUs, errorUs);
    const lateReflector = errorUs > Math.max(LATE_REFLECTOR_US, LATE_REFLECTOR_FACTOR * session.leastErrorUs);
    // What was sent before anything came back may have waited for the WireGuard session to be made.
    session.firstReplyAtMs = Math.min(session.firstReplyAtMs, receivedAtMs);
    if (sentAtMs < session.firstReplyAtMs) return 'accepted';
    if (lateReflector || this.#lag.isSuspect(sentAtMs, receivedAtMs)) return 'late_event_loop';
    const jumped = metrics.addSample(sequence, Math.max(1, Math.round(rttUs)), receivedAtMs, this.#isHostSlow);
    if (jumped && health.state === 'up') this.#urgent = true;
    return 'accepted';
  }

  /** Judges which links have gone silent. Call it when the socket has been read since the last stall. */
  checkHealth(nowMs: number): void {
    const attentiveMs = this.#lag.attentiveMs(nowMs);
    const { deadAfterMs } = this.#settings;
    let up = 0;
    let elevated = 0;
    for (const session of this.#sessions) {
      const slowMs = this.#paced.has(session) ? DEAD_INTERVALS * this.#paced.intervalMs(session) : 0;
      if (session.health.check(attentiveMs, Math.max(deadAfterMs, slowMs))) this.#afterDown(session);
      if (session.health.state !== 'up') continue;
      up++;
      if (session.metrics.isElevated) elevated++;
    }
    this.#isHostSlow = elevated > 1 && elevated * 2 > up;
  }

  /** Health tells of the outage; what is measured afterwards may be another path. */
  #afterDown(session: ProbeSession): void {
    session.metrics.restart();
    session.ring.restartLoss();
    session.firstReplyAtMs = Number.POSITIVE_INFINITY;
    this.#urgent = true;
  }

  /** True once after a change of health or a jump of an RTT: the summaries should go out now. */
  takeUrgent(): boolean {
    const urgent = this.#urgent;
    this.#urgent = false;
    return urgent;
  }

  /** One summary per target, in the targets' order. A link that is not up has no RTT, jitter or loss. */
  summaries(nowMs: number): LinkSummary[] {
    const attentiveMs = this.#lag.attentiveMs(nowMs);
    const timeoutMs = this.#replyTimeoutMs();
    return this.#sessions.map((session) => {
      const { target, ring, metrics, guard } = session;
      const health = healthOf(session, attentiveMs);
      const { rttUs, minRttUs, jitterUs, samples } = metrics.figures(nowMs);
      const base = { peerIndex: target.peerIndex, health, minRttUs, samples, grey: guard.grey };
      if (health !== 'up') return { ...base, rttUs: null, jitterUs: null, lossOutPpm: null, lossInPpm: null };
      const loss = ring.loss(attentiveMs, timeoutMs);
      return { ...base, rttUs, jitterUs, lossOutPpm: loss.outPpm, lossInPpm: loss.inPpm };
    });
  }

  #replyTimeoutMs(): number {
    const { intervalMs, deadAfterMs } = this.#settings;
    return Math.min(Math.max(REPLY_TIMEOUT_MS, 2 * deadAfterMs), (RING_PROBES - RING_RESERVE) * intervalMs);
  }
}

function endpointKey(address: string, port: number): string {
  return `${address}:${port}`;
}
