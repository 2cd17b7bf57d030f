/**
 * The distances of a path table by far end: the distances of all roots to one slot stand side by side. To ask all rows
 * about one slot costs one read of memory per root in the table itself, since rows lie far apart, and one per sixteen
 * roots here. It costs half as much memory again as the table.
 */
import type { PathTable } from '../path-table.ts';

/** Rows and columns that are turned at once: 64 lines from each side fit a first-level cache. */
const BLOCK = 64;

export class TransposedDistance {
  readonly stride: number;
  /** Distance between root and slot at `slot * stride + root`. */
  readonly distance: Uint32Array;

  constructor(table: PathTable) {
    this.stride = table.stride;
    this.distance = new Uint32Array(table.capacity * table.stride);
  }

  /** Takes over the whole table. */
  load({ distance, stride, capacity }: PathTable): void {
    const turned = this.distance;
    for (let top = 0; top < capacity; top += BLOCK) {
      const bottom = Math.min(capacity, top + BLOCK);
      for (let left = 0; left < capacity; left += BLOCK) {
        const right = Math.min(capacity, left + BLOCK);
        for (let slot = left; slot < right; slot++) {
          const to = slot * stride;
          for (let root = top; root < bottom; root++) turned[to + root] = distance[root * stride + slot] ?? 0;
        }
      }
    }
  }

  /** Takes over one row. */
  loadRow({ distance, stride, capacity }: PathTable, root: number): void {
    for (let slot = 0; slot < capacity; slot++)
      this.distance[slot * stride + root] = distance[root * stride + slot] ?? 0;
  }
}
