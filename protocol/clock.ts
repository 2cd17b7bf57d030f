/** Time as a port, so that every policy can be tested as steps of a clock that a test turns. */
export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. For people and certificates. */
  nowMs(): number;
  /** Monotonic milliseconds from an arbitrary start. For intervals and deadlines. */
  monoMs(): number;
  /** Calls back once, no earlier than `delayMs` from now. A pending timer does not keep the process alive by itself. */
  after(delayMs: number, callback: () => void): Timer;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monoMs: () => performance.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
