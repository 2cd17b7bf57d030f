/**
 * Node indices in blocks by home: each transit node holds aligned blocks of the index space, and a leaf gets its index,
 * and so its addresses, inside a block of its first home. Tables elsewhere then name the block and not the leaf; a leaf
 * that moves keeps its index and becomes an exception, a longer prefix (RFC 4632's aggregation, inside one mesh).
 *
 *   a home has a territory, twice its first block; it grows by an eighth of what it holds into the nearest free space,
 *   its own territory first, then what others have not grown into. What nobody holds inside a territory belongs to its
 *   home as well: the space has no holes, so that tables can name several homes by one prefix. Neighbours lie beside
 *   each other: seen from afar they share a next hop.
 *
 * Blocks never shrink or change hands: addresses outlive the reasons for which they were given. Pure bookkeeping.
 */
import { ThalwegError } from '../../protocol/error.ts';
import { NO_HOME, PrefixTrie } from '../aggregation/prefix-trie.ts';

/** Least block: 16 indices. Smaller ones would cost an entry for a handful of leaves. */
const CHUNK_BITS = 4;

export interface HomeBlocksOptions {
  /** Width of the index space. */
  readonly bits: number;
  /** First block of a home; half of what it may expect if all homes are alike. */
  readonly firstBits: number;
}

/** For about 2,000 homes of 500 leaves in the ranges of the address plan. */
export const DEFAULT_HOME_BLOCKS_OPTIONS: HomeBlocksOptions = { bits: 20, firstBits: 8 };

/** The address plan's ranges for so many homes: where the territories of the default are too large for all, smaller ones. */
export function homeBlocksFor(homes: number): HomeBlocksOptions {
  const { bits, firstBits } = DEFAULT_HOME_BLOCKS_OPTIONS;
  const territoryBits = bits - Math.ceil(Math.log2(Math.max(2, homes)));
  return { bits, firstBits: Math.min(firstBits, Math.max(CHUNK_BITS, territoryBits - 1)) };
}

interface Block {
  readonly first: number;
  free: number;
}

export class HomeBlocks {
  /** The blocks as prefixes, by home. Read-only for others. */
  readonly trie: PrefixTrie;
  readonly #options: HomeBlocksOptions;
  /** One bit for each index that is taken. */
  readonly #taken: Uint32Array;
  readonly #ownerOfChunk: Uint16Array;
  readonly #bitsOfChunk: Uint8Array;
  /** Heap-ordered over the chunks: one more than the largest free order below, 0 where nothing is free. */
  readonly #largest: Uint8Array;
  readonly #blocks: Block[][] = [];
  /** Trie leaves of each home, and the home of each trie leaf. */
  readonly #leaves: Set<number>[] = [];
  readonly #homeOfLeaf: number[] = [];
  readonly #held: number[] = [];

  #claimed = 0;

  constructor(options: HomeBlocksOptions = DEFAULT_HOME_BLOCKS_OPTIONS) {
    const { bits, firstBits } = options;
    if (!(firstBits >= CHUNK_BITS && firstBits < bits && bits <= 24)) {
      throw new ThalwegError(
        'invalid_argument',
        `firstBits ${firstBits} of ${bits} bits is not 4 to below bits, at most 24`,
        {
          nextStep: 'Choose the width of the index space and half of an even share of it',
        },
      );
    }
    this.#options = options;
    this.trie = new PrefixTrie(bits, (leaf, children) => {
      const home = this.#homeOfLeaf[leaf] ?? NO_HOME;
      this.#give(leaf, NO_HOME);
      this.#give(children, home);
      this.#give(children + 1, home);
    });
    const chunks = 2 ** (bits - CHUNK_BITS);
    this.#taken = new Uint32Array(Math.max(1, 2 ** bits / 32));
    this.#ownerOfChunk = new Uint16Array(chunks).fill(NO_HOME);
    this.#bitsOfChunk = new Uint8Array(chunks);
    this.#largest = new Uint8Array(2 * chunks);
    const levels = bits - CHUNK_BITS;
    for (let node = 1; node < 2 * chunks; node++) this.#largest[node] = levels + 1 - (31 - Math.clz32(node));
    // the first and the last address of a range are nobody's (AddressRanges)
    this.#take(0);
    this.#take(2 ** bits - 1);
  }

