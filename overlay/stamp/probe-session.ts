/** All that is known of one probed link while it is a target. */
import { LinkGuard } from './link-guard.ts';
import { type Health, LinkHealth } from './link-health.ts';
import { LinkMetrics } from './link-metrics.ts';
import { WORDED_PACKET_BYTES } from './link-word.ts';
import { ProbeRing } from './probe-ring.ts';
import type { ProbeTarget } from './prober.ts';

export interface ProbeSession {
  target: ProbeTarget;
  readonly ring: ProbeRing;
  readonly metrics: LinkMetrics;
  readonly health: LinkHealth;
  /** Reused for every probe: one is in the socket's hands at most. */
  readonly packet: Buffer;
  readonly guard: LinkGuard;
  /** When the next probe of a link with a pace of its own is due. */
  dueMs: number;
  /** The guard wants a probe at once. */
  burstDue: boolean;
  /** Attentive time until which the peer's word that the link is lost counts. */
  peerLostUntilMs: number;
  /** Attentive time of the last reply. */
  repliedAtMs: number;
  /** The peer's kernel answered since, so the path works: nobody is there to answer probes. */
  isExcused: boolean;
  leastErrorUs: number;
  /** Monotonic milliseconds; Infinity: nothing has come since it was silent. */
  firstReplyAtMs: number;
}

export function newProbeSession(target: ProbeTarget, firstSequence: number): ProbeSession {
  return {
    target,
    ring: new ProbeRing(firstSequence),
    metrics: new LinkMetrics(),
    health: new LinkHealth(),
    packet: Buffer.alloc(WORDED_PACKET_BYTES),
    guard: new LinkGuard(),
    dueMs: Number.NaN,
    burstDue: false,
    peerLostUntilMs: Number.NEGATIVE_INFINITY,
    repliedAtMs: Number.POSITIVE_INFINITY,
    isExcused: false,
    leastErrorUs: Number.POSITIVE_INFINITY,
    firstReplyAtMs: Number.POSITIVE_INFINITY,
  };
}

/** By our own probes, and by the word of the peer: a link that fails in one direction is of no use in either. */
export function healthOf({ health, peerLostUntilMs }: ProbeSession, attentiveMs: number): Health {
  return health.state === 'up' && attentiveMs < peerLostUntilMs ? 'down' : health.state;
}
