/** Work that is done one piece after the other, in the order in which it was asked for. */
export class SerialWork {
  #last: Promise<unknown> = Promise.resolve();

  /** Rejects with what `work` rejects with; what was asked for after it goes ahead all the same. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was asked for up to now is over. Never rejects. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
