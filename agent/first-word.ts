/**
 * Which end of a new WireGuard session speaks first. Pure. Two ends that begin at the same time each take the other's
 * initiation, forget their own, drop the answer to it and try again 5 s later (REKEY_TIMEOUT), at the same time again
 * but for a third of a second of jitter: on a path of 200 ms that repeats for half a minute. So one end waits. It has
 * no endpoint for the peer until it is heard from, and therefore sends nothing.
 *
 *   lower index    speaks after a moment, in which the other end is told of it too
 *   higher index   listens; speaks when nothing was heard, since the peer may not be able to reach it
 */
import type { PublicKey } from '../protocol/identifier.ts';
import type { MeshPeer } from './mesh-peer.ts';

/** Both ends hear of each other within this, unless a machine is very busy; then the repetition after 5 s is in time. */
export const SPEAK_AFTER_MS = 1500;
/** An initiation that came too early, its repetition after 5 s, and the way there. */
export const LISTEN_FIRST_MS = 8000;

/** Mutable; owned by the agent. */
export class FirstWord {
  readonly #ownIndex: number;
  /** Monotonic time from which we may speak; -Infinity: at any time. */
  #fromMonoMs = new Map<PublicKey, number>();
  #silent = new Set<PublicKey>();

  constructor(ownIndex: number) {
    this.#ownIndex = ownIndex;
  }

  /** `ages`: of the last handshake, null or absent: never. True when some peer may be spoken to from now on. */
  step(peers: readonly MeshPeer[], ages: ReadonlyMap<PublicKey, number | null>, monoMs: number): boolean {
    const from = new Map<PublicKey, number>();
    const silent = new Set<PublicKey>();
    for (const { index, publicKey } of peers) {
      const heard = (ages.get(publicKey) ?? null) !== null;
      const waitMs = this.#ownIndex < index ? SPEAK_AFTER_MS : LISTEN_FIRST_MS;
      const at = heard ? Number.NEGATIVE_INFINITY : (this.#fromMonoMs.get(publicKey) ?? monoMs + waitMs);
      from.set(publicKey, at);
      if (monoMs < at) silent.add(publicKey);
    }
    const released = [...this.#silent].some((key) => from.has(key) && !silent.has(key));
    this.#fromMonoMs = from;
    this.#silent = silent;
    return released;
  }

  /** Milliseconds until the next peer may be spoken to; null: none is held back. */
  waitMs(monoMs: number): number | null {
    let least: number | null = null;
    for (const key of this.#silent) {
      const wait = Math.max(0, (this.#fromMonoMs.get(key) ?? monoMs) - monoMs);
      if (least === null || wait < least) least = wait;
    }
    return least;
  }

  /** True for peers that `step` has not seen: what is not known to be new is not held back. */
  maySpeak(key: PublicKey): boolean {
    return !this.#silent.has(key);
  }
}
