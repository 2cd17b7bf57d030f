/** Counts of one prober. Dropped datagrams are counted by reason; the reasons are a closed list, so labels stay bounded. */
import type { ProbeCounters } from './prober.ts';

export const DROP_REASONS = [
  'malformed',
  'unknown_session',
  'unsolicited',
  'duplicate',
  'late',
  'late_event_loop',
  'send_failed',
  'foreign_source',
  'reflector_port',
  'rate_limited',
  'socket_error',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

export class ProbeCounts {
  sent = 0;
  received = 0;
  reflected = 0;
  doubts = 0;
  lost = 0;
  readonly #dropped = new Map<DropReason, number>(DROP_REASONS.map((reason) => [reason, 0]));

  drop(reason: DropReason): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }

  snapshot(maxLagMs: number): ProbeCounters {
    const { sent, received, reflected, doubts, lost } = this;
    return { sent, received, reflected, doubts, lost, dropped: Object.fromEntries(this.#dropped), maxLagMs };
  }
}

export const NO_COUNTERS: ProbeCounters = new ProbeCounts().snapshot(0);

/** What was counted before a restart plus what was counted since. */
export function addCounters(before: ProbeCounters, since: ProbeCounters): ProbeCounters {
  const dropped: Record<string, number> = { ...since.dropped };
  for (const [reason, count] of Object.entries(before.dropped)) dropped[reason] = (dropped[reason] ?? 0) + count;
  return {
    sent: before.sent + since.sent,
    received: before.received + since.received,
    reflected: before.reflected + since.reflected,
    doubts: before.doubts + since.doubts,
    lost: before.lost + since.lost,
    dropped,
    maxLagMs: since.maxLagMs,
  };
}
