/**
 * Which neighbours this node does not forward through at the moment, by its own probes. Pure. A neighbour that is down, or
 * loses a good part of what it is sent, is out at once. Going back is the core's: it hears of the failure, sends a table
 * without that neighbour, and when it trusts the link again another one. So a neighbour is let in again when it has been
 * well for a while and the core has spoken since; a link that comes and goes moves traffic once and not with every beat.
 *
 * The first time in a minute it is let in as soon as it is well. Where a host was busy for a moment, all its neighbours
 * gave it up, and those that repair by way of each other send what is for it in circles until one of them goes back.
 */
import type { LinkSummary } from '../overlay/stamp/prober.ts';

/** The core has moved paths off by then and takes them back later still: so a table that names the neighbour again is followed. */
const UP_HOLD_MS = 1500;
/** Without a word of the core: it is away, or no row of this node had to change. */
const ALONE_HOLD_MS = 5000;
/** A neighbour that failed and was well again within this time is one that comes and goes. */
const FORGIVEN_AFTER_MS = 60_000;

interface Absence {
  /** Monotonic time since which it has been well; Infinity while it is not. */
  wellSinceMs: number;
  /** The table that was held when it failed last. */
  generation: bigint;
}

/** Mutable; owned by the agent. */
export class LocalRepair {
  readonly #upHoldMs: number;
  readonly #aloneHoldMs: number;
  readonly #out = new Map<number, Absence>();
  /** Index -> monotonic time at which it was last let in. */
  readonly #backAtMs = new Map<number, number>();

  constructor(upHoldMs: number = UP_HOLD_MS, aloneHoldMs: number = ALONE_HOLD_MS) {
    this.#upHoldMs = upHoldMs;
    this.#aloneHoldMs = aloneHoldMs;
  }

  /** Neighbours to avoid now. A new set after each change. */
  get down(): ReadonlySet<number> {
    return new Set(this.#out.keys());
  }

  /** Takes in all peers' summaries and the generation of the table held; returns true when `down` changed. */
  observe(summaries: readonly LinkSummary[], monoMs: number, generation: bigint): boolean {
    let changed = false;
    const seen = new Set<number>();
    for (const { peerIndex, health, grey } of summaries) {
      seen.add(peerIndex);
      const absence = this.#out.get(peerIndex);
      if (health === 'down' || (health === 'up' && grey)) {
        changed ||= absence === undefined;
        this.#out.set(peerIndex, {
          wellSinceMs: Number.POSITIVE_INFINITY,
          generation: absence?.generation ?? generation,
        });
      } else if (health === 'up' && absence !== undefined) {
        if (absence.wellSinceMs === Number.POSITIVE_INFINITY) absence.wellSinceMs = monoMs;
        const wellMs = monoMs - absence.wellSinceMs;
        const isFirst = monoMs - (this.#backAtMs.get(peerIndex) ?? Number.NEGATIVE_INFINITY) >= FORGIVEN_AFTER_MS;
        const holdMs = generation > absence.generation ? this.#upHoldMs : this.#aloneHoldMs;
        if (!isFirst && wellMs < holdMs) continue;
        this.#backAtMs.set(peerIndex, monoMs);
        this.#out.delete(peerIndex);
        changed = true;
      }
    }
    for (const index of [...this.#out.keys()]) {
      if (!seen.has(index)) changed = this.#out.delete(index) || changed;
    }
    for (const index of [...this.#backAtMs.keys()]) if (!seen.has(index)) this.#backAtMs.delete(index);
    return changed;
  }
}
