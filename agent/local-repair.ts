/**
 * Which neighbours this node does not forward through at the moment, by its own probes. Pure. A neighbour that is down, or
 * loses a good part of what it is sent, is out at once. Going back is the core's: it hears of the failure, sends a table
 * without that neighbour, and when it trusts the link again another one. So a neighbour is let in again when it has been
 * well for a while and the core has spoken since; a link that comes and goes moves traffic once and not with every beat.
 *
 * A neighbour that is well again after a moment was never dead: its host, or ours, was busy. Others found the same, and
 * two that repair by way of each other send packets in circles until one of them goes back. So it is let in at once, if
 * that did not happen a short while ago.
 */
import type { LinkSummary } from '../overlay/stamp/prober.ts';

/** The core has moved paths off by then and takes them back later still: so a table that names the neighbour again is followed. */
const UP_HOLD_MS = 1500;
/** Without a word of the core: it is away, or no row of this node had to change. */
const ALONE_HOLD_MS = 30_000;
/** What a scheduler or a hypervisor may keep a busy host from its packets; links that flap take longer to come back. */
const STALL_MS = 500;
/** A neighbour that stalls again within this time is held as one that flaps. */
const STALL_AGAIN_MS = 10_000;

interface Absence {
  /** Monotonic time since which it has been well; Infinity while it is not. */
  wellSinceMs: number;
  /** The table that was held when it failed last. */
  generation: bigint;
  /** Monotonic time at which it went out. */
  readonly sinceMs: number;
}

/** Mutable; owned by the agent. */
export class LocalRepair {
  readonly #upHoldMs: number;
  readonly #aloneHoldMs: number;
  readonly #out = new Map<number, Absence>();
  /** Index -> monotonic time at which it was last let in after a stall. */
  readonly #stalledAtMs = new Map<number, number>();

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
          sinceMs: absence?.sinceMs ?? monoMs,
        });
      } else if (health === 'up' && absence !== undefined) {
        if (this.#onlyStalled(peerIndex, absence, monoMs)) {
          this.#stalledAtMs.set(peerIndex, monoMs);
          changed = this.#out.delete(peerIndex) || changed;
          continue;
        }
        if (absence.wellSinceMs === Number.POSITIVE_INFINITY) absence.wellSinceMs = monoMs;
        const wellMs = monoMs - absence.wellSinceMs;
        const holdMs = generation > absence.generation ? this.#upHoldMs : this.#aloneHoldMs;
        if (wellMs >= holdMs) changed = this.#out.delete(peerIndex) || changed;
      }
    }
    for (const index of [...this.#out.keys()]) {
      if (!seen.has(index)) changed = this.#out.delete(index) || changed;
    }
    for (const index of [...this.#stalledAtMs.keys()]) if (!seen.has(index)) this.#stalledAtMs.delete(index);
    return changed;
  }

  #onlyStalled(peerIndex: number, { wellSinceMs, sinceMs }: Absence, monoMs: number): boolean {
    const isFirstWord = wellSinceMs === Number.POSITIVE_INFINITY;
    const lastMs = this.#stalledAtMs.get(peerIndex) ?? Number.NEGATIVE_INFINITY;
    return isFirstWord && monoMs - sinceMs < STALL_MS && monoMs - lastMs >= STALL_AGAIN_MS;
  }
}
