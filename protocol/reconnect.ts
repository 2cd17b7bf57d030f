/**
 * When to try again. Pure. Exponential back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And
 * Jitter", 2015): of a fleet that lost the core at one instant, no two devices come back in step.
 */

export interface ReconnectOptions {
  /** First ceiling: short, since most breaks are one lost connection. Default 500 ms. */
  readonly baseMs?: number;
  /** Highest ceiling: 30 s keeps a returning core's news at most that old, and a million devices at 66,000 tries/s. */
  readonly capMs?: number;
  /** A session that lived this long was healthy: the count of failures starts anew. Default 60 s. */
  readonly healthyAfterMs?: number;
}

/** Mutable; owned by one connection loop. */
export class Reconnect {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #healthyAfterMs: number;
  #failures = 0;

  constructor(options: ReconnectOptions = {}) {
    this.#baseMs = options.baseMs ?? 500;
    this.#capMs = options.capMs ?? 30_000;
    this.#healthyAfterMs = options.healthyAfterMs ?? 60_000;
  }

  get failures(): number {
    return this.#failures;
  }

  /**
   * Delay before the next try, in milliseconds.
   * @param sessionMs how long the session that just ended was established; 0: there was none
   * @param retryAfterMs what the core asked for; 0: nothing. The jitter comes on top of it
   * @param random uniform in [0, 1)
   */
  nextDelayMs(sessionMs: number, retryAfterMs: number, random: number): number {
    if (sessionMs >= this.#healthyAfterMs) this.#failures = 0;
    const ceiling = Math.min(this.#capMs, this.#baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return retryAfterMs + random * ceiling;
  }
}
