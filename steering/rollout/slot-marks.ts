/** A set of slots that is emptied at no cost: for a pass over some slots, each once. Not to be kept from call to call. */
export class SlotMarks {
  #round = 1;
  #marks = new Int32Array(64);

  clear(): void {
    this.#round++;
    if (this.#round < 2 ** 31 - 1) return;
    this.#round = 1;
    this.#marks.fill(0);
  }

  has(slot: number): boolean {
    return this.#marks[slot] === this.#round;
  }

  /** True when the slot was not in it. */
  add(slot: number): boolean {
    if (slot >= this.#marks.length) {
      const marks = new Int32Array(2 * slot);
      marks.set(this.#marks);
      this.#marks = marks;
    }
    if (this.#marks[slot] === this.#round) return false;
    this.#marks[slot] = this.#round;
    return true;
  }
}
