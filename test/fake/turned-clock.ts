/** A clock that stands still until a test turns it; timers run in order of their times, those of one time as they came. */
import type { Clock, Timer } from '../../protocol/clock.ts';

export class TurnedClock implements Clock {
  #now: number;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  nowMs(): number {
    return this.#now;
  }

  monoMs(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Goes on by `ms` and runs nothing: what was due is late. */
  lag(ms: number): void {
    this.#now += ms;
  }

  /** Goes on by `ms` and runs what is due on the way, also what that asks for. */
  turn(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= until);
      const [first] = due.sort((a, b) => a.at - b.at);
      if (first === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== first);
      this.#now = Math.max(this.#now, first.at);
      first.callback();
    }
    this.#now = until;
  }
}
