/** Keeps a file at the latest of what was asked for. Writes are serial; those asked for while one runs are answered by one more. */
import type { Logger } from '../protocol/log.ts';
import { writeFileAtomically } from './atomic-file.ts';

export interface LatestWriteDeps {
  readonly log: Logger;
  /** A write failed; the agent goes on from memory. */
  readonly onWriteFailed: (code: string) => void;
}

export interface LatestWriteOptions<T> {
  readonly path: string;
  /** For the log: `the table`. */
  readonly what: string;
  readonly format: (value: T) => string;
}

export class LatestWrite<T> {
  readonly #deps: LatestWriteDeps;
  readonly #options: LatestWriteOptions<T>;
  #next: { readonly value: T } | undefined;
  #writing: Promise<void> | undefined;
  #failing = false;

  constructor(deps: LatestWriteDeps, options: LatestWriteOptions<T>) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Writes `value` soon. Never throws; a failure is logged once per spell of failures, and counted. */
  save(value: T): void {
    this.#next = { value };
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when what was last saved is on disk, or could not be. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    const { path, what, format } = this.#options;
    while (this.#next !== undefined) {
      const text = format(this.#next.value);
      this.#next = undefined;
      try {
        await writeFileAtomically(path, text, 0o600);
        if (this.#failing) this.#deps.log.info(`${what} is remembered again`, { path });
        this.#failing = false;
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'internal';
        const reason = cause instanceof Error ? cause.message : String(cause);
        this.#deps.onWriteFailed(code);
        if (!this.#failing) {
          this.#deps.log.warn(`${what} cannot be remembered; going on from memory`, { path, code, reason });
        }
        this.#failing = true;
      }
    }
  }
}
