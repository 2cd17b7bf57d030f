/**
 * Delays of a whole flow in bounded memory: a histogram whose buckets grow with the value (log-linear, as HdrHistogram
 * by G. Tene).
 *
 *   0 ... 127 µs    one bucket per microsecond
 *   128 µs ...      64 buckets per doubling: a bucket is at most 1/64 of its values wide
 */

/** Buckets per doubling, as bits: 2^6 keeps a percentile within 1.6 % of the true one. */
const SUB_BITS = 6;
const SUB_COUNT = 1 << SUB_BITS;
/** Half an hour: longer than any packet of a lab lives. What is later counts as that. */
const MAX_US = 2 ** 31 - 1;

export interface DelaySummary {
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  /** Exact. */
  readonly maxUs: number | null;
}

export class DelayHistogram {
  readonly #counts = new Uint32Array(bucketOf(MAX_US) + 1);
  #total = 0;
  #maxUs = 0;

  /** A delay below 0 (clocks of two hosts) counts as 0. */
  note(delayUs: number): void {
    const us = Math.min(MAX_US, Math.max(0, delayUs));
    const bucket = bucketOf(Math.floor(us));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** Nearest-rank percentile: the upper end of the bucket that it is in, never more than the largest. Null: empty. */
  percentileUs(p: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil((p / 100) * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) return Math.min(this.#maxUs, upperEndUs(bucket));
    }
    return this.#maxUs;
  }

  summary(): DelaySummary {
    const maxUs = this.#total === 0 ? null : this.#maxUs;
    return { p50Us: this.percentileUs(50), p99Us: this.percentileUs(99), maxUs };
  }
}

function bucketOf(us: number): number {
  if (us < 2 * SUB_COUNT) return us;
  const shift = 31 - Math.clz32(us) - SUB_BITS;
  return shift * SUB_COUNT + (us >>> shift);
}

/** Where the next bucket begins. */
function upperEndUs(bucket: number): number {
  if (bucket < 2 * SUB_COUNT) return bucket + 1;
  const shift = Math.floor(bucket / SUB_COUNT) - 1;
  return (bucket - shift * SUB_COUNT + 1) * 2 ** shift;
}
