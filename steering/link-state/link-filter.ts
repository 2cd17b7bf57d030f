/**
 * Damping of one link: bad news at once, good news after a while, noise never. Readings go in, the effective cost that
 * the graph uses comes out.
 *
 *   reading            effective cost
 *   rise > dead band   follows at once; a rise by a step marks the link as degraded
 *   fall > dead band   follows at once; if degraded for longer than confirmMs, after recoverHoldMs of nothing but
 *                      improvement
 *   within dead band   stays, unless the same small difference lasts for settleMs
 *   down               no cost, at once
 *   up after down      usable at a penalty as a last resort for recoverHoldMs, then in full; at once in full when it was
 *                      down for less than confirmMs, the first time in forgiveMs: a host stalled, its links did not fail
 */
import type { CostTerms } from '../../protocol/api.ts';

export interface LinkFilterOptions {
  /** Changes of less than both of these are noise: a quiet network makes no new SPF. */
  readonly deadBandUs: number;
  readonly deadBandRatio: number;
  /** A rise of more than both of these, in a ramp with pauses below `rampMs`, is a degradation and not drift. */
  readonly stepUs: number;
  readonly stepRatio: number;
  readonly rampMs: number;
  /** Nor is a rise so soon after the first reading: what is measured while a node starts is not yet its level. */
  readonly youngMs: number;
  /** A rise that is gone again within this time was one bad reading: it is forgotten, without a hold. */
  readonly confirmMs: number;
  /** A link that was down for less than `confirmMs` is taken back at once, but only once in this time. */
  readonly forgiveMs: number;
  /** How long a degraded or dead link must be good before traffic is risked on it: longer than a flap's period. */
  readonly recoverHoldMs: number;
  /** A difference inside the dead band but above these two that lasts `settleMs` is a bias, not noise, and is taken. */
  readonly settleUs: number;
  readonly settleRatio: number;
  readonly settleMs: number;
}

export const DEFAULT_LINK_FILTER_OPTIONS: LinkFilterOptions = {
  deadBandUs: 300,
  deadBandRatio: 0.03,
  stepUs: 2_000,
  stepRatio: 0.2,
  rampMs: 10_000,
  youngMs: 8_000,
  confirmMs: 1_500,
  forgiveMs: 60_000,
  recoverHoldMs: 8_000,
  settleUs: 150,
  settleRatio: 0.01,
  settleMs: 5_000,
};

/** What both ends together say now. */
export type LinkReading =
  | { readonly health: 'unmeasured' | 'down' }
  | { readonly health: 'up'; readonly cost: CostTerms };

/** What a link did last, for the sentence that explains a move. */
export interface LinkStep {
  readonly atMs: number;
  readonly fromRttUs: number;
  readonly toRttUs: number;
}

