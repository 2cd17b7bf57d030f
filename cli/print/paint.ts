/** Colour for people, none for pipes. Colour never carries meaning alone: the word beside it says the same. */
export class Paint {
  readonly #on: boolean;

  constructor(on: boolean) {
    this.#on = on;
  }

  good(text: string): string {
    return this.#wrap('32', text);
  }

  bad(text: string): string {
    return this.#wrap('31', text);
  }

  warn(text: string): string {
    return this.#wrap('33', text);
  }

  strong(text: string): string {
    return this.#wrap('1', text);
  }

  faint(text: string): string {
    return this.#wrap('2', text);
  }

  #wrap(code: string, text: string): string {
    return this.#on ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
