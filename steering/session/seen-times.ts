/** Saves from time to time when nodes were last seen, all in one commit: for people, who can do with ten seconds. */
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';

/** When nodes were last seen is for people: it may be this old after a kill. */
const FLUSH_MS = 10_000;

export class SeenTimes {
  readonly #deps: { readonly registry: NodeRegistry; readonly clock: Clock; readonly log: Logger };
  #timer: Timer | undefined;

  constructor(deps: { registry: NodeRegistry; clock: Clock; log: Logger }) {
    this.#deps = deps;
  }

  /** The registry has something new to save. */
  soon(): void {
    this.#timer ??= this.#deps.clock.after(FLUSH_MS, () => this.flush());
  }

  /** Saves now. Never throws: nothing depends on it. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    try {
      this.#deps.registry.flushLastSeen();
    } catch (cause) {
      this.#deps.log.warn('last-seen times not saved', { error: cause instanceof Error ? cause.message : '' });
    }
  }
}
