/** Work that repeats: the next run begins a while after the last one ended, failed or not. */
import type { Clock, Timer } from '../protocol/clock.ts';

export interface PeriodicTaskDeps {
  readonly clock: Clock;
  readonly work: () => Promise<void>;
  readonly onFailed: (cause: unknown) => void;
}

export class PeriodicTask {
  readonly #deps: PeriodicTaskDeps;
  readonly #delayMs: () => number;
  #timer: Timer | undefined;
  #stopped = false;

  /** @param delayMs asked before each run, so that the pace may change */
  constructor(deps: PeriodicTaskDeps, options: { readonly delayMs: () => number }) {
    this.#deps = deps;
    this.#delayMs = options.delayMs;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#deps.clock.after(this.#delayMs(), () => {
      this.#deps
        .work()
        .catch((cause: unknown) => this.#deps.onFailed(cause))
        .finally(() => this.start());
    });
  }

  /** Idempotent. A run that is under way ends by itself. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
