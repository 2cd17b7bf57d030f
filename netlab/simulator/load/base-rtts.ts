/**
 * The RTT of links without queues and noise: the least of the last minutes. What load adds is not counted, so that a
 * plan made for the load does not change because of it.
 */

/** Two windows of 2.5 minutes: shorter than a busy hour, long enough for a quiet moment. */
const WINDOW_MS = 150_000;
/** A level is taken anew where it is off by both of these: what is less is noise of a minimum. */
const OFF_RATIO = 0.25;
const OFF_US = 5_000;

export class BaseRtts {
  /** Per link, microseconds; NaN: never measured. The same array for as long as no level changes. */
  levelUs: Float64Array;
  #least: Float64Array;
  #leastBefore: Float64Array;
  #windowMs = 0;

  constructor(links: number) {
    this.levelUs = new Float64Array(links).fill(Number.NaN);
    this.#least = new Float64Array(links).fill(Number.POSITIVE_INFINITY);
    this.#leastBefore = this.#least.slice();
  }

  report(link: number, rttUs: number): void {
    this.#least[link] = Math.min(this.#least[link] ?? rttUs, rttUs);
    if (Number.isNaN(this.levelUs[link])) this.levelUs[link] = rttUs;
  }

  /** Ends windows; levels that are off by then are replaced. A lower one is taken at once. */
  tick(nowMs: number): void {
    const isOver = nowMs >= this.#windowMs + WINDOW_MS;
    let next: Float64Array | null = null;
    for (let link = 0; link < this.levelUs.length; link++) {
      const least = Math.min(this.#least[link] ?? 0, this.#leastBefore[link] ?? 0);
      const level = this.levelUs[link] ?? Number.NaN;
      const off = Math.abs(least - level);
      if (!(off > OFF_US && off > OFF_RATIO * level) || (least > level && !isOver)) continue;
      next ??= this.levelUs.slice();
      next[link] = least;
    }
    if (next !== null) this.levelUs = next;
    if (!isOver) return;
    this.#windowMs = nowMs;
    this.#leastBefore = this.#least;
    this.#least = new Float64Array(this.levelUs.length).fill(Number.POSITIVE_INFINITY);
  }
}
