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
  #last = new Int32Array(0);
  readonly #vertices: number[] = [];
  readonly #roots: number[] = [];
  #size = 0;

  /** Entries gathered since the list was last empty; 0 when it is. */
  get size(): number {
    return this.#size;
  }

  /** Makes room for vertices below `capacity`; what is there stays. */
  makeRoom(capacity: number): void {
    if (capacity <= this.#last.length) return;
    const last = new Int32Array(capacity).fill(NONE);
    last.set(this.#last);
    this.#last = last;
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

  /**
   * Hands over vertices in ascending order, each once with its roots, until at least `most` entries are read; the rest
   * stays for the next call.
   */
  drain(most: number, take: (vertex: number, roots: readonly number[]) => void): void {
    this.#vertices.sort((a, b) => a - b);
    let read = 0;
    let taken = 0;
    while (taken < this.#vertices.length && read < most) {
      const vertex = this.#vertices[taken++] ?? 0;
      this.#roots.length = 0;
      for (let at = this.#last[vertex] ?? NONE; at !== NONE; at = this.#next[at] ?? NONE) {
        this.#roots.push(this.#root[at] ?? 0);
      }
      read += this.#roots.length;
      this.#last[vertex] = NONE;
      take(vertex, this.#roots);
    }
    this.#vertices.splice(0, taken);
    if (this.#vertices.length === 0) this.#size = 0;
  }
}
