/** Binary heap of (key, slot), least key first, then least slot. */
export class DelayHeap {
  #keys = new Float64Array(64);
  #slots = new Int32Array(64);
  size = 0;

  get leastKey(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY;
  }

  clear(): void {
    this.size = 0;
  }

  push(key: number, slot: number): void {
    if (this.size === this.#keys.length) {
      const [keys, slots] = [new Float64Array(this.size * 2), new Int32Array(this.size * 2)];
      keys.set(this.#keys);
      slots.set(this.#slots);
      [this.#keys, this.#slots] = [keys, slots];
    }
    let at = this.size++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const [k, s] = [this.#keys[above] ?? 0, this.#slots[above] ?? 0];
      if (k < key || (k === key && s <= slot)) break;
      this.#keys[at] = k;
      this.#slots[at] = s;
      at = above;
    }
    this.#keys[at] = key;
    this.#slots[at] = slot;
  }

  /** Removes the least; its slot. The heap must not be empty. */
  pop(): number {
    const least = this.#slots[0] ?? 0;
    this.size--;
    const [key, slot] = [this.#keys[this.size] ?? 0, this.#slots[this.size] ?? 0];
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.size) break;
      if (below + 1 < this.size && this.#before(below + 1, below)) below++;
      const [k, s] = [this.#keys[below] ?? 0, this.#slots[below] ?? 0];
      if (key < k || (key === k && slot <= s)) break;
      this.#keys[at] = k;
      this.#slots[at] = s;
      at = below;
    }
    this.#keys[at] = key;
    this.#slots[at] = slot;
    return least;
  }

  #before(i: number, j: number): boolean {
    const [a, b] = [this.#keys[i] ?? 0, this.#keys[j] ?? 0];
    return a < b || (a === b && (this.#slots[i] ?? 0) < (this.#slots[j] ?? 0));
  }
}
