/** Bytes that WireGuard has sent to each peer -> bytes per second. Pure. */
import type { PeerStatus } from '../overlay/overlay-state.ts';
import type { PublicKey } from '../protocol/identifier.ts';

/** Reads that follow each other sooner say too little: rates stay as they are. */
const LEAST_ELAPSED_MS = 1_000;

/** Mutable; one per agent. */
export class SentRates {
  #rates = new Map<PublicKey, number>();
  #before = new Map<PublicKey, number>();
  #atMonoMs: number | undefined;

  /** Bytes per second lately; undefined: not known yet. */
  get(key: PublicKey): number | undefined {
    return this.#rates.get(key);
  }

  /** Takes all sessions as read now. A counter that went back was made anew: what it counts now was sent since. */
  observe(statuses: readonly Pick<PeerStatus, 'publicKey' | 'sentBytes'>[], monoMs: number): void {
    const elapsedMs = this.#atMonoMs === undefined ? Number.POSITIVE_INFINITY : monoMs - this.#atMonoMs;
    if (elapsedMs < LEAST_ELAPSED_MS) return;
    const rates = new Map<PublicKey, number>();
    for (const { publicKey, sentBytes } of statuses) {
      const before = this.#before.get(publicKey);
      if (before === undefined) continue;
      const sent = sentBytes >= before ? sentBytes - before : sentBytes;
      rates.set(publicKey, (sent * 1000) / elapsedMs);
    }
    this.#rates = rates;
    this.#before = new Map(statuses.map(({ publicKey, sentBytes }) => [publicKey, sentBytes]));
    this.#atMonoMs = monoMs;
  }
}
