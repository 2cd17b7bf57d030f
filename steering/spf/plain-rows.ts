/**
 * Rows of a path table by Dijkstra's algorithm with a binary heap: the plain version, for any graph. It is the oracle
 * of the fast kernels, and what runs where their bounds do not hold.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { ArcLists, GraphView } from '../graph/graph-view.ts';
import { NO_PREDECESSOR, type PathTable, UNREACHABLE } from './path-table.ts';

/** What the rows of a table are computed from. */
export interface RowRules {
  readonly graph: GraphView;
  /** `graph.out`: rows are paths from the root; `graph.into`: paths to it. */
  readonly arcs: ArcLists;
  /** Microseconds added for each transit node of a path, a whole number. */
  readonly transitHopUs: number;
}

/**
 * Hops of a key: distance * HOPS + hops orders paths by distance, then hops. A path has fewer links than there are
 * slots, and 2^32 * 2^16 is exact in a double.
 */
const HOPS = 0x1_0000;

/**
 * Scratch memory for rows of tables of this capacity. `fill` computes the row of one root in O(arcs log arcs), by the
 * tie rule of the table, and clears the rows of free slots. It throws `invalid_argument` when a path is 2^32 - 1
 * microseconds or longer; the row is of no use then, the others stay as they are.
 */
export class PlainRows {
  readonly #key: Float64Array;
  readonly #heap: KeyHeap;

  constructor(capacity: number) {
    this.#key = new Float64Array(capacity);
    this.#heap = new KeyHeap();
  }

  fill(rules: RowRules, root: number, table: PathTable): void {
    const { graph, transitHopUs } = rules;
    const { index, transit } = graph;
    const { start, length, neighbour, weight } = rules.arcs;
    const key = this.#key;
    const heap = this.#heap;
    const { predecessor } = table;
    const row = root * table.stride;
    table.clearRow(root);
    if ((index[root] ?? 0) === 0) return;
    key.fill(Number.POSITIVE_INFINITY);
    key[root] = 0;
    heap.push(0, root);
    while (heap.size > 0) {
      const at = heap.leastKey;
      const node = heap.pop();
      // a key that was improved after it was queued is in the queue twice
      if (at !== key[node] || (node !== root && transit[node] !== 1)) continue;
      const base = at + (node === root ? 0 : transitHopUs * HOPS) + 1;
      const to = (start[node] ?? 0) + (length[node] ?? 0);
      for (let k = start[node] ?? 0; k < to; k++) {
        const other = neighbour[k] ?? 0;
        const candidate = base + (weight[k] ?? 0) * HOPS;
        const known = key[other] ?? 0;
        if (candidate > known) continue;
        if (candidate < known) {
          key[other] = candidate;
          predecessor[row + other] = node;
          heap.push(candidate, other);
        } else if ((index[node] ?? 0) < (index[predecessor[row + other] ?? 0] ?? 0)) {
          predecessor[row + other] = node;
        }
      }
    }
    this.#store(root, table);
  }

  #store(root: number, table: PathTable): void {
    const row = root * table.stride;
    for (let slot = 0; slot < table.capacity; slot++) {
      const key = this.#key[slot] ?? 0;
      if (key === Number.POSITIVE_INFINITY) continue;
      const distance = Math.floor(key / HOPS);
      if (distance >= UNREACHABLE) throw tooLong(root, slot, distance);
      table.distance[row + slot] = distance;
      table.hops[row + slot] = key - distance * HOPS;
    }
    table.predecessor[row + root] = NO_PREDECESSOR;
  }
}

/** Fills the rows of all roots, one after the other. */
export function fillPlainly(rules: RowRules, table: PathTable): void {
  const rows = new PlainRows(table.capacity);
  for (let root = 0; root < table.capacity; root++) rows.fill(rules, root, table);
}

function tooLong(root: number, slot: number, distanceUs: number): ThalwegError {
  return new ThalwegError(
    'invalid_argument',
    `the path between slots ${root} and ${slot} is ${distanceUs} us long: a path table holds less than ${UNREACHABLE} us`,
    { fields: { root, slot, distanceUs }, nextStep: 'Lower the weights of the graph' },
  );
}

/** Binary heap of (key, slot), least key first. */
class KeyHeap {
  readonly #keys: number[] = [];
  readonly #slots: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get leastKey(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY;
  }

  push(key: number, slot: number): void {
    let at = this.#keys.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#keys[above] ?? 0;
      if (other <= key) break;
      this.#put(at, other, this.#slots[above] ?? 0);
      at = above;
    }
    this.#put(at, key, slot);
  }

  /** Removes the least and returns its slot. */
  pop(): number {
    const least = this.#slots[0] ?? -1;
    const key = this.#keys.pop() ?? 0;
    const slot = this.#slots.pop() ?? 0;
    const size = this.#keys.length;
    if (size === 0) return least;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && (this.#keys[below + 1] ?? 0) < (this.#keys[below] ?? 0)) below++;
      const other = this.#keys[below] ?? 0;
      if (other >= key) break;
      this.#put(at, other, this.#slots[below] ?? 0);
      at = below;
    }
    this.#put(at, key, slot);
    return least;
  }

  #put(at: number, key: number, slot: number): void {
    this.#keys[at] = key;
    this.#slots[at] = slot;
  }
}
