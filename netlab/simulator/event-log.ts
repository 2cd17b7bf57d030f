/** What happened, in order, as a checksum: two runs with the same one did the same things at the same times. */
import { fnv1a64 } from '../../protocol/route-table.ts';

export class EventLog {
  readonly #kept: string[] = [];
  readonly #keep: number;
  #checksum = 0n;
  #count = 0;

  /** `keep`: how many of the first lines are kept for reading. */
  constructor(keep = 0) {
    this.#keep = keep;
  }

  get count(): number {
    return this.#count;
  }

  /** 16 hexadecimal digits. */
  get checksum(): string {
    return this.#checksum.toString(16).padStart(16, '0');
  }

  get lines(): readonly string[] {
    return this.#kept;
  }

  add(atMs: number, what: string): void {
    const line = `${atMs.toFixed(3)} ${what}`;
    this.#checksum = fnv1a64(`${this.#checksum.toString(16)} ${line}`);
    this.#count++;
    if (this.#kept.length < this.#keep) this.#kept.push(line);
  }
}
