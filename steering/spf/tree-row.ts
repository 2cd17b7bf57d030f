/** One destination's tree for reading, whatever holds it. */
import type { IncrementalTable } from './incremental/incremental-table.ts';
import { NO_PREDECESSOR, UNREACHABLE } from './path-table.ts';

export interface TreeRow {
  /** Slot of the next hop; -1 for the root and for what cannot be reached. */
  hopOf(slot: number): number;
  /** Microseconds to the root; Infinity: no way. */
  costOf(slot: number): number;
}

/** A row of a table that is kept current: looks at another one after `of`. */
export class KeptRow implements TreeRow {
  #distance: Uint32Array = new Uint32Array(0);
  #predecessor: Uint16Array = new Uint16Array(0);
  #from = 0;

  of({ table }: IncrementalTable, root: number): this {
    this.#distance = table.distance;
    this.#predecessor = table.predecessor;
    this.#from = root * table.stride;
    return this;
  }

  hopOf(slot: number): number {
    const hop = this.#predecessor[this.#from + slot] ?? NO_PREDECESSOR;
    return hop === NO_PREDECESSOR ? -1 : hop;
  }

  costOf(slot: number): number {
    const distance = this.#distance[this.#from + slot] ?? UNREACHABLE;
    return distance === UNREACHABLE ? Number.POSITIVE_INFINITY : distance;
  }
}
