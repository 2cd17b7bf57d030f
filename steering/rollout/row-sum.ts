/** Sum of rows' hashes modulo 2^64, as the checksum of a table: in two halves, since a BigInt for each row is dear. */
import { NO_CONTENT, type RowDictionary } from './row-dictionary.ts';

export class RowSum {
  #low = 0;
  #high = 0;

  get value(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  clear(): void {
    this.#low = 0;
    this.#high = 0;
  }

  copy(): RowSum {
    const sum = new RowSum();
    sum.#low = this.#low;
    sum.#high = this.#high;
    return sum;
  }

  /** The cell holds `after` in the place of `before`. */
  replace(dictionary: RowDictionary, cell: number, before: number, after: number): void {
    if (before !== NO_CONTENT) this.#add(dictionary, cell, before, -1);
    if (after !== NO_CONTENT) this.#add(dictionary, cell, after, 1);
  }

  #add(dictionary: RowDictionary, cell: number, content: number, sign: 1 | -1): void {
    dictionary.hash(cell, content);
    const low = this.#low + sign * dictionary.hashLow;
    const carry = low < 0 ? -1 : low > 0xffff_ffff ? 1 : 0;
    this.#low = low >>> 0;
    this.#high = (this.#high + sign * dictionary.hashHigh + carry) >>> 0;
  }
}
