/**
 * Which neighbours this node does not forward through at the moment, by its own probes. Pure. A neighbour that is down
 * is out at once; one that is up again is used only after it stayed up for a while, so that a link that comes and goes
 * moves traffic once and not with every beat.
 */
import type { LinkSummary } from '../overlay/stamp/prober.ts';

/** The core takes a recovered path back later still; this only has to outlast a link that flaps. */
const UP_HOLD_MS = 3000;

/** Mutable; owned by the agent. */
export class LocalRepair {
  readonly #upHoldMs: number;
  /** Index -> monotonic time at which it came up again; Infinity while down. */
  readonly #out = new Map<number, number>();

  constructor(upHoldMs: number = UP_HOLD_MS) {
    this.#upHoldMs = upHoldMs;
  }

  /** Neighbours to avoid now. A new set after each change. */
  get down(): ReadonlySet<number> {
    return new Set(this.#out.keys());
  }

  /** Takes in all peers' summaries; returns true when `down` changed. */
  observe(summaries: readonly LinkSummary[], monoMs: number): boolean {
    let changed = false;
    const seen = new Set<number>();
    for (const { peerIndex, health } of summaries) {
      seen.add(peerIndex);
      const since = this.#out.get(peerIndex);
      if (health === 'down') {
        changed ||= since === undefined;
        this.#out.set(peerIndex, Number.POSITIVE_INFINITY);
      } else if (health === 'up' && since !== undefined) {
        if (since === Number.POSITIVE_INFINITY) this.#out.set(peerIndex, monoMs);
        else if (monoMs - since >= this.#upHoldMs) changed = this.#out.delete(peerIndex) || changed;
      }
    }
    for (const index of [...this.#out.keys()]) {
      if (!seen.has(index)) changed = this.#out.delete(index) || changed;
    }
    return changed;
  }
}
