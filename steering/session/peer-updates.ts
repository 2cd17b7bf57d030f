/** Gathers what agents are to hear of their peers, so that a burst of changes is one message each. */
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { PeerInit } from './session-messages.ts';

export interface PeerUpdateFrame {
  readonly full: false;
  readonly set: PeerInit[];
  readonly remove: number[];
}

export interface PeerUpdateDeps {
  readonly clock: Clock;
  /** A peer as agents are told of it; [] when nobody knows yet how to reach it, or it is gone. */
  readonly peer: (index: number) => PeerInit[];
  /** Brings the message to the agent; drops it when the agent is not online: it gets all peers when it is. */
  readonly send: (index: number, frame: PeerUpdateFrame) => void;
}

/** Joins and changes of hosts come in bursts; one update carries them all. */
const DEBOUNCE_MS = 50;
/** When thousands join, at most a fifth of the time goes into telling others, and nobody waits longer than this. */
const REST = 4;
const LONGEST_REST_MS = 250;

export class PeerUpdates {
  readonly #deps: PeerUpdateDeps;
  /** Agent -> peer -> whether it is a peer. */
  readonly #pending = new Map<number, Map<number, boolean>>();
  #timer: Timer | undefined;
  #lastMs = 0;

  constructor(deps: PeerUpdateDeps) {
    this.#deps = deps;
  }

  /** The agent is to know the peer as it is now, or to forget it. The last word counts. */
  note(agent: number, peer: number, isPeer: boolean): void {
    const peers = this.#pending.get(agent) ?? new Map<number, boolean>();
    this.#pending.set(agent, peers.set(peer, isPeer));
    this.#timer ??= this.#deps.clock.after(this.#debounceMs, () => this.#flush());
  }

  /** All that is waiting goes out now: a key that was taken off the mesh does not wait for others' news. */
  hurry(): void {
    this.#timer?.cancel();
    this.#flush();
  }

  /** The agent was told all its peers. */
  told(agent: number): void {
    this.#pending.delete(agent);
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  get #debounceMs(): number {
    return Math.min(LONGEST_REST_MS, Math.max(DEBOUNCE_MS, REST * this.#lastMs));
  }

  #flush(): void {
    this.#timer = undefined;
    const startedMonoMs = this.#deps.clock.monoMs();
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const [agent, peers] of pending) {
      const sorted = [...peers].sort(([a], [b]) => a - b);
      const set = sorted.flatMap(([index, isPeer]) => (isPeer ? this.#deps.peer(index) : []));
      const remove = sorted.flatMap(([index, isPeer]) => (isPeer ? [] : [index]));
      if (set.length + remove.length > 0) this.#deps.send(agent, { full: false, set, remove });
    }
    this.#lastMs = this.#deps.clock.monoMs() - startedMonoMs;
  }
}
