/**
 * Several changes in one durable commit. A disk flush takes milliseconds, during which this thread does nothing else: of a
 * thousand devices that join at once, dozens share one. Nobody is answered before the flush that holds his change.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { hasMoved } from './moved.ts';
import type { Store } from './store.ts';

/** What a single join waits for company. */
const GATHER_MS = 4;
/** At most a fifth of the time goes into flushing: after one that took long the next gathers for four times as long. */
const REST = 4;
const LONGEST_GATHER_MS = 200;
/** A join is about a millisecond of signatures: the rest waits for the next turn of the event loop. */
const MOST = 32;
/** A commit that loses this often against other cores' is refused: each loss is another's gain. */
const MOST_ATTEMPTS = 20;

interface Job {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (cause: unknown) => void;
}

export class GroupCommit {
  readonly #clock: Clock;
  readonly #store: Pick<Store, 'transaction'>;
  readonly #onUndone: () => void;
  #jobs: Job[] = [];
  #timer: Timer | undefined;
  #lastMs = 0;

  /** `onUndone`: a commit failed, and with it changes that have been seen in memory: what was made from the store is stale. */
  constructor(deps: { clock: Clock; store: Pick<Store, 'transaction'>; onUndone: () => void }) {
    this.#clock = deps.clock;
    this.#store = deps.store;
    this.#onUndone = deps.onUndone;
  }

  /**
   * Does the work with others' in one commit. Resolves with what it returned once that is durable; rejects with what it
   * threw, or with what the commit failed with: then nothing of it has happened.
   */
  run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#schedule(Math.min(LONGEST_GATHER_MS, Math.max(GATHER_MS, REST * this.#lastMs)));
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const jobs = this.#jobs.splice(0, MOST);
    if (jobs.length === 0) return;
    const settled: (() => void)[] = [];
    let attempts = 0;
    let workedMs = this.#clock.monoMs();
    for (;;) {
      try {
        this.#commit(jobs, settled, () => {
          workedMs = this.#clock.monoMs();
        });
        break;
      } catch (cause) {
        this.#onUndone();
        settled.length = 0;
        // another core was faster: the work is done again on what is there now
        if (hasMoved(cause) && ++attempts < MOST_ATTEMPTS) continue;
        for (const { reject } of jobs) settled.push(() => reject(cause));
        break;
      }
    }
    this.#lastMs = this.#clock.monoMs() - workedMs;
    for (const settle of settled) settle();
    if (this.#jobs.length > 0) this.#schedule(0);
  }

  #commit(jobs: readonly Job[], settled: (() => void)[], onWorked: () => void): void {
    this.#store.transaction(() => {
      for (const { work, resolve, reject } of jobs) {
        try {
          const value = work();
          settled.push(() => resolve(value));
        } catch (cause) {
          settled.push(() => reject(cause));
        }
      }
      onWorked();
    });
  }

  #schedule(delayMs: number): void {
    this.#timer ??= this.#clock.after(delayMs, () => this.flush());
  }
}
