/** Hold times of the few nodes that would gain by moving, towards one destination. What is not in it, is at rest. */

export interface HoldTimes {
  /** Since when the node would gain more than the margin; NaN: it would not. Monotonic milliseconds, as all here. */
  winsSinceMs: number;
  /** Since when it would gain what counts after settling. */
  settlesSinceMs: number;
  /** Since when the tree's way costs less than half of a direct link against which it is not proven. */
  halvesSinceMs: number;
  /** Since when a detour in use is not proven any more. */
  unprovenSinceMs: number;
}

export class HoldTimers {
  readonly #bySlot = new Map<number, HoldTimes>();

  get size(): number {
    return this.#bySlot.size;
  }

  /** Slots with a time. */
  slots(): IterableIterator<number> {
    return this.#bySlot.keys();
  }

  get(slot: number): Readonly<HoldTimes> | undefined {
    return this.#bySlot.get(slot);
  }

  /** The times of a slot, to be changed. */
  open(slot: number): HoldTimes {
    const known = this.#bySlot.get(slot);
    if (known !== undefined) return known;
    const none = Number.NaN;
    const times = { winsSinceMs: none, settlesSinceMs: none, halvesSinceMs: none, unprovenSinceMs: none };
    this.#bySlot.set(slot, times);
    return times;
  }

  /** The node gains nothing; since when its way halves the direct link's cost is kept. */
  clear(slot: number): void {
    const times = this.#bySlot.get(slot);
    if (times === undefined) return;
    if (Number.isNaN(times.halvesSinceMs)) this.#bySlot.delete(slot);
    times.winsSinceMs = Number.NaN;
    times.settlesSinceMs = Number.NaN;
    times.unprovenSinceMs = Number.NaN;
  }

  /** Another node has the slot, or none. */
  forget(slot: number): void {
    this.#bySlot.delete(slot);
  }

  clearAll(): void {
    this.#bySlot.clear();
  }
}
