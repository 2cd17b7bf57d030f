/**
 * Binary heap of slots by distance. A slot whose distance fell is queued again; who pops compares the distance with
 * the slot's present one and drops what is out of date.
 */

/** Slots of a path table are below it; 2^32 distances times 2^16 slots are exact in a double. */
const SLOTS = 0x1_0000;

export class RepairQueue {
  #keys = new Float64Array(256);
  #size = 0;
  /** Slot and distance that `pop` found. */
  slot = 0;
  distance = 0;

  get size(): number {
    return this.#size;
  }

  push(distance: number, slot: number): void {
    if (this.#size === this.#keys.length) {
      const longer = new Float64Array(this.#size * 2);
      longer.set(this.#keys);
      this.#keys = longer;
    }
    const keys = this.#keys;
    const key = distance * SLOTS + slot;
    let at = this.#size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = keys[above] ?? 0;
      if (other <= key) break;
      keys[at] = other;
      at = above;
    }
    keys[at] = key;
  }

  /** Takes the least out, into `slot` and `distance`. False when the queue is empty. */
  pop(): boolean {
    if (this.#size === 0) return false;
    const keys = this.#keys;
    const least = keys[0] ?? 0;
    const size = --this.#size;
    const key = keys[size] ?? 0;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && (keys[below + 1] ?? 0) < (keys[below] ?? 0)) below++;
      const other = keys[below] ?? 0;
      if (other >= key) break;
      keys[at] = other;
      at = below;
    }
    keys[at] = key;
    this.distance = Math.floor(least / SLOTS);
    this.slot = least - this.distance * SLOTS;
    return true;
  }
}
