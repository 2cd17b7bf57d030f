/**
 * Node indexes: the lowest free one from 1. The index of a removed node rests for a while, so that a packet, a table
 * or a peer's cache that still names it cannot reach another node by it. Pure bookkeeping; the store has the truth.
 */
export class IndexAllocator {
  readonly #maxIndex: number;
  readonly #quarantineMs: number;
  readonly #used = new Set<number>();
  /** Index -> when it may be used again, milliseconds since 1970. */
  readonly #resting = new Map<number, number>();
  /** No index below this one is free. */
  #floor = 1;

  constructor(options: { maxIndex: number; quarantineMs: number }) {
    this.#maxIndex = options.maxIndex;
    this.#quarantineMs = options.quarantineMs;
  }

  /** Marks an index as held. */
  hold(index: number): void {
    this.#used.add(index);
    this.#resting.delete(index);
  }

  /** The node that held it was removed at `removedAtMs`. */
  release(index: number, removedAtMs: number): void {
    this.#used.delete(index);
    this.#resting.set(index, removedAtMs + this.#quarantineMs);
    this.#floor = Math.min(this.#floor, index);
  }

  /** Lowest free index, not yet held; undefined when there is none. */
  lowestFree(nowMs: number): number | undefined {
    for (const [index, untilMs] of this.#resting) if (untilMs <= nowMs) this.#resting.delete(index);
    while (this.#used.has(this.#floor)) this.#floor++;
    let index = this.#floor;
    while (this.#used.has(index) || this.#resting.has(index)) index++;
    return index <= this.#maxIndex ? index : undefined;
  }
}
