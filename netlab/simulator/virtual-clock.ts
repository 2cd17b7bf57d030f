/** Time that passes only when told to: timers run in the order of their time, equal times in the order of their setting. */
import type { Clock, Timer } from '../../protocol/clock.ts';

interface Pending extends Timer {
  readonly dueMs: number;
  readonly order: number;
  callback: (() => void) | null;
}

/** Wall clock at virtual time 0: any fixed moment, so that two runs write the same times. */
const EPOCH_MS = 1_700_000_000_000;

export class VirtualClock implements Clock {
  readonly #heap: Pending[] = [];
  #nowMs = 0;
  #order = 0;

  nowMs(): number {
    return EPOCH_MS + this.#nowMs;
  }

  monoMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer: Pending = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      cancel() {
        this.callback = null;
      },
    };
    this.#push(timer);
    return timer;
  }

  /** Runs everything that is due until `endMs`, what those timers set included; then it is `endMs`. */
  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      this.#nowMs = next.dueMs;
      next.callback?.();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  #push(timer: Pending): void {
    let at = this.#heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above];
      if (other === undefined || isBefore(other, timer)) break;
      this.#heap[at] = other;
      at = above;
    }
    this.#heap[at] = timer;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      const [left, right] = [this.#heap[below], this.#heap[below + 1]];
      if (left === undefined) break;
      let other = left;
      if (right !== undefined && isBefore(right, left)) {
        below++;
        other = right;
      }
      if (isBefore(last, other)) break;
      this.#heap[at] = other;
      at = below;
    }
    this.#heap[at] = last;
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
