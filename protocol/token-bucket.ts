/**
 * A token bucket: allows a steady rate, and as much at once as was saved up. Only `take` changes it, so that what needs
 * room in several buckets may ask all of them first.
 */

export interface TokenRate {
  readonly perS: number;
  /** Saved up at most. */
  readonly most: number;
}

export class TokenBucket {
  /** May be changed: what was earned since the last `take` is reckoned by the rate of now. */
  rate: TokenRate;
  #tokens: number;
  #atMs: number;

  /** Full at `nowMs`, on a clock that does not run backwards. */
  constructor(rate: TokenRate, nowMs: number) {
    this.rate = rate;
    this.#tokens = rate.most;
    this.#atMs = nowMs;
  }

  holds(count: number, nowMs: number): boolean {
    return this.#tokensAt(nowMs) >= count;
  }

  /** Takes tokens out. More than it holds are a debt, which is earned back first. */
  take(count: number, nowMs: number): void {
    this.#tokens = this.#tokensAt(nowMs) - count;
    this.#atMs = nowMs;
  }

  #tokensAt(nowMs: number): number {
    const { perS, most } = this.rate;
    return Math.min(most, this.#tokens + (Math.max(0, nowMs - this.#atMs) / 1000) * perS);
  }
}
