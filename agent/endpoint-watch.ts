/** Chooses endpoints when something happened, and again when the choice depends on time alone. */
import type { Clock, Timer } from '../protocol/clock.ts';

/** Peers that came one after the other are spoken to together: each time costs a run of `wg`. */
const BATCH_MS = 250;

export interface EndpointWatchDeps {
  readonly clock: Clock;
  /** True when an endpoint is to be set anew. */
  readonly choose: () => boolean;
  /** Milliseconds until a choice may come out otherwise; null: no such time. */
  readonly chooseAgainMs: () => number | null;
  /** A choice that nobody asked for came out otherwise. */
  readonly onChanged: () => void;
}

export class EndpointWatch {
  readonly #deps: EndpointWatchDeps;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: EndpointWatchDeps) {
    this.#deps = deps;
  }

  /** True when an endpoint is to be set anew. */
  choose(): boolean {
    const { clock, choose, chooseAgainMs, onChanged } = this.#deps;
    const changed = choose();
    this.#timer?.cancel();
    const againMs = chooseAgainMs();
    if (againMs !== null && !this.#stopped) {
      this.#timer = clock.after(Math.max(againMs, BATCH_MS), () => {
        if (this.choose()) onChanged();
      });
    }
    return changed;
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
