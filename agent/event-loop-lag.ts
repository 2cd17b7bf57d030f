/** How late the main thread runs what is due: measured by a tick that knows when it was wanted. */
import type { Clock } from '../protocol/clock.ts';
import { PeriodicTask } from './periodic-task.ts';

/** Seldom enough to cost nothing, often enough to catch a thread that is late for long. */
const TICK_MS = 1000;
/** Falls slowly, so that a scrape every 15 s still sees a peak. */
const DECAY = 0.9;

export class EventLoopLag {
  readonly #clock: Clock;
  readonly #task: PeriodicTask;
  #lagMs = 0;
  #wantedAtMonoMs = 0;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
    this.#task = new PeriodicTask(
      { clock: deps.clock, work: async () => this.#tick(), onFailed: () => {} },
      { delayMs: () => TICK_MS },
    );
  }

  get recentMaxMs(): number {
    return this.#lagMs;
  }

  start(): void {
    this.#wantedAtMonoMs = this.#clock.monoMs() + TICK_MS;
    this.#task.start();
  }

  /** Idempotent. */
  stop(): void {
    this.#task.stop();
  }

  #tick(): void {
    const monoMs = this.#clock.monoMs();
    this.#lagMs = Math.max(monoMs - this.#wantedAtMonoMs, this.#lagMs * DECAY, 0);
    this.#wantedAtMonoMs = monoMs + TICK_MS;
  }
}
