/** One line of text, read from left to right. A comment is a blank until the line's end. */

/** Where a line is wrong. Never leaves the parser. */
export class LineFault extends Error {
  readonly column: number;
  readonly reason: string;
  readonly nextStep: string;

  constructor(column: number, reason: string, nextStep: string) {
    super(reason);
    this.column = column;
    this.reason = reason;
    this.nextStep = nextStep;
  }
}

export class LineCursor {
  readonly #line: string;
  #at = 0;

  constructor(line: string) {
    this.#line = line;
  }

  /** Nothing but blanks and a comment is left. */
  get atEnd(): boolean {
    this.#skip();
    return this.#at >= this.#line.length;
  }

  /** Of what comes next, from 1. */
  get column(): number {
    this.#skip();
    return this.#at + 1;
  }

  /** The next characters, without taking them. */
  rest(count: number): string {
    return this.#line.slice(this.#at, this.#at + count);
  }

  /** Up to the next blank or comment. Empty at the end. */
  word(): string {
    return this.match(/[^ \t#]+/y) ?? '';
  }

  /** Takes `text` where it comes next, after blanks. */
  take(text: string): boolean {
    this.#skip();
    return this.takeHere(text);
  }

  /** The same, where no blank is before it. */
  takeHere(text: string): boolean {
    if (!this.#line.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** Takes what a sticky pattern matches, after blanks. Undefined: nothing; then nothing was taken. */
  match(pattern: RegExp): string | undefined {
    this.#skip();
    return this.matchHere(pattern);
  }

  matchHere(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#line) ?? [];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skip(): void {
    while (this.#line[this.#at] === ' ' || this.#line[this.#at] === '\t') this.#at++;
    if (this.#line[this.#at] === '#') this.#at = this.#line.length;
  }
}
