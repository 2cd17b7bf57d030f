/**
 * Which rows and entries of a path table an update changed: what the RIB has to look at. Bounded: when more entries
 * changed than it has room for, `isComplete` is false, and `roots` still names every row.
 */

/** Entries. The tables of a fleet are rebuilt row by row when more change; 8 bytes each. */
const MOST_ENTRIES = 1 << 20;

export class TableChanges {
  /** Rows in which a distance or a predecessor changed, each once, in no particular order. */
  readonly roots: number[] = [];
  /** Entries whose predecessor changed: `root[i]`, `slot[i]` for i below `count`. None twice within one repair of a row. */
  root: Int32Array;
  slot: Int32Array;
  count = 0;
  /** Every entry whose predecessor changed is in the list. */
  isComplete = true;
  /** Entries whose distance, hops or predecessor changed. */
  entries = 0;
  readonly #limit: number;
  readonly #seen: Uint8Array;

  constructor(capacity: number, limit = MOST_ENTRIES) {
    this.#limit = limit;
    this.#seen = new Uint8Array(capacity);
    this.root = new Int32Array(Math.min(limit, 1024));
    this.slot = new Int32Array(this.root.length);
  }

  clear(): void {
    for (const root of this.roots) this.#seen[root] = 0;
    this.roots.length = 0;
    this.count = 0;
    this.entries = 0;
    this.isComplete = true;
  }

  /** The row changed somewhere. */
  addRow(root: number): void {
    if (this.#seen[root] === 1) return;
    this.#seen[root] = 1;
    this.roots.push(root);
  }

  /** The predecessor of an entry changed. */
  addEntry(root: number, slot: number): void {
    if (this.count === this.root.length) {
      if (this.count === this.#limit) {
        this.isComplete = false;
        return;
      }
      this.root = longer(this.root, this.#limit);
      this.slot = longer(this.slot, this.#limit);
    }
    this.root[this.count] = root;
    this.slot[this.count++] = slot;
  }

  /** Everything may have changed. */
  addAll(capacity: number): void {
    for (let root = 0; root < capacity; root++) this.addRow(root);
    this.count = 0;
    this.isComplete = false;
  }
}

function longer(array: Int32Array, limit: number): Int32Array {
  const copy = new Int32Array(Math.min(limit, array.length * 2));
  copy.set(array);
  return copy;
}
