/**
 * A clock that a test turns and an in-memory UDP network on it. Packets take `delayMs(from, to)` (null: lost), and what
 * arrives while the event loop is stalled waits, as in a kernel's socket buffer: after the stall the timers run first.
 */

import type { OpenStampSocket, StampSocket } from '../../overlay/stamp/probe-loop.ts';
import type { Clock, Timer } from '../../protocol/clock.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly kind: 'timer' | 'packet';
  readonly run: () => void;
}

export class FakeStampNetwork {
  #nowMs: number;
  #wallOffsetMs = 1_700_000_000_000;
  #events: Event[] = [];
  #order = 0;
  readonly #listeners = new Map<string, (packet: Buffer, address: string, port: number) => void>();
  #nextPort = 40_000;
  delayMs: (from: string, to: string) => number | null = () => 1;
  /** Packets sent so far. */
  sent = 0;

  constructor(startMs = 1000) {
    this.#nowMs = startMs;
  }

  readonly clock: Clock = {
    nowMs: () => this.#nowMs + this.#wallOffsetMs,
    monoMs: () => this.#nowMs,
    after: (delayMs, callback): Timer => {
      const event = this.#add('timer', delayMs, callback);
      return { cancel: () => this.#events.splice(this.#events.indexOf(event), this.#events.includes(event) ? 1 : 0) };
    },
  };

  readonly openSocket: OpenStampSocket = async (_what, address, port) => {
    const own = port === 0 ? this.#nextPort++ : port;
    const key = `${address}:${own}`;
    const socket: StampSocket = {
      onMessage: (listener) => this.#listeners.set(key, listener),
      onError: () => {},
      send: (packet, to, toPort, done) => {
        this.sent++;
        const delayMs = this.delayMs(address, to);
        const copy = Buffer.from(packet);
        const deliver = () => this.#listeners.get(`${to}:${toPort}`)?.(copy, address, own);
        if (delayMs !== null) this.#add('packet', delayMs, deliver);
        done(null);
      },
      close: async () => void this.#listeners.delete(key),
    };
    return socket;
  };

  /** Lets `ms` pass with a loop that is always on time. */
  run(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let event = this.#next(endMs); event !== undefined; event = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      event.run();
    }
    this.#nowMs = endMs;
  }

  /** The loop does nothing for `ms`; then timers that are due run, then packets that have arrived are read. */
  stall(ms: number): void {
    this.#nowMs += ms;
    const due = this.#events.filter((event) => event.atMs <= this.#nowMs).sort(byTime);
    this.#events = this.#events.filter((event) => event.atMs > this.#nowMs);
    for (const kind of ['timer', 'packet'] as const) for (const event of due) if (event.kind === kind) event.run();
  }

  /** An operator or NTP sets the wall clock. */
  stepWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #add(kind: Event['kind'], delayMs: number, run: () => void): Event {
    const event = { atMs: this.#nowMs + delayMs, order: this.#order++, kind, run };
    this.#events.push(event);
    return event;
  }

  #next(endMs: number): Event | undefined {
    const event = this.#events.sort(byTime)[0];
    if (event === undefined || event.atMs > endMs) return undefined;
    this.#events.shift();
    return event;
  }
}

function byTime(a: Event, b: Event): number {
  return a.atMs - b.atMs || a.order - b.order;
}
