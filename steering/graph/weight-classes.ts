/**
 * How many weights lie in each power of two, so that bounds on the smallest and the largest are known after any edit
 * in constant time. A search for the extremes themselves would cost O(arcs) each time the largest one changes.
 */
export class WeightClasses {
  readonly #count = new Float64Array(31);

  add(weight: number): void {
    this.#change(weight, 1);
  }

  remove(weight: number): void {
    this.#change(weight, -1);
  }

  /** The greatest power of two that no weight is below; 1 when there is none. */
  get floor(): number {
    const lowest = this.#count.findIndex((count) => count > 0);
    return lowest < 0 ? 1 : 2 ** lowest;
  }

  /** The least 2^k - 1 that no weight is above; 0 when there is none. */
  get ceiling(): number {
    return 2 ** (this.#count.findLastIndex((count) => count > 0) + 1) - 1;
  }

  #change(weight: number, by: number): void {
    const k = 31 - Math.clz32(weight);
    this.#count[k] = (this.#count[k] ?? 0) + by;
  }
}
