/**
 * What to tell the core about the links, and when. Pure. At once where something changed enough to move a path;
 * everything every few seconds, so that the core can tell fresh from forgotten. That a link is down is kept back for a
 * moment: the node repairs by itself meanwhile, and what was only a stall of a busy host need not move the whole mesh.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { LinkSummary } from '../overlay/stamp/prober.ts';
import { MAX_LINKS_PER_REPORT } from '../protocol/frame-codec.ts';
import { LinkHealth, type LinkMeasurementSchema } from '../protocol/gen/thalweg/v1/session_pb.ts';

export type LinkMeasurementInit = MessageInitShape<typeof LinkMeasurementSchema>;

/** Smaller changes of the RTT are below what steering's margins let through: both must be exceeded. */
const RTT_CHANGE_US = 500;
const RTT_CHANGE_RATIO = 0.05;
/** One per cent: about one lost probe in the loss window. */
const LOSS_CHANGE_PPM = 10_000;
/** Both must be exceeded: 1 Mbit/s, and what TCP's rate moves by itself from one second to the next. */
const RATE_CHANGE_BYTES_PER_SECOND = 125_000;
const RATE_CHANGE_RATIO = 0.2;

/** As long as most stalls of a busy host take; a prober takes its verdict back by then. */
const VERDICT_HOLD_MS = 150;

/** What is known of a peer's WireGuard session; undefined: not known. */
export interface SessionReading {
  readonly handshakeAgeS: number | undefined;
  readonly sentBytesPerSecond: number | undefined;
  readonly receivedBytesPerSecond: number | undefined;
}

/** Mutable; one per session's agent. */
export class LinkReporter {
  readonly #reported = new Map<number, LinkSummary>();
  readonly #reportedRates = new Map<number, SessionReading>();
  #lastFullMonoMs = Number.NEGATIVE_INFINITY;
  /** Index -> monotonic time since which it has been down, of links that the core believes to be up. */
  readonly #downSinceMs = new Map<number, number>();

