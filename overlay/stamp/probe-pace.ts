/**
 * How often each link is probed: often where traffic would be hurt, seldom elsewhere, and all together within a budget.
 * Pure.
 */

/**
 * `busy`: carries traffic. `watched`: stands behind an installed route, as next hop or as backup. `idle`: neither.
 * `plain`: probed at the core's pace and judged by its deadline alone.
 */
export type LinkUse = 'busy' | 'watched' | 'idle' | 'plain';

export interface PaceRules {
  /** Between two probes of a busy or watched link, milliseconds. */
  readonly watchedMs: number;
  /** Between two probes of an idle link. */
  readonly idleMs: number;
  /** Packets a second that probing may send: probes, and as many replies to what the peers ask at the same pace. */
  readonly packetsPerSecond: number;
}

/** Time between two probes of a link, by its use. */
export interface Paces {
  readonly busyMs: number;
  readonly watchedMs: number;
  readonly idleMs: number;
}

/** One probe, and one reply to the peer's. */
const PACKETS_PER_INTERVAL = 2;
/** Even where the budget is far too small each link is looked at now and then. */
const SLOWEST_MS = 60_000;

/**
 * Idle links get at most a quarter of the budget, busy ones what they need of the rest, watched ones what is left then. Where
 * that is not enough their probes are spaced out evenly.
 * @param counts links by use
 * @param stretch at least 1: all paces times so much, where probing takes too much of a processor
 */
export function allotPaces(
  counts: { readonly busy: number; readonly watched: number; readonly idle: number },
  rules: PaceRules,
  stretch = 1,
): Paces {
  const idleMs = spaced(counts.idle, rules.idleMs, rules.packetsPerSecond / 4, stretch);
  const forUsed = Math.max(rules.packetsPerSecond - rateOf(counts.idle, idleMs), rules.packetsPerSecond / 2);
  // what is watched is not starved by what is busy
  const kept = Math.min(rateOf(counts.watched, rules.watchedMs), rules.packetsPerSecond / 8);
  const busyMs = spaced(counts.busy, rules.watchedMs, forUsed - kept, stretch);
  const watchedMs = spaced(counts.watched, rules.watchedMs, forUsed - rateOf(counts.busy, busyMs), stretch);
  return { busyMs, watchedMs, idleMs: Math.max(idleMs, watchedMs) };
}

/** Packets a second of so many links. */
function rateOf(links: number, intervalMs: number): number {
  return (links * PACKETS_PER_INTERVAL * 1000) / intervalMs;
}

function spaced(links: number, wantedMs: number, packetsPerSecond: number, stretch: number): number {
  const leastMs = (links * PACKETS_PER_INTERVAL * 1000) / packetsPerSecond;
  return Math.min(Math.max(wantedMs * stretch, leastMs), Math.max(SLOWEST_MS, wantedMs));
}