export class LinkFilter {
  readonly #options: LinkFilterOptions;
  #reading: LinkReading = { health: 'unmeasured' };
  #effective: CostTerms | null = null;
  #wasUp = false;
  #mustHold = false;
  #heldSinceMs: number | null = null;
  #rampBase: CostTerms | null = null;
  #lastRiseMs = Number.NEGATIVE_INFINITY;
  #improvingSinceMs: number | null = null;
  #offsetSinceMs: number | null = null;
  #offsetSign = 0;
  #degraded: LinkStep | null = null;
  /** What it cost before it degraded; null when it is not degraded. */
  #degradedFrom: CostTerms | null = null;
  #recovered: LinkStep | null = null;
  #downSinceMs: number | null = null;
  #firstUpMs: number | null = null;
  #forgivenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LinkFilterOptions) {
    this.#options = options;
  }

  get health(): 'up' | 'down' | 'unmeasured' {
    return this.#reading.health;
  }

  /** What was read last, undamped; null when the link is not up. */
  get undamped(): CostTerms | null {
    return this.#reading.health === 'up' ? this.#reading.cost : null;
  }

  /** Cost the graph uses; null when the link is not up. */
  get effective(): CostTerms | null {
    return this.#effective;
  }

  /** Up again after being down, but not yet for long enough to be trusted. */
  get held(): boolean {
    return this.#heldSinceMs !== null;
  }

  /** The step by which it is degraded at present. */
  get degraded(): LinkStep | null {
    return this.#degraded;
  }

  /** The last recovery from a degradation or an outage. */
  get recovered(): LinkStep | null {
    return this.#recovered;
  }

  get downSinceMs(): number | null {
    return this.#downSinceMs;
  }

  /** When `update` with an unchanged reading would change something; Infinity: never. */
  get dueMs(): number {
    const { recoverHoldMs, settleMs } = this.#options;
    return Math.min(
      this.#heldSinceMs === null ? Number.POSITIVE_INFINITY : this.#heldSinceMs + recoverHoldMs,
      this.#improvingSinceMs === null ? Number.POSITIVE_INFINITY : this.#improvingSinceMs + recoverHoldMs,
      this.#offsetSinceMs === null ? Number.POSITIVE_INFINITY : this.#offsetSinceMs + settleMs,
    );
  }

  /** Lets time pass under the last reading. True when the effective state changed. */
  tick(nowMs: number): boolean {
    return this.update(this.#reading, nowMs);
  }

  /** Takes a reading. True when the effective state (cost, usable, held) changed. */
  update(reading: LinkReading, nowMs: number): boolean {
    const before = this.#reading.health;
    this.#reading = reading;
    if (reading.health !== 'up') {
      if (reading.health === 'down') {
        this.#mustHold = this.#wasUp;
        this.#downSinceMs ??= nowMs;
      }
      this.#effective = null;
      this.#heldSinceMs = null;
      this.#clearTimers();
      return before !== reading.health;
    }
    this.#firstUpMs ??= nowMs;
    if (this.#effective === null) {
      this.#wasUp = true;
      this.#effective = reading.cost;
      this.#rampBase = reading.cost;
      this.#forgetDegradation();
      if (this.#mustHold && this.#mayForgive(nowMs)) {
        this.#mustHold = false;
        this.#forgivenAtMs = nowMs;
      }
      this.#downSinceMs = null;
      this.#heldSinceMs = this.#mustHold ? nowMs : null;
      return true;
    }
    const followed = this.#follow(reading.cost, this.#effective, nowMs);
    if (this.#heldSinceMs === null || nowMs < this.#heldSinceMs + this.#options.recoverHoldMs) return followed;
    this.#heldSinceMs = null;
    this.#mustHold = false;
    this.#recovered = { atMs: nowMs, fromRttUs: 0, toRttUs: this.#effective.rttUs };
    return true;
  }

  #mayForgive(nowMs: number): boolean {
    const { confirmMs, forgiveMs } = this.#options;
    return nowMs < (this.#downSinceMs ?? nowMs) + confirmMs && nowMs >= this.#forgivenAtMs + forgiveMs;
  }

  #follow(now: CostTerms, effective: CostTerms, nowMs: number): boolean {
    const o = this.#options;
    const difference = now.totalUs - effective.totalUs;
    const deadBand = Math.max(o.deadBandUs, o.deadBandRatio * effective.totalUs);
    if (difference > deadBand) return this.#rise(now, effective, nowMs);
    if (difference < -deadBand) {
      if (this.#degraded === null) return this.#take(now);
      if (nowMs < this.#degraded.atMs + o.confirmMs) {
        if (!this.#isStillDegraded(now)) this.#forgetDegradation();
        return this.#take(now);
      }
      this.#improvingSinceMs ??= nowMs;
      if (nowMs < this.#improvingSinceMs + o.recoverHoldMs) return false;
      // A part of the way back, as when the jitter of the step itself wears off, is not yet a recovery.
      if (!this.#isStillDegraded(now)) {
        this.#recovered = { atMs: nowMs, fromRttUs: effective.rttUs, toRttUs: now.rttUs };
        this.#forgetDegradation();
      }
      this.#rampBase = now;
      return this.#take(now);
    }
    this.#improvingSinceMs = null;
    const sign =
      Math.abs(difference) > Math.max(o.settleUs, o.settleRatio * effective.totalUs) ? Math.sign(difference) : 0;
    if (sign === 0 || sign !== this.#offsetSign) this.#offsetSinceMs = sign === 0 ? null : nowMs;
    this.#offsetSign = sign;
    if (this.#offsetSinceMs === null || nowMs < this.#offsetSinceMs + o.settleMs) return false;
    return this.#take(now);
  }

  #rise(now: CostTerms, effective: CostTerms, nowMs: number): boolean {
    const o = this.#options;
    if (nowMs - this.#lastRiseMs > o.rampMs || this.#rampBase === null) this.#rampBase = effective;
    this.#lastRiseMs = nowMs;
    const young = nowMs < (this.#firstUpMs ?? nowMs) + o.youngMs;
    if (!young && this.#isStep(this.#rampBase, now)) {
      this.#degradedFrom ??= this.#rampBase;
      const fromRttUs = this.#degraded?.fromRttUs ?? this.#rampBase.rttUs;
      this.#degraded = { atMs: this.#degraded?.atMs ?? nowMs, fromRttUs, toRttUs: now.rttUs };
    }
    return this.#take(now);
  }

  #isStillDegraded(now: CostTerms): boolean {
    return this.#degradedFrom !== null && this.#isStep(this.#degradedFrom, now);
  }

  #forgetDegradation(): void {
    this.#degraded = null;
    this.#degradedFrom = null;
  }

  #isStep(from: CostTerms, to: CostTerms): boolean {
    return to.totalUs - from.totalUs > Math.max(this.#options.stepUs, this.#options.stepRatio * from.totalUs);
  }

  #take(cost: CostTerms): true {
    this.#effective = cost;
    this.#clearTimers();
    return true;
  }

  #clearTimers(): void {
    this.#improvingSinceMs = null;
    this.#offsetSinceMs = null;
    this.#offsetSign = 0;
  }
}
