/**
 * Which end of a new WireGuard session speaks first. Pure. Two ends that begin at the same time each take the other's
 * initiation, forget their own, drop the answer to it and try again 5 s later (REKEY_TIMEOUT), at the same time again
 * but for a third of a second of jitter: on a path of 200 ms that repeats for half a minute. So one end waits.
 *
 *   lower index    speaks after a moment, in which the other end is told of it too. Until then its device does not have
 *                  the peer: WireGuard would try, find no endpoint, and not try again for 5 s
 *   higher index   listens: it has the peer, without an endpoint until it is heard from. Speaks when nothing was heard,
 *                  since the peer may not be able to reach it
 *
 * A peer that is remembered from before a start has this node already, and takes its old session for good: no waiting.
 */
import type { PublicKey } from '../protocol/identifier.ts';
import type { MeshPeer } from './mesh-peer.ts';

/** Both ends hear of each other within this, unless a machine is very busy; then the repetition after 5 s is in time. */
export const SPEAK_AFTER_MS = 1500;
/** An initiation that came too early, its repetition after 5 s, and the way there. */
export const LISTEN_FIRST_MS = 8000;

interface Turn {
  /** Monotonic time from which we may speak; -Infinity: at any time. */
  readonly fromMonoMs: number;
  /** Until then the device is to be without the peer. */
  readonly isApart: boolean;
}

/** Mutable; owned by the agent. */
export class FirstWord {
  readonly #ownIndex: number;
  #turns = new Map<PublicKey, Turn>();
  #indices = new Set<number>();
  #silent = new Set<PublicKey>();

  constructor(ownIndex: number) {
    this.#ownIndex = ownIndex;
  }

  /** Peers that had this node as a peer before the agent started. */
  remember(peers: readonly MeshPeer[]): void {
    for (const { publicKey } of peers) this.#turns.set(publicKey, AT_ANY_TIME);
  }

  /** `ages`: of the last handshake, null or absent: never. True when some peer may be spoken to from now on. */
  step(peers: readonly MeshPeer[], ages: ReadonlyMap<PublicKey, number | null>, monoMs: number): boolean {
    const turns = new Map<PublicKey, Turn>();
    const indices = new Set<number>();
    const silent = new Set<PublicKey>();
    for (const { index, publicKey } of peers) {
      const heard = (ages.get(publicKey) ?? null) !== null;
      const turn = heard ? AT_ANY_TIME : (this.#turns.get(publicKey) ?? this.#firstTurn(index, monoMs));
      turns.set(publicKey, turn);
      indices.add(index);
      if (monoMs < turn.fromMonoMs) silent.add(publicKey);
    }
    const released = [...this.#silent].some((key) => turns.has(key) && !silent.has(key));
    this.#turns = turns;
    this.#indices = indices;
    this.#silent = silent;
    return released;
  }

  /** Milliseconds until the next peer may be spoken to; null: none is held back. */
  waitMs(monoMs: number): number | null {
    let least: number | null = null;
    for (const key of this.#silent) {
      const wait = Math.max(0, (this.#turns.get(key)?.fromMonoMs ?? monoMs) - monoMs);
      if (least === null || wait < least) least = wait;
    }
    return least;
  }

  /** True for peers that `step` has not seen: what is not known to be new is not held back. */
  maySpeak(key: PublicKey): boolean {
    return !this.#silent.has(key);
  }

  /** False while the device is to be without the peer. */
  mayListen(key: PublicKey): boolean {
    return !this.#silent.has(key) || this.#turns.get(key)?.isApart !== true;
  }

  /** One that only has another key now may speak first, whoever it is: it knows when the key is in use. */
  #firstTurn(index: number, monoMs: number): Turn {
    const isLower = this.#ownIndex < index;
    return {
      fromMonoMs: monoMs + (isLower ? SPEAK_AFTER_MS : LISTEN_FIRST_MS),
      isApart: isLower && !this.#indices.has(index),
    };
  }
}

const AT_ANY_TIME: Turn = { fromMonoMs: Number.NEGATIVE_INFINITY, isApart: false };
