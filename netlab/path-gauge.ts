/**
 * How long a frame spends outside the wire's own clock, so that it can be taken off its delay. Pure.
 *
 * A frame meets four threads that sleep (socat, receiver, sender, socat), and how fast a sleeping thread runs again
 * depends on the machine and its load: 20 to 150 microseconds each on virtual machines. So the wire measures it all
 * the time: it sends itself a datagram like any frame and sees how long after its due time it comes in. That is one
 * run of the sender and one of the receiver.
 */

/** About a second of samples: slow enough to ignore one stall, fast enough to follow the load. */
const WINDOW = 21;
/** Beyond this the machine is overloaded, and frames would rather be early than late. */
const MAX_OVERHEAD_US = 1000;

export class PathGauge {
  readonly #samples: number[] = [];
  readonly #runsPerSample: number;
  #overheadUs = 0;

  /** `runsPerSample`: the whole path's overhead as a multiple of one sample. */
  constructor(options: { runsPerSample: number }) {
    this.#runsPerSample = options.runsPerSample;
  }

  /** `lateUs`: from the moment a gauge frame was due to the moment it was received. */
  add(lateUs: number): void {
    this.#samples.push(lateUs);
    if (this.#samples.length > WINDOW) this.#samples.shift();
    const sorted = this.#samples.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1] ?? 0;
    this.#overheadUs = Math.min(MAX_OVERHEAD_US, Math.max(0, median * this.#runsPerSample));
  }

  /** Microseconds to take off every delay. 0 before the first sample. */
  get overheadUs(): number {
    return this.#overheadUs;
  }
}
