/**
 * What an unmeasured pair would measure: the coordinates' prediction, corrected by what the two nodes' nearest neighbours
 * measured to the other end. Delay space is not flat: where a neighbour of a has a link to b that is shorter than
 * coordinates say (a triangle inequality violation), a's own is likely to be too.
 *
 *   estimate(a, b) = predict(a, b) * exp( sum of ln(measured(k, b) / predict(k, b)) / (1 + count) )
 *
 * over the nearest measured neighbours k of a that measured b, and those of b that measured a. The 1 pulls towards the
 * plain prediction as long as there are few of them.
 */
import type { Coordinates } from './coordinates.ts';
import type { LinkTable } from './link-table.ts';

/** Neighbours asked per end: 4 to 8 did equally well on the matrices in docs/session-plan.md. */
const NEIGHBOURS = 8;

export class DelayEstimate {
  readonly #coordinates: Coordinates;
  readonly #table: LinkTable;
  readonly #nearest: Int32Array[];

  constructor(coordinates: Coordinates, table: LinkTable) {
    this.#coordinates = coordinates;
    this.#table = table;
    this.#nearest = Array.from({ length: table.nodeCount }, (_, v) => table.nearest(v, NEIGHBOURS));
  }

  /** The coordinates' prediction by slot, in microseconds; NaN: one of them has no coordinate. */
  plainUs(a: number, b: number): number {
    return this.#coordinates.predictUs(this.#table.nodeOf(a), this.#table.nodeOf(b));
  }

  /** The least RTT by slot that the coordinates allow, in microseconds; NaN: one of them has no coordinate. */
  leastUs(a: number, b: number): number {
    return this.#coordinates.leastUs(this.#table.nodeOf(a), this.#table.nodeOf(b));
  }

  /** Estimate by slot, in microseconds; NaN: nothing to go by. */
  estimateUs(a: number, b: number): number {
    const plain = this.plainUs(a, b);
    if (Number.isNaN(plain)) return plain;
    let [sum, count] = [0, 1];
    for (const [near, far] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const k of this.#nearest[near] ?? []) {
        const measured = this.#table.rttUs(k, far);
        if (Number.isNaN(measured)) continue;
        sum += Math.log(measured / this.plainUs(k, far));
        count++;
      }
    }
    return plain * Math.exp(sum / count);
  }
}
