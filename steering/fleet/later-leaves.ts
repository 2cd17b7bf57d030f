/**
 * Leaves whose own tables are looked at some at a time, because paths behind the transit nodes are others: that makes what is
 * reachable better, and ten thousand of them at once would hold up what others wait for. Pure.
 */
import type { LeafMember } from './leaf-member.ts';

/** At 20 us each, 10 ms of a step. */
const MOST = 500;
/** Pause before the next ones. */
const REST_MS = 25;

export class LaterLeaves {
  readonly #leaves = new Set<LeafMember>();
  #dueMs = Number.POSITIVE_INFINITY;

  /** When `take` has leaves to give, after it was asked once. */
  get dueMs(): number {
    return this.#dueMs;
  }

  add(leaf: LeafMember): void {
    this.#leaves.add(leaf);
  }

  delete(leaf: LeafMember): void {
    this.#leaves.delete(leaf);
  }

  /** The next ones, in the order in which they came. */
  take(nowMs: number): LeafMember[] {
    const taken: LeafMember[] = [];
    for (const leaf of this.#leaves) {
      if (taken.length === MOST) break;
      taken.push(leaf);
      this.#leaves.delete(leaf);
    }
    this.#dueMs = this.#leaves.size === 0 ? Number.POSITIVE_INFINITY : nowMs + REST_MS;
    return taken;
  }
}
