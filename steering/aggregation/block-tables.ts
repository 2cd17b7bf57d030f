/**
 * The aggregated part of every transit node's table: which label the node holds for which prefix of the home blocks.
 * First computed by ORTC, then patched: another label of one home changes the entries of that home's blocks alone
 * (found in O(prefix length), exact, not always optimal); after `driftShare` of patches the node is aggregated anew and
 * the difference goes out.
 *
 * Memory: two bytes for each node of the trie of blocks and each transit node (2,000 of both: about 30 MB), whatever the
 * number of leaves.
 */
import { NO_LABEL, Ortc } from './ortc.ts';
import type { PrefixTrie } from './prefix-trie.ts';

/** Takes one changed entry: the block of 2^bits addresses from `first` had `before` and has `after` (NO_LABEL: none). */
export type EntryChange = (first: number, bits: number, before: number, after: number) => void;

/** The prefixes of the homes, and where each home's are in the trie. */
export interface BlockMap {
  readonly trie: PrefixTrie;
  /** Trie leaves whose addresses are those of `home`. */
  nodesOf(home: number): Iterable<number>;
}

/** Patches before a table is aggregated anew, as a share of its entries: 1/8 keeps it within about that of the optimum. */
const DRIFT_SHARE = 1 / 8;
/** Fewer patches than this never make it worth the work. */
const LEAST_DRIFT = 64;

export class BlockTables {
  readonly #map: BlockMap;
  readonly #ortc = new Ortc();
  readonly #entries: (Uint16Array | undefined)[] = [];
  readonly #counts: number[] = [];
  readonly #drift: number[] = [];
  #fresh = new Uint16Array(0);

  constructor(map: BlockMap) {
    this.#map = map;
  }

  /** Entries of the node's aggregated table. */
  size(node: number): number {
    return this.#counts[node] ?? 0;
  }

  /** Forgets the node's table: what is computed next is reported against nothing. */
  clear(node: number): void {
    this.#entries[node] = undefined;
    this.#counts[node] = 0;
    this.#drift[node] = 0;
  }

  /** Every entry of the node, shorter prefixes first. */
  forEach(node: number, take: (first: number, bits: number, label: number) => void): void {
    const entries = this.#entries[node] ?? new Uint16Array(0);
    const { first, freeBits } = this.#map.trie;
    for (let at = 0; at < entries.length; at++) {
      const label = entries[at] ?? NO_LABEL;
      if (label !== NO_LABEL) take(first[at] ?? 0, freeBits[at] ?? 0, label);
    }
  }

  /** True when so much changed since the node was last aggregated, with `more` to come, that it should be done anew. */
  isWorn(node: number, more: number): boolean {
    return (this.#drift[node] ?? 0) + more > Math.max(LEAST_DRIFT, DRIFT_SHARE * (this.#counts[node] ?? 0));
  }

  /** Aggregates the node anew with the best entries for these labels, and reports what is not as before. */
  aggregate(node: number, labelOfHome: Uint16Array, take: EntryChange): void {
    const { trie } = this.#map;
    const entries = this.#room(node);
    if (this.#fresh.length < trie.size) this.#fresh = new Uint16Array(entries.length);
    this.#counts[node] = this.#ortc.aggregate(trie, labelOfHome, this.#fresh, entries);
    this.#drift[node] = 0;
    for (let at = 0; at < trie.size; at++) {
      const before = entries[at] ?? NO_LABEL;
      const after = this.#fresh[at] ?? NO_LABEL;
      if (before === after) continue;
      entries[at] = after;
      take(trie.first[at] ?? 0, trie.freeBits[at] ?? 0, before, after);
    }
  }

  /**
   * Gives the blocks of one home another label. False, and nothing is changed, when patches cannot say it (a block that
   * others cover becomes unreachable): then aggregate.
   */
  patch(node: number, home: number, label: number, take: EntryChange): boolean {
    const { trie } = this.#map;
    const entries = this.#room(node);
    if (label === NO_LABEL) {
      for (const at of this.#map.nodesOf(home)) if (this.#inherited(entries, at) !== NO_LABEL) return false;
    }
    for (const at of this.#map.nodesOf(home)) {
      const before = entries[at] ?? NO_LABEL;
      const after = this.#inherited(entries, at) === label ? NO_LABEL : label;
      if (before === after) continue;
      entries[at] = after;
      this.#counts[node] = (this.#counts[node] ?? 0) + (after === NO_LABEL ? 0 : 1) - (before === NO_LABEL ? 0 : 1);
      take(trie.first[at] ?? 0, trie.freeBits[at] ?? 0, before, after);
    }
    this.#drift[node] = (this.#drift[node] ?? 0) + 1;
    return true;
  }

  #inherited(entries: Uint16Array, at: number): number {
    const { parent } = this.#map.trie;
    for (let above = parent[at] ?? -1; above >= 0; above = parent[above] ?? -1) {
      const label = entries[above] ?? NO_LABEL;
      if (label !== NO_LABEL) return label;
    }
    return NO_LABEL;
  }

  /** The node's entries with room for the whole trie. */
  #room(node: number): Uint16Array {
    const known = this.#entries[node];
    const { size } = this.#map.trie;
    if (known !== undefined && known.length >= size) return known;
    const entries = new Uint16Array(Math.ceil(size * 1.25)).fill(NO_LABEL);
    if (known !== undefined) entries.set(known);
    this.#entries[node] = entries;
    return entries;
  }
}
