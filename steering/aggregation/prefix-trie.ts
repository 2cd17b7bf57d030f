/**
 * The address space of node indices as a binary trie: which prefix belongs to which home. A prefix is an aligned block
 * of 2^bits indices; a longer prefix (fewer bits) inside a shorter one is an exception of it. Every inner node has both
 * children, so the trie's leaves partition the space; parents have smaller numbers than their children.
 *
 *           0/3 (bits = 3)                   own     home given to exactly this prefix
 *          /        \                        effective  the home that its addresses have: the nearest own, upwards
 *       0/2          4/2   own: home 7
 *                   /    \
 *                4/1      6/1   own: home 2   (an exception of 4/2)
 *
 * Homes are slots of transit nodes; NO_HOME marks space that nobody holds.
 */
import { ThalwegError } from '../../protocol/error.ts';
import { grownInt32, type SharedInt32, sharedInt32 } from '../graph/slot-array.ts';

export const NO_HOME = 0xffff;
const NONE = -1;

export class PrefixTrie {
  /** Bits of the whole space: addresses are 0 to 2^bits - 1. */
  readonly bits: number;
  /** By trie node: first child (the other is the next number), or -1 for a leaf; parent, or -1 for the root. */
  child: SharedInt32 = sharedInt32(64).fill(NONE);
  parent: SharedInt32 = sharedInt32(64).fill(NONE);
  /** First address of the node's prefix, and how many bits are free in it. */
  first = sharedInt32(64);
  freeBits = sharedInt32(64);
  #own: SharedInt32 = sharedInt32(64).fill(NO_HOME);
  #effective: SharedInt32 = sharedInt32(64).fill(NO_HOME);
  #stale = false;
  #size = 1;
  readonly #onSplit: ((leaf: number, children: number) => void) | undefined;

  /** `onSplit` is told of each leaf that becomes an inner node, and of the first of its two children. */
  constructor(bits: number, onSplit?: (leaf: number, children: number) => void) {
    if (!Number.isInteger(bits) || bits < 1 || bits > 30) {
      throw new ThalwegError('invalid_argument', `bits is ${bits}: a trie covers 1 to 30 bits`, {
        nextStep: 'Name the width of the node index',
      });
    }
    this.bits = bits;
    this.#onSplit = onSplit;
    this.freeBits[0] = bits;
  }

  /** Trie nodes: numbers below this are in use. */
  get size(): number {
    return this.#size;
  }

  /** Home of a trie leaf's addresses, NO_HOME where nobody holds them. Read-only, by trie node. */
  get effective(): Int32Array {
    if (this.#stale) this.#pushDown();
    return this.#effective;
  }

  /** Gives the aligned block of 2^bits addresses from `first` to `home`, and returns its trie node. */
  insert(first: number, bits: number, home: number): number {
    if (bits < 0 || bits > this.bits || first < 0 || first >= 2 ** this.bits || first % 2 ** bits !== 0) {
      throw new ThalwegError(
        'invalid_argument',
        `${first}/${bits} is no aligned block of a space of ${this.bits} bits`,
        {
          nextStep: 'Start the block at a multiple of its size',
        },
      );
    }
    let node = 0;
    while ((this.freeBits[node] ?? 0) > bits) {
      const left = this.#split(node);
      node = left + ((first >>> ((this.freeBits[node] ?? 0) - 1)) & 1);
    }
    this.#own[node] = home;
    this.#stale = true;
    return node;
  }

  /** The leaf that holds `address`. */
  leafOf(address: number): number {
    let node = 0;
    for (let left = this.child[0] ?? NONE; left !== NONE; left = this.child[node] ?? NONE) {
      node = left + ((address >>> ((this.freeBits[node] ?? 0) - 1)) & 1);
    }
    return node;
  }

  /** First of the two children, made when the node was a leaf. */
  #split(node: number): number {
    const known = this.child[node] ?? NONE;
    if (known !== NONE) return known;
    const left = this.#size;
    this.#size += 2;
    if (this.#size > this.child.length) this.#grow(this.#size * 2);
    const bits = (this.freeBits[node] ?? 0) - 1;
    for (const [side, at] of [left, left + 1].entries()) {
      this.parent[at] = node;
      this.freeBits[at] = bits;
      this.first[at] = (this.first[node] ?? 0) + side * 2 ** bits;
    }
    this.child[node] = left;
    this.#onSplit?.(node, left);
    return left;
  }

  #grow(capacity: number): void {
    const before = this.child.length;
    this.child = grownInt32(this.child, capacity).fill(NONE, before);
    this.parent = grownInt32(this.parent, capacity).fill(NONE, before);
    this.first = grownInt32(this.first, capacity);
    this.freeBits = grownInt32(this.freeBits, capacity);
    this.#own = grownInt32(this.#own, capacity).fill(NO_HOME, before);
    this.#effective = grownInt32(this.#effective, capacity).fill(NO_HOME, before);
  }

  #pushDown(): void {
    this.#stale = false;
    this.#effective[0] = this.#own[0] ?? NO_HOME;
    for (let node = 1; node < this.#size; node++) {
      const own = this.#own[node] ?? NO_HOME;
      this.#effective[node] = own === NO_HOME ? (this.#effective[this.parent[node] ?? 0] ?? NO_HOME) : own;
    }
  }
}
