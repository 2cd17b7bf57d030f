/** A binary min-heap of (due time, slot) in typed arrays; equal times leave in the order in which they came. */
export class DueHeap {
  readonly #due: Float64Array;
  readonly #order: Float64Array;
  readonly #slot: Int32Array;
  #size = 0;
  #nextOrder = 0;

  constructor(capacity: number) {
    this.#due = new Float64Array(capacity);
    this.#order = new Float64Array(capacity);
    this.#slot = new Int32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Infinity when empty. */
  get nextDue(): number {
    return this.#size === 0 ? Infinity : (this.#due[0] as number);
  }

  /** Throws RangeError when full: the caller has exactly as many slots as the heap has places. */
  push(due: number, slot: number): void {
    if (this.#size === this.#due.length) throw new RangeError('the heap is full');
    let at = this.#size++;
    this.#set(at, due, this.#nextOrder++, slot);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The slot that is due first, or -1. */
  pop(): number {
    if (this.#size === 0) return -1;
    const slot = this.#slot[0] as number;
    this.#size--;
    this.#set(0, this.#due[this.#size] as number, this.#order[this.#size] as number, this.#slot[this.#size] as number);
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#size) break;
      const right = left + 1;
      const child = right < this.#size && this.#before(right, left) ? right : left;
      if (!this.#before(child, at)) break;
      this.#swap(child, at);
      at = child;
    }
    return slot;
  }

  #before(a: number, b: number): boolean {
    const dueA = this.#due[a] as number;
    const dueB = this.#due[b] as number;
    return dueA < dueB || (dueA === dueB && (this.#order[a] as number) < (this.#order[b] as number));
  }

  #set(at: number, due: number, order: number, slot: number): void {
    this.#due[at] = due;
    this.#order[at] = order;
    this.#slot[at] = slot;
  }

  #swap(a: number, b: number): void {
    const due = this.#due[a] as number;
    const order = this.#order[a] as number;
    const slot = this.#slot[a] as number;
    this.#set(a, this.#due[b] as number, this.#order[b] as number, this.#slot[b] as number);
    this.#set(b, due, order, slot);
  }
}