  /** Monotonic time at which a link that is down may be told; Infinity: none is kept back. */
  get heldUntilMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#downSinceMs.values()) + VERDICT_HOLD_MS;
  }

  /** A new session: the core may know nothing. */
  reset(): void {
    this.#reported.clear();
    this.#reportedRates.clear();
    this.#downSinceMs.clear();
    this.#lastFullMonoMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Takes all links as they are now; returns the measurements to send, in the order of their index, or [] for none.
   * @param sessions what WireGuard says, by peer index
   */
  observe(
    summaries: readonly LinkSummary[],
    sessions: ReadonlyMap<number, SessionReading>,
    reportIntervalMs: number,
    monoMs: number,
  ): LinkMeasurementInit[] {
    const full = monoMs - this.#lastFullMonoMs >= reportIntervalMs;
    this.#noteDown(summaries, monoMs);
    const changed = (s: LinkSummary): boolean =>
      !this.#isHeldBack(s.peerIndex, monoMs) &&
      (changedEnough(this.#reported.get(s.peerIndex), s) ||
        ratesChanged(this.#reportedRates.get(s.peerIndex), sessions.get(s.peerIndex)));
    const sent = full ? summaries : summaries.filter(changed);
    // Before the first measurement there is nothing that could count as told.
    if (full && summaries.length > 0) {
      this.#lastFullMonoMs = monoMs;
      this.#reported.clear();
      this.#reportedRates.clear();
    }
    for (const summary of sent) {
      this.#reported.set(summary.peerIndex, summary);
      this.#downSinceMs.delete(summary.peerIndex);
      const session = sessions.get(summary.peerIndex);
      if (session !== undefined) this.#reportedRates.set(summary.peerIndex, session);
    }
    return [...sent]
      .sort((a, b) => a.peerIndex - b.peerIndex)
      .slice(0, MAX_LINKS_PER_REPORT)
      .map((summary) => measurement(summary, sessions.get(summary.peerIndex)));
  }

  #isHeldBack(peerIndex: number, monoMs: number): boolean {
    const sinceMs = this.#downSinceMs.get(peerIndex);
    return sinceMs !== undefined && monoMs < sinceMs + VERDICT_HOLD_MS;
  }

  #noteDown(summaries: readonly LinkSummary[], monoMs: number): void {
    const down = summaries.filter(
      ({ peerIndex, health }) => health === 'down' && this.#reported.get(peerIndex)?.health === 'up',
    );
    const indices = new Set(down.map(({ peerIndex }) => peerIndex));
    for (const index of [...this.#downSinceMs.keys()]) if (!indices.has(index)) this.#downSinceMs.delete(index);
    for (const index of indices) if (!this.#downSinceMs.has(index)) this.#downSinceMs.set(index, monoMs);
  }
}

/** True when the core should hear of `now` at once, given that it last heard `before`. */
export function changedEnough(before: LinkSummary | undefined, now: LinkSummary): boolean {
  if (before === undefined) return now.health !== 'unmeasured';
  if (before.health !== now.health) return true;
  return (
    rttChanged(before.rttUs, now.rttUs) ||
    lossChanged(before.lossOutPpm, now.lossOutPpm) ||
    lossChanged(before.lossInPpm, now.lossInPpm)
  );
}

/** True when what the link carries has changed enough, in either direction. */
function ratesChanged(before: SessionReading | undefined, now: SessionReading | undefined): boolean {
  return (
    rateChanged(before?.sentBytesPerSecond, now?.sentBytesPerSecond) ||
    rateChanged(before?.receivedBytesPerSecond, now?.receivedBytesPerSecond)
  );
}

function rateChanged(before = 0, now = 0): boolean {
  return Math.abs(now - before) > Math.max(RATE_CHANGE_BYTES_PER_SECOND, before * RATE_CHANGE_RATIO);
}

function rttChanged(before: number | null, now: number | null): boolean {
  if (before === null || now === null) return before !== now;
  return Math.abs(now - before) > Math.max(RTT_CHANGE_US, before * RTT_CHANGE_RATIO);
}

function lossChanged(before: number | null, now: number | null): boolean {
  if (before === null || now === null) return before !== now;
  return Math.abs(now - before) > LOSS_CHANGE_PPM;
}

const HEALTH: Record<LinkSummary['health'], LinkHealth> = {
  unmeasured: LinkHealth.UNSPECIFIED,
  up: LinkHealth.UP,
  down: LinkHealth.DOWN,
};

function measurement(summary: LinkSummary, session: SessionReading | undefined): LinkMeasurementInit {
  const { handshakeAgeS, sentBytesPerSecond, receivedBytesPerSecond } = session ?? {};
  const { peerIndex, health, rttUs, minRttUs, jitterUs, lossOutPpm, lossInPpm, samples } = summary;
  return {
    peerIndex,
    health: HEALTH[health],
    samples: uint32(samples),
    ...(rttUs === null ? {} : { rttUs: uint32(rttUs) }),
    ...(minRttUs === null ? {} : { minRttUs: uint32(minRttUs) }),
    ...(jitterUs === null ? {} : { jitterUs: uint32(jitterUs) }),
    ...(lossOutPpm === null ? {} : { lossOutPpm: uint32(lossOutPpm) }),
    ...(lossInPpm === null ? {} : { lossInPpm: uint32(lossInPpm) }),
    ...(handshakeAgeS === undefined ? {} : { handshakeAgeS: uint32(handshakeAgeS) }),
    ...(sentBytesPerSecond === undefined ? {} : { sentBytesPerSecond: BigInt(Math.round(sentBytesPerSecond)) }),
    ...(receivedBytesPerSecond === undefined
      ? {}
      : { receivedBytesPerSecond: BigInt(Math.round(receivedBytesPerSecond)) }),
  };
}

function uint32(value: number): number {
  return Math.max(0, Math.min(0xffff_ffff, Math.round(value)));
}
