/**
 * Costs of paths between transit nodes, each worked out once: all leaves with one home ask for the same ones. Good while no
 * path changes. Pure.
 */
import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';

export class PathCosts {
  readonly #known = new Map<number, number>();
  readonly #compute: (from: number, to: number) => number;

  /** `compute`: the cost between two transit nodes by node index, in microseconds; Infinity: no path. */
  constructor(compute: (from: number, to: number) => number) {
    this.#compute = compute;
  }

  /** In microseconds; Infinity: there is no path, or nowhere to go. */
  us(from: number, to: number | undefined): number {
    if (to === undefined) return Number.POSITIVE_INFINITY;
    const key = from * (MAX_NODE_INDEX + 1) + to;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const costUs = this.#compute(from, to);
    this.#known.set(key, costUs);
    return costUs;
  }
}
