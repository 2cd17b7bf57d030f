/** When each packet of a constant-rate flow is due: packet n at start + n / rate, whatever happened before. */

/**
 * So many packets go out in one turn at most. A source that was held up longer spreads what it owes over several turns,
 * so that the burst fits every buffer on the way.
 */
const MAX_BATCH = 64;

export interface PaceOptions {
  readonly packetsPerSecond: number;
  /** How many packets the flow has. */
  readonly total: number;
}

export class Pace {
  readonly #options: PaceOptions;
  #next = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Sequence number of the next packet. */
  get next(): number {
    return this.#next;
  }

  get done(): boolean {
    return this.#next >= this.#options.total;
  }

  /** How many packets to send at `elapsedMs` after the start; they count as sent. */
  take(elapsedMs: number): number {
    const due = Math.min(this.#options.total, Math.floor((elapsedMs / 1_000) * this.#options.packetsPerSecond) + 1);
    const count = elapsedMs < 0 ? 0 : Math.max(0, Math.min(MAX_BATCH, due - this.#next));
    this.#next += count;
    return count;
  }

  /** When packet `sequence` is due, milliseconds after the start. */
  dueMs(sequence: number): number {
    return (sequence / this.#options.packetsPerSecond) * 1_000;
  }
}
