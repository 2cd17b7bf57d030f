/**
 * Entries (root, vertex) of the path table that changed, gathered in any order and read by vertex: a vertex is a node
 * whose table changes, its roots are the destinations. Typed arrays, used again for each batch.
 */
import { grownInt32, sharedInt32 } from '../graph/slot-array.ts';

const NONE = -1;

export class EntryList {
  #root = sharedInt32(1_024);
  /** The entry gathered before for the same vertex. */
  #next = sharedInt32(1_024);
  readonly #last: Int32Array;
  readonly #vertices: number[] = [];
  #size = 0;

  /** For slots below `capacity`. */
  constructor(capacity: number) {
    this.#last = new Int32Array(capacity).fill(NONE);
  }

  /** Entries gathered. */
  get size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#last.length;
  }

  add(root: number, vertex: number): void {
    if (this.#size === this.#root.length) {
      this.#root = grownInt32(this.#root, this.#size * 2);
      this.#next = grownInt32(this.#next, this.#size * 2);
    }
    const last = this.#last[vertex] ?? NONE;
    if (last === NONE) this.#vertices.push(vertex);
    this.#root[this.#size] = root;
    this.#next[this.#size] = last;
    this.#last[vertex] = this.#size++;
  }

  clear(): void {
    for (const vertex of this.#vertices) this.#last[vertex] = NONE;
    this.#vertices.length = 0;
    this.#size = 0;
  }

  /** Each vertex once, in ascending order. */
  forEachVertex(take: (vertex: number) => void): void {
    this.#vertices.sort((a, b) => a - b);
    for (const vertex of this.#vertices) take(vertex);
  }

  forEachRoot(vertex: number, take: (root: number) => void): void {
    for (let at = this.#last[vertex] ?? NONE; at !== NONE; at = this.#next[at] ?? NONE) take(this.#root[at] ?? 0);
  }
}
