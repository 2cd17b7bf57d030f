/**
 * The shortest-path trees of all roots in shared memory, so that threads fill and read them without copying. Row r is
 * the tree rooted at slot r: paths from r when it was filled from `graph.out`, paths to r when from `graph.into`
 * (then a slot's predecessor is its next hop).
 *
 *   byteOffset              + 4 * capacity * stride      + 2 * capacity * stride
 *   | distance: Uint32, row by row | predecessor: Uint16 | hops: Uint16 |
 *
 * Entry (root, slot) is at `root * stride + slot` in each of the three. Entries of a row between `capacity` and
 * `stride` mean nothing.
 *
 * The predecessor of v in the tree of r is, among the arcs (u, v) with distance(u) + weight = distance(v) where u may
 * forward (it is r, or transit), the u with the fewest hops from r, then with the least stable index (graph.indexOf).
 * So equal graphs give equal tables, whatever the kernel, the thread count and the order of edits.
 */
import { ThalwegError } from '../../protocol/error.ts';

/** Distance of what cannot be reached. Every other distance is exact. */
export const UNREACHABLE = 0xffff_ffff;
/** Predecessor of the root, and of what cannot be reached. */
export const NO_PREDECESSOR = 0xffff;
/** Slots are 0 to 65,534, so that a predecessor fits 16 bits. A table of as many takes 34 GB: more is not for all pairs. */
export const MOST_TABLE_SLOTS = 0xffff;

const BYTES_PER_ENTRY = 8;
/** Entries: a row starts on a cache line in each of the three arrays. */
const ALIGNMENT = 32;
/** Rows whose starts differ by a multiple of this compete for the same lines of a first-level cache. */
const CACHE_WAY_BYTES = 4096;

/** What another thread needs to see the same table: structured-cloneable, the memory is shared and not copied. */
export interface PathTableHandle {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly capacity: number;
}

export class PathTable {
  /** Rows, and entries of each row that mean something. */
  readonly capacity: number;
  /** Entries from the start of one row to the start of the next. */
  readonly stride: number;
  /** Microseconds; UNREACHABLE where there is no path. */
  readonly distance: Uint32Array<SharedArrayBuffer>;
  /** Slot; NO_PREDECESSOR for the root and where there is no path. */
  readonly predecessor: Uint16Array<SharedArrayBuffer>;
  /** Links of the path; 0 for the root and where there is no path. */
  readonly hops: Uint16Array<SharedArrayBuffer>;
  readonly handle: PathTableHandle;

  /** Looks at a table that exists, or lays one over memory whose content is kept as it is; nothing is cleared. */
  constructor(handle: PathTableHandle) {
    const { buffer, byteOffset, capacity } = handle;
    if (!Number.isInteger(capacity) || capacity < 0 || capacity > MOST_TABLE_SLOTS) {
      throw new ThalwegError('invalid_argument', `capacity is ${capacity}: a path table has 0 to 65535 slots`, {
        fields: { capacity },
        nextStep: 'Compute rows one by one for a graph of this size',
      });
    }
    this.handle = handle;
    this.capacity = capacity;
    this.stride = strideOf(capacity);
    const entries = capacity * this.stride;
    this.distance = new Uint32Array(buffer, byteOffset, entries);
    this.predecessor = new Uint16Array(buffer, byteOffset + 4 * entries, entries);
    this.hops = new Uint16Array(buffer, byteOffset + 6 * entries, entries);
  }

  /** A table in memory of its own, in which nothing is reachable. Throws `invalid_argument` where it cannot exist. */
  static allocate(capacity: number): PathTable {
    const bytes = capacity <= MOST_TABLE_SLOTS ? PathTable.bytesFor(capacity) : 0;
    const table = new PathTable({ buffer: new SharedArrayBuffer(bytes), byteOffset: 0, capacity });
    for (let root = 0; root < capacity; root++) table.clearRow(root);
    return table;
  }

  /** Memory of a table with this capacity. */
  static bytesFor(capacity: number): number {
    return BYTES_PER_ENTRY * capacity * strideOf(capacity);
  }

  /** Makes everything unreachable in the row of `root`, `root` included: the row of a slot that is free. */
  clearRow(root: number): void {
    const from = root * this.stride;
    const to = from + this.stride;
    this.distance.fill(UNREACHABLE, from, to);
    this.predecessor.fill(NO_PREDECESSOR, from, to);
    this.hops.fill(0, from, to);
  }

  /** Microseconds between root and slot, UNREACHABLE where there is no path. */
  distanceOf(root: number, slot: number): number {
    return this.distance[root * this.stride + slot] ?? UNREACHABLE;
  }

  /** The slot before `slot` on the path from the root (its next hop, in a table of paths to the root), or -1. */
  predecessorOf(root: number, slot: number): number {
    const predecessor = this.predecessor[root * this.stride + slot] ?? NO_PREDECESSOR;
    return predecessor === NO_PREDECESSOR ? -1 : predecessor;
  }

  hopsOf(root: number, slot: number): number {
    return this.hops[root * this.stride + slot] ?? 0;
  }
}

function strideOf(capacity: number): number {
  const entries = Math.ceil(capacity / ALIGNMENT) * ALIGNMENT;
  return (entries * 4) % CACHE_WAY_BYTES === 0 && entries > 0 ? entries + ALIGNMENT : entries;
}
