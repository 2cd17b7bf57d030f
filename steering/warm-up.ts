/** The wait after a restart for known nodes to come back, so that none is judged on what is not there yet. */
import type { MeshNode } from './mesh-state.ts';

export class WarmUp {
  #untilMs: number | null = null;
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** When it ends at the latest; -Infinity before the first `look`. */
  get dueMs(): number {
    return this.#untilMs ?? Number.NEGATIVE_INFINITY;
  }

  /** True once all nodes have reported, or `longestMs` after the first look; at once where there are none. */
  look(nodes: readonly MeshNode[], nowMs: number, longestMs: number): boolean {
    if (this.#isOver) return true;
    this.#untilMs ??= nowMs + (nodes.length > 0 ? longestMs : 0);
    this.#isOver = nowMs >= this.#untilMs || nodes.every((node) => node.table.connected && node.reported);
    return this.#isOver;
  }
}
