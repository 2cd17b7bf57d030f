/**
 * The wait after a restart for known nodes to come back, so that none is judged on what is not there yet. A fleet of thousands needs minutes
 * for that, since every connection is a handshake: as long as it goes on coming back, it is waited for.
 */
import type { MeshNode } from './mesh-state.ts';

/** So many more are a sign that the fleet is still coming back: this part of it, but not one of a few. */
const PART_BACK = 0.02;
const LEAST_BACK = 32;
/** However many come: so many times the wait, 3 minutes by default. */
const MOST_WAITS = 18;

export class WarmUp {
  #untilMs: number | null = null;
  #mostMs = Number.POSITIVE_INFINITY;
  /** Nodes that were back when the wait was last prolonged. */
  #back = 0;
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** When it ends at the latest, as far as is known; -Infinity before the first `look`. */
  get dueMs(): number {
    return this.#untilMs ?? Number.NEGATIVE_INFINITY;
  }

  /**
   * True once all nodes have reported, or `longestMs` after the first look, or after the last one at which many more had; at once
   * where there are none.
   */
  look(nodes: readonly MeshNode[], nowMs: number, longestMs: number): boolean {
    if (this.#isOver) return true;
    if (this.#untilMs === null) {
      this.#untilMs = nowMs + (nodes.length > 0 ? longestMs : 0);
      this.#mostMs = nowMs + MOST_WAITS * longestMs;
    }
    const back = nodes.reduce((count, { table, reported }) => (table.connected && reported ? count + 1 : count), 0);
    if (back >= this.#back + Math.max(LEAST_BACK, nodes.length * PART_BACK)) {
      this.#back = back;
      this.#untilMs = Math.min(nowMs + longestMs, this.#mostMs);
    }
    this.#isOver = nowMs >= this.#untilMs || back === nodes.length;
    return this.#isOver;
  }
}
