/**
 * The least of what was seen lately, in a few numbers whatever comes in: time is cut into buckets, of which each keeps
 * its own minimum, and the oldest one is forgotten as a whole. The newest one is still filling, so what is remembered
 * goes back by all buckets but one at least, and by all of them at most.
 */
export class SlidingMinimum {
  readonly #bucketMs: number;
  /** By bucket, modulo their number: its minimum, and which bucket that is. */
  readonly #least: Float64Array;
  readonly #bucket: Float64Array;

  /** @param buckets at least 1 */
  constructor(buckets: number, bucketMs: number) {
    this.#bucketMs = bucketMs;
    this.#least = new Float64Array(buckets).fill(Number.POSITIVE_INFINITY);
    this.#bucket = new Float64Array(buckets).fill(Number.NEGATIVE_INFINITY);
  }

  /** `nowMs`: at least 0, on a clock that does not run backwards. */
  add(value: number, nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs);
    const slot = bucket % this.#bucket.length;
    const least = this.#bucket[slot] === bucket ? (this.#least[slot] ?? value) : value;
    this.#bucket[slot] = bucket;
    this.#least[slot] = Math.min(least, value);
  }

  /** Infinity: nothing was added lately. */
  at(nowMs: number): number {
    const oldest = Math.floor(nowMs / this.#bucketMs) - this.#bucket.length + 1;
    return this.#least.reduce(
      (least, value, slot) => ((this.#bucket[slot] ?? oldest) >= oldest ? Math.min(least, value) : least),
      Number.POSITIVE_INFINITY,
    );
  }
}
