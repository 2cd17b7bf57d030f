/**
 * Pairs whose session does not work, as when neither end's candidates reach the other. They are not planned for a while,
 * which doubles each time, and at once again when they are measured after all.
 */
import { type NodePair, pairKey } from '../link-state/link-roles.ts';
import type { Session } from './session-ledger.ts';

/** Both ends had this long: the slowest start of a session (8 s), a lost handshake's repetition, reports every 5 s. */
const WORKS_WITHIN_MS = 30_000;
const FIRST_MS = 600_000;
const LONGEST_MS = 24 * 3_600_000;

interface Failure extends NodePair {
  untilMs: number;
  pauseMs: number;
}

export class FailedPairs {
  readonly #failures = new Map<number, Failure>();

  /** Looks at a session whose two ends have been there since `sinceMs`. True: it does not work. */
  judge({ low, high, measuredMs }: Session, sinceMs: number, nowMs: number): boolean {
    const goodMs = Number.isNaN(measuredMs) ? sinceMs : Math.max(sinceMs, measuredMs);
    if (nowMs < goodMs + WORKS_WITHIN_MS) return false;
    const key = pairKey(low, high);
    const before = this.#failures.get(key);
    if (before !== undefined && nowMs < before.untilMs) return true;
    const pauseMs = Math.min(LONGEST_MS, before === undefined ? FIRST_MS : before.pauseMs * 2);
    this.#failures.set(key, { low, high, untilMs: nowMs + pauseMs, pauseMs });
    return true;
  }

  works(a: number, b: number): void {
    this.#failures.delete(pairKey(a, b));
  }

  isBlocked(a: number, b: number, nowMs: number): boolean {
    return nowMs < (this.#failures.get(pairKey(a, b))?.untilMs ?? Number.NEGATIVE_INFINITY);
  }

  /** Pairs that are not to be planned now. */
  blocked(nowMs: number): NodePair[] {
    return [...this.#failures.values()].filter(({ untilMs }) => nowMs < untilMs);
  }

  removeNode(index: number): void {
    for (const [key, { low, high }] of this.#failures) if (low === index || high === index) this.#failures.delete(key);
  }
}
