/**
 * How many devices may join at a time. When power returns to a town, every device asks at once: those over the bound
 * are told, cheaply, to come back after a time that differs for each. Failed attempts are bounded per remote address.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../protocol/clock.ts';
import { TokenBucket, type TokenRate } from '../../protocol/token-bucket.ts';

export interface AdmissionOptions {
  /** Joins being worked on at the same time. */
  readonly maxConcurrent: number;
  /** Failed attempts of one remote address: this many at once, then one more each second. */
  readonly maxFailures: number;
}

/** 50 joins are about 50 ms of signatures and one disk flush each; their waiting stays well under a join's time-out. */
export const ADMISSION_DEFAULTS: AdmissionOptions = { maxConcurrent: 50, maxFailures: 20 };
/** Remote addresses remembered: 16,384 entries are about 2 MiB. */
const MAX_REMOTES = 16_384;
const FAILURES_PER_S = 1;
const RETRY_MIN_MS = 1000;
const RETRY_SPREAD_MS = 4000;

export type AdmissionAnswer =
  | { readonly admitted: true; release(failed: boolean): void }
  | { readonly admitted: false; readonly why: 'busy' | 'too_many_failures'; readonly retryAfterMs: number };

export class Admission {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #options: AdmissionOptions;
  readonly #failureRate: TokenRate;
  /** What each remote address may still fail. */
  readonly #failures = new LRUCache<string, TokenBucket>({ max: MAX_REMOTES });
  #running = 0;

  /** `random` gives numbers in [0, 1). */
  constructor(deps: { clock: Clock; random: () => number }, options: AdmissionOptions = ADMISSION_DEFAULTS) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#options = options;
    this.#failureRate = { perS: FAILURES_PER_S, most: options.maxFailures };
  }

  /** Asks for a place. Every admitted caller calls `release` once. */
  enter(remoteAddress: string): AdmissionAnswer {
    if (!this.#failuresOf(remoteAddress).holds(1, this.#clock.monoMs())) {
      return { admitted: false, why: 'too_many_failures', retryAfterMs: this.#retryAfterMs() };
    }
    if (this.#running >= this.#options.maxConcurrent) {
      return { admitted: false, why: 'busy', retryAfterMs: this.#retryAfterMs() };
    }
    this.#running++;
    let released = false;
    return {
      admitted: true,
      release: (failed) => {
        if (released) return;
        released = true;
        this.#running--;
        if (!failed) return;
        const failures = this.#failuresOf(remoteAddress);
        failures.take(1, this.#clock.monoMs());
        this.#failures.set(remoteAddress, failures);
      },
    };
  }

  /** Of one that has not failed lately: a new one, which is kept when it fails. */
  #failuresOf(remoteAddress: string): TokenBucket {
    return this.#failures.get(remoteAddress) ?? new TokenBucket(this.#failureRate, this.#clock.monoMs());
  }

  #retryAfterMs(): number {
    return Math.round(RETRY_MIN_MS + this.#random() * RETRY_SPREAD_MS);
  }
}
