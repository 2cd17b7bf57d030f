/**
 * The Session-Sender without its socket: which peer is probed when, what a reply says, what is known of each link.
 * Probes of n targets are spread evenly: one every interval / n, in turn, so that neither the sockets nor the far side
 * see bursts. After a stall the missed ones are not sent later. A new link that answers is asked again soon
 * until it is up: slow probing must not make it late.
 */
import { LinkHealth } from './link-health.ts';
import { LinkMetrics } from './link-metrics.ts';
import type { LoopLag } from './loop-lag.ts';
import { ProbeRing, RING_PROBES } from './probe-ring.ts';
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

interface Session {
  readonly target: ProbeTarget;
  readonly ring: ProbeRing;
  readonly metrics: LinkMetrics;
  readonly health: LinkHealth;
  /** Reused for every probe: one is in the socket's hands at most. */
  readonly packet: Buffer;
  leastErrorUs: number;
  /** Monotonic milliseconds; Infinity: nothing has come since it was silent. */
  firstReplyAtMs: number;
}

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
  #sessions: Session[] = [];
  #byEndpoint = new Map<string, Session>();
  #cursor = 0;
  #nextDueMs = 0;
  /** Links to ask again, in the order of their times. */
  #eager: { readonly session: Session; readonly atMs: number }[] = [];
  #urgent = false;
  readonly #reply = newReplyFields();
  readonly #t1 = { seconds: 0, fraction: 0 };

  constructor(deps: { clock: StampClock; lag: LoopLag }, options: { settings: ProbeSettings; firstSequence?: number }) {
    this.#clock = deps.clock;
    this.#lag = deps.lag;
    this.#settings = options.settings;
    this.#firstSequence = options.firstSequence ?? 0;
  }

  /** Time between two probes, of whatever target. */
  get slotMs(): number {
    return this.#settings.intervalMs / Math.max(1, this.#sessions.length);
  }

  /** Targets whose peer, address and port stay keep all they have; the others begin anew. Checked by `checkTargets`. */
  setTargets(targets: readonly ProbeTarget[]): void {
    const kept = this.#byEndpoint;
    this.#sessions = targets.map((target) => {
      const old = kept.get(endpointKey(target.address, target.port));
      return old !== undefined && old.target.peerIndex === target.peerIndex ? old : this.#newSession(target);
    });
    this.#byEndpoint = new Map(this.#sessions.map((s) => [endpointKey(s.target.address, s.target.port), s]));
    if (this.#cursor >= this.#sessions.length) this.#cursor = 0;
  }

  setSettings(settings: ProbeSettings): void {
    this.#settings = settings;
  }

  /** The next probe that is due at `nowMs`, stamped and noted as sent; undefined when none is. */
  takeDueProbe(nowMs: number): OutgoingProbe | undefined {
    const session = this.#takeEager(nowMs) ?? this.#takeScheduled(nowMs);
    if (session === undefined) return undefined;
    const { ring, packet, target } = session;
    const sentAtMs = this.#clock.monoMs();
    this.#clock.ntpAt(sentAtMs, this.#t1);
    const attentiveMs = this.#lag.attentiveMs(sentAtMs);
    const sequence = ring.record(sentAtMs, attentiveMs, this.#t1.seconds, this.#t1.fraction);
    encodeProbe(packet, sequence, this.#t1, STAMP_ERROR);
    session.health.probeSent(attentiveMs);
    return { target, packet };
  }

  #takeEager(nowMs: number): Session | undefined {
    const [first] = this.#eager;
    if (first === undefined || nowMs < first.atMs) return undefined;
    this.#eager.shift();
    const { target, health } = first.session;
    const isStill = this.#byEndpoint.get(endpointKey(target.address, target.port)) === first.session;
    return isStill && health.state === 'unmeasured' ? first.session : this.#takeEager(nowMs);
  }

  #takeScheduled(nowMs: number): Session | undefined {
    const session = this.#sessions[this.#cursor];
    if (session === undefined || nowMs < this.#nextDueMs) return undefined;
    // What a stall made late is left out instead of sent as a burst.
    if (nowMs - this.#nextDueMs > Math.max(2 * this.slotMs, CATCH_UP_MS)) this.#nextDueMs = nowMs;
    this.#nextDueMs += this.slotMs;
    this.#cursor = (this.#cursor + 1) % this.#sessions.length;
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
    ring.answer(sequence, reply.sequence);
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
    const jumped = metrics.addSample(sequence, Math.max(1, Math.round(rttUs)), receivedAtMs);
    if (jumped && health.state === 'up') this.#urgent = true;
    return 'accepted';
  }

  /** Judges which links have gone silent. Call it when the socket has been read since the last stall. */
  checkHealth(nowMs: number): void {
    const attentiveMs = this.#lag.attentiveMs(nowMs);
    for (const session of this.#sessions) {
      const { health, metrics, ring } = session;
      if (!health.check(attentiveMs, this.#settings.deadAfterMs)) continue;
      // Health tells of the outage; what is measured afterwards may be another path.
      metrics.restart();
      ring.restartLoss();
      session.firstReplyAtMs = Number.POSITIVE_INFINITY;
      this.#urgent = true;
    }
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
    return this.#sessions.map(({ target, ring, metrics, health }) => {
      const { rttUs, minRttUs, jitterUs, samples } = metrics.figures(nowMs);
      const base = { peerIndex: target.peerIndex, health: health.state, minRttUs, samples };
      if (health.state !== 'up') return { ...base, rttUs: null, jitterUs: null, lossOutPpm: null, lossInPpm: null };
      const loss = ring.loss(attentiveMs, timeoutMs);
      return { ...base, rttUs, jitterUs, lossOutPpm: loss.outPpm, lossInPpm: loss.inPpm };
    });
  }

  #newSession(target: ProbeTarget): Session {
    return {
      target,
      ring: new ProbeRing(this.#firstSequence),
      metrics: new LinkMetrics(),
      health: new LinkHealth(),
      packet: Buffer.alloc(STAMP_PACKET_BYTES),
      leastErrorUs: Number.POSITIVE_INFINITY,
      firstReplyAtMs: Number.POSITIVE_INFINITY,
    };
  }

  #replyTimeoutMs(): number {
    const { intervalMs, deadAfterMs } = this.#settings;
    return Math.min(Math.max(REPLY_TIMEOUT_MS, 2 * deadAfterMs), (RING_PROBES - RING_RESERVE) * intervalMs);
  }
}

function endpointKey(address: string, port: number): string {
  return `${address}:${port}`;
}