  /** Gives a new home its first block. `near`: an index close to which to look, as of the closest home. */
  addHome(home: number, near: number): void {
    if (this.#blocks[home] !== undefined) return;
    this.#blocks[home] = [];
    this.#leaves[home] = new Set();
    this.#held[home] = 0;
    const { firstBits } = this.#options;
    const territory = this.#findFree(firstBits + 1, near);
    if (territory >= 0) this.#own(home, territory, firstBits + 1);
    this.#claim(home, firstBits, territory < 0 ? near : territory);
  }

  /**
   * A free index, held from now on: inside the home's blocks, or, when no block can be had or the home has none (it is
   * NO_HOME), in those of the home with the most room. Undefined: every index is held, or there is no home.
   */
  takeIndex(home: number): number | undefined {
    const own = this.#takeFrom(home);
    if (own !== undefined) return own;
    const held = this.#held[home] ?? 0;
    const near = this.#blocks[home]?.[0]?.first ?? 0;
    const wanted = Math.max(CHUNK_BITS, 31 - Math.clz32(Math.max(1, held >>> 3)));
    if (this.#blocks[home] !== undefined && this.#claim(home, wanted, near)) return this.#takeFrom(home);
    const roomiest = this.#roomiest();
    if (roomiest !== undefined) return this.#takeFrom(roomiest);
    for (const other of this.#blocks.keys()) {
      if (this.#blocks[other] !== undefined && this.#claim(other, CHUNK_BITS, 0)) return this.#takeFrom(other);
    }
    return undefined;
  }

  /** The index may be given out again: after its quarantine (registry/index-allocator.ts says why). */
  release(index: number): void {
    if (!this.isTaken(index)) return;
    this.#taken[index >>> 5] = (this.#taken[index >>> 5] ?? 0) & ~(1 << (index & 31));
    const home = this.ownerOf(index);
    const first = this.blockOf(index).first;
    const block = this.#blocks[home]?.find((candidate) => candidate.first === first);
    if (block === undefined) return;
    block.free++;
    this.#held[home] = (this.#held[home] ?? 0) - 1;
  }

  isTaken(index: number): boolean {
    return (((this.#taken[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;
  }

  /** The home whose block the index is in, or NO_HOME. */
  ownerOf(index: number): number {
    return this.#ownerOfChunk[index >>> CHUNK_BITS] ?? NO_HOME;
  }

  /** The block that an owned index is in. */
  blockOf(index: number): { readonly first: number; readonly bits: number } {
    const bits = this.#bitsOfChunk[index >>> CHUNK_BITS] ?? 0;
    return { first: index - (index % 2 ** bits), bits };
  }

  /** Trie leaves whose addresses are the home's, in the order in which it got them. */
  nodesOf(home: number): Iterable<number> {
    return this.#leaves[home] ?? [];
  }

  /** Blocks that the home holds. */
  countOf(home: number): number {
    return this.#blocks[home]?.length ?? 0;
  }

  /** Blocks that were claimed so far, by all homes. */
  get claimed(): number {
    return this.#claimed;
  }

  #roomiest(): number | undefined {
    let roomiest: number | undefined;
    let most = 0;
    for (const [home, blocks] of this.#blocks.entries()) {
      const free = (blocks ?? []).reduce((sum, block) => sum + block.free, 0);
      if (free > most) [roomiest, most] = [home, free];
    }
    return roomiest;
  }

  #take(index: number): void {
    this.#taken[index >>> 5] = (this.#taken[index >>> 5] ?? 0) | (1 << (index & 31));
  }

  #takeFrom(home: number): number | undefined {
    const block = this.#blocks[home]?.find((candidate) => candidate.free > 0);
    if (block === undefined) return undefined;
    let index = block.first;
    while (this.isTaken(index)) index++;
    this.#take(index);
    block.free--;
    this.#held[home] = (this.#held[home] ?? 0) + 1;
    return index;
  }

  /** Takes a free block of at most 2^bits, the largest there is, as near as can be. False: the space is full. */
  #claim(home: number, bits: number, near: number): boolean {
    const order = Math.min(bits - CHUNK_BITS, (this.#largest[1] ?? 0) - 1);
    if (order < 0) return false;
    const first = this.#findFree(order + CHUNK_BITS, near);
    this.#claimed++;
    this.#mark(first, order, 0);
    this.#own(home, first, order + CHUNK_BITS);
    let free = 2 ** (order + CHUNK_BITS);
    for (let index = first; index < first + 2 ** (order + CHUNK_BITS); index++) if (this.isTaken(index)) free--;
    this.#blocks[home]?.push({ first, free });
    return true;
  }

  /** Makes all addresses of a block the home's. */
  #own(home: number, first: number, bits: number): void {
    const chunk = first >>> CHUNK_BITS;
    const was = this.#ownerOfChunk[chunk];
    this.#ownerOfChunk.fill(home, chunk, chunk + 2 ** (bits - CHUNK_BITS));
    this.#bitsOfChunk.fill(bits, chunk, chunk + 2 ** (bits - CHUNK_BITS));
    if (was !== home) this.#give(this.trie.insert(first, bits, home), home);
  }

  #give(leaf: number, home: number): void {
    const before = this.#homeOfLeaf[leaf] ?? NO_HOME;
    this.#leaves[before]?.delete(leaf);
    this.#leaves[home]?.add(leaf);
    this.#homeOfLeaf[leaf] = home;
  }

  /** First index of a free block of 2^bits, near an index; -1: there is none. */
  #findFree(bits: number, near: number): number {
    const order = bits - CHUNK_BITS;
    if ((this.#largest[1] ?? 0) <= order) return -1;
    let node = 1;
    let first = 0;
    for (let level = this.#options.bits - CHUNK_BITS; level > order; level--) {
      const middle = first + 2 ** (level - 1 + CHUNK_BITS);
      let side = near < middle ? 0 : 1;
      if ((this.#largest[2 * node + side] ?? 0) <= order) side = 1 - side;
      node = 2 * node + side;
      if (side === 1) first = middle;
    }
    return first;
  }

  /** Writes what is free at a block, and upwards. */
  #mark(first: number, order: number, free: number): void {
    const levels = this.#options.bits - CHUNK_BITS;
    let node = 2 ** (levels - order) + (first >>> (order + CHUNK_BITS));
    this.#largest[node] = free;
    for (node >>>= 1; node >= 1; node >>>= 1) {
      this.#largest[node] = Math.max(this.#largest[2 * node] ?? 0, this.#largest[2 * node + 1] ?? 0);
    }
  }
}
