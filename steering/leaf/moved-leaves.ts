/**
 * The leaves that hang elsewhere than where their address block is, as linked lists in typed arrays: by the home they
 * came from (owner of the block) and by the home they have. 16 bytes a leaf, more for one that moved; O(1) to file and to take out.
 */
import { NO_HOME } from '../aggregation/prefix-trie.ts';

const NOBODY = -1;

export class MovedLeaves {
  readonly #from: LeafLists;
  readonly #into: LeafLists;
  readonly #leaves = new Set<number>();

  /** Room for leaves with node indices below `capacity`. */
  constructor(capacity: number) {
    this.#from = new LeafLists(capacity);
    this.#into = new LeafLists(capacity);
  }

  get count(): number {
    return this.#leaves.size;
  }

  /** Files a leaf that has moved; a leaf that is filed already changes lists. */
  put(leaf: number, origin: number, home: number): void {
    this.delete(leaf);
    this.#from.put(leaf, origin);
    this.#into.put(leaf, home);
    this.#leaves.add(leaf);
  }

  delete(leaf: number): void {
    if (!this.#into.delete(leaf)) return;
    this.#from.delete(leaf);
    this.#leaves.delete(leaf);
  }

  has(leaf: number): boolean {
    return this.#into.has(leaf);
  }

  forEach(take: (leaf: number) => void): void {
    for (const leaf of this.#leaves) take(leaf);
  }

  /** Calls with each leaf that moved away from the home's blocks, or to the home. */
  forEachTouching(home: number, take: (leaf: number) => void): void {
    this.#from.forEach(home, take);
    this.#into.forEach(home, take);
  }
}

class LeafLists {
  readonly #head = new Int32Array(NO_HOME + 1).fill(NOBODY);
  readonly #next: Int32Array;
  /** The leaf before; -2 - list for the first of a list; NOBODY when not filed. */
  readonly #before: Int32Array;

  constructor(capacity: number) {
    this.#next = new Int32Array(capacity).fill(NOBODY);
    this.#before = new Int32Array(capacity).fill(NOBODY);
  }

  has(leaf: number): boolean {
    return this.#before[leaf] !== NOBODY;
  }

  put(leaf: number, list: number): void {
    const head = this.#head[list] ?? NOBODY;
    this.#next[leaf] = head;
    this.#before[leaf] = -2 - list;
    if (head !== NOBODY) this.#before[head] = leaf;
    this.#head[list] = leaf;
  }

  delete(leaf: number): boolean {
    const before = this.#before[leaf] ?? NOBODY;
    if (before === NOBODY) return false;
    const next = this.#next[leaf] ?? NOBODY;
    if (before >= 0) this.#next[before] = next;
    else this.#head[-2 - before] = next;
    if (next !== NOBODY) this.#before[next] = before;
    this.#before[leaf] = NOBODY;
    return true;
  }

  forEach(list: number, take: (leaf: number) => void): void {
    for (let leaf = this.#head[list] ?? NOBODY; leaf !== NOBODY; leaf = this.#next[leaf] ?? NOBODY) take(leaf);
  }
}
