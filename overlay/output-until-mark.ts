/** Collects what a program prints until a mark on a line of its own ends it: `\n<mark> <word>\n`. Pure. */
export class OutputUntilMark {
  readonly #mark: Buffer;
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #tail = Buffer.alloc(0);

  constructor(mark: string, maxBytes: number) {
    this.#mark = Buffer.from(`\n${mark} `);
    this.#maxBytes = maxBytes;
  }

  /** False once there was more than `maxBytes`: what is over is not kept, but the mark is still found. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    const fits = this.#bytes <= this.#maxBytes;
    if (fits) this.#chunks.push(chunk);
    // The longest end: mark and a word of three digits.
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-(this.#mark.length + 4));
    return fits;
  }

  get isComplete(): boolean {
    return this.#tail.at(-1) === 0x0a && this.#tail.includes(this.#mark);
  }

  /** The word between the mark and the end of its line. Of a complete output. */
  get afterMark(): string {
    return this.#tail.subarray(this.#tail.indexOf(this.#mark) + this.#mark.length, -1).toString('utf8');
  }

  /** Everything before the mark. */
  text(): string {
    const all = Buffer.concat(this.#chunks);
    const end = all.lastIndexOf(this.#mark);
    return all.subarray(0, end < 0 ? all.length : end).toString('utf8');
  }
}
