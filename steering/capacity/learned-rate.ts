/**
 * What a link or an access carries, learned from use alone:
 *
 *   congested           the rate carried is what fits: the estimate goes half of the way there (up or down)
 *   not, carried more   so much fits: the estimate is at least that
 *   not, nearly full    the estimate grows by 3 % a minute: more may fit than once did; by half a minute while it is a *guess*,
 *                       taken from traffic that was gone before it had been measured for a whole report; one that is not used is
 *                       forgotten after half a minute: it may be a part of what fits, and who is sent little stays so
 *
 * Nothing is learned before the first congestion: until then the capacity is unknown, and load has no price. So the estimate
 * is never above what was carried, but for its slow growth. Pure.
 */

/** Share of the estimate above which use without congestion makes it grow. */
const NEARLY_FULL = 0.8;
const GROWTH_PER_MINUTE = 0.03;
const GUESS_GROWTH_PER_MINUTE = 0.5;
/** A guess that is too low gets no more than its share of the load. */
const GUESS_USED = 0.65;
const GUESS_LASTS_MS = 30_000;
/** A step that is taken whole would follow one odd sample. */
const STEP = 0.5;

export class LearnedRate {
  /** Bytes per second; null: nothing learned yet. */
  value: number | null = null;
  #isGuess = false;
  #guessIdleMs = 0;

  /** `carried`: at least so much fits, and a moment ago it was full. Never lowers what is known. */
  guess(carried: number): void {
    this.#guessIdleMs = 0;
    this.#isGuess = this.value === null || (this.#isGuess && carried > this.value);
    this.value = Math.max(this.value ?? 0, carried);
  }

  /** `peak`: the most that was carried just before or while congested; `elapsedMs` since the sample before. */
  observe(carried: number, peak: number, congested: boolean, elapsedMs: number): void {
    if (congested) {
      this.#isGuess = false;
      this.value = this.value === null ? peak : this.value + (peak - this.value) * STEP;
      return;
    }
    if (this.value === null) return;
    const isUsed = carried > this.value * (this.#isGuess ? GUESS_USED : NEARLY_FULL);
    if (carried > this.value) this.value = carried;
    else if (isUsed) {
      const growth = this.#isGuess ? GUESS_GROWTH_PER_MINUTE : GROWTH_PER_MINUTE;
      this.value *= 1 + (growth * elapsedMs) / 60_000;
    }
    this.#guessIdleMs = isUsed ? 0 : this.#guessIdleMs + elapsedMs;
    if (this.#isGuess && this.#guessIdleMs >= GUESS_LASTS_MS) this.value = null;
  }
}
