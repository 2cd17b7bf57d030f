/** Bytes that WireGuard has sent to and received from each peer -> bytes per second. Pure. */
import type { PeerStatus } from '../overlay/overlay-state.ts';
import type { PublicKey } from '../protocol/identifier.ts';

/** Reads that follow each other sooner say too little: rates stay as they are. */
const LEAST_ELAPSED_MS = 900;
/** Over a longer time than this load that has just begun, or ended, is averaged with none: such a rate is not told. */
const MOST_ELAPSED_MS = 4_000;
/** 1 Mbit/s: below that nobody asks what a link carries. */
const BUSY_BYTES_PER_SECOND = 125_000;

/** Bytes per second lately, in whole bytes with those of WireGuard and IP around them. */
export interface SessionRate {
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
}

/** Mutable; one per agent. */
export class SessionRates {
  /** Some session carries enough for its rate to matter: worth reading every second. */
  busy = false;
  #isLong = false;
  #rates = new Map<PublicKey, SessionRate>();
  #before = new Map<PublicKey, Pick<PeerStatus, 'sentBytes' | 'receivedBytes'>>();
  #atMonoMs: number | undefined;

  /** Undefined: not known yet. */
  get(key: PublicKey): SessionRate | undefined {
    return this.#rates.get(key);
  }

  /** The same, where it says what the session carries at a time: undefined over a long time with load in it. */
  told(key: PublicKey): SessionRate | undefined {
    return this.busy && this.#isLong ? undefined : this.#rates.get(key);
  }

  /** Takes all sessions as read now. A counter that went back was made anew: what it counts now was sent since. */
  observe(statuses: readonly Pick<PeerStatus, 'publicKey' | 'sentBytes' | 'receivedBytes'>[], monoMs: number): void {
    const elapsedMs = this.#atMonoMs === undefined ? Number.POSITIVE_INFINITY : monoMs - this.#atMonoMs;
    if (elapsedMs < LEAST_ELAPSED_MS) return;
    const rates = new Map<PublicKey, SessionRate>();
    let isBusy = false;
    for (const { publicKey, sentBytes, receivedBytes } of statuses) {
      const before = this.#before.get(publicKey);
      if (before === undefined) continue;
      const sent = (since(before.sentBytes, sentBytes) * 1000) / elapsedMs;
      const received = (since(before.receivedBytes, receivedBytes) * 1000) / elapsedMs;
      if (Math.max(sent, received) >= BUSY_BYTES_PER_SECOND) isBusy = true;
      rates.set(publicKey, { sentBytesPerSecond: sent, receivedBytesPerSecond: received });
    }
    this.#rates = rates;
    this.busy = isBusy;
    this.#isLong = elapsedMs > MOST_ELAPSED_MS;
    this.#before = new Map(statuses.map((status) => [status.publicKey, status]));
    this.#atMonoMs = monoMs;
  }
}

function since(before: number, now: number): number {
  return now >= before ? now - before : now;
}
