/** What a link has borne lately: the most that it carried all the time for a while without being bad. Pure. */

/** So long: a queue fills, and is told, within this. */
const AFTER_MS = 3_000;
/** What a link once carried says little of it hours later. */
const HALVES_MS = 1_800_000;

export class ProvenRate {
  /** Bytes per second. */
  value = 0;
  /** Since when it has not been bad, and the least that it carried since; null: it is bad. */
  #good: { readonly sinceMs: number; least: number } | null = null;

  /** `carried`: at `nowMs`, `elapsedMs` after the sample before. */
  observe(carried: number, isBad: boolean, elapsedMs: number, nowMs: number): void {
    this.value *= 2 ** (-elapsedMs / HALVES_MS);
    if (isBad) {
      this.#good = null;
      return;
    }
    this.#good ??= { sinceMs: nowMs, least: carried };
    this.#good.least = Math.min(this.#good.least, carried);
    if (nowMs < this.#good.sinceMs + AFTER_MS) return;
    this.value = Math.max(this.value, this.#good.least);
    this.#good = { sinceMs: nowMs, least: carried };
  }
}
