/**
 * Optimal routing table constructor (Draves, King, Venkatachary, Zill, "Constructing optimal IP routing tables",
 * INFOCOM 1999): the fewest prefixes with which every address has the label it should have, by longest match.
 *
 *   up    the set of a leaf is its label; of an inner node the intersection of its children's sets, or, where that is
 *         empty, their union
 *   down  a node whose inherited label is in its set needs no entry; another takes a label of its set: the one that it
 *         had, or the least
 *
 * Space without a label (nobody's, or not to be reached) stays without a route: a table of ours has no "drop" rows, and
 * an entry over a hole would send what nobody holds round in circles. So the set of a node above a hole is empty,
 * nothing is installed there, and the parts beside the hole are aggregated each by itself. Among the tables without
 * such entries the result has the fewest.
 */
import { NO_HOME, type PrefixTrie } from './prefix-trie.ts';

/** No label, no entry. Labels are 0 to 65,534. */
export const NO_LABEL = 0xffff;

/** An aggregation with its own scratch memory. One call costs O(trie nodes * distinct labels / 32). */
export class Ortc {
  #sets = new Int32Array(0);
  #inherited = new Int32Array(0);
  #former = new Int32Array(0);
  readonly #idOf = new Int32Array(0x1_0000).fill(-1);
  readonly #labels: number[] = [];

  /**
   * Fills `entries`, by trie node, with the label installed for the node's prefix, or NO_LABEL. `labelOfHome` says what
   * each home's addresses should have. Returns the number of entries. Equal input gives equal entries. `before`: entries
   * that are in force; of several best tables one is taken that keeps their labels where it can, for a small difference.
   */
  aggregate(trie: PrefixTrie, labelOfHome: Uint16Array, entries: Uint16Array, before?: Uint16Array): number {
    const words = this.#nameLabels(labelOfHome);
    const cells = trie.size * words;
    if (this.#sets.length < cells) this.#sets = new Int32Array(cells * 2);
    if (this.#inherited.length < trie.size) {
      this.#inherited = new Int32Array(trie.size * 2);
      this.#former = new Int32Array(trie.size * 2);
    }
    if (words === 1) this.#gatherNarrow(trie, labelOfHome);
    else this.#gatherWide(trie, labelOfHome, words);
    return this.#install(trie, words, entries, before);
  }

  /** Numbers the distinct labels from 0 in ascending order; returns the words of a set of them. */
  #nameLabels(labelOfHome: Uint16Array): number {
    for (const label of this.#labels) this.#idOf[label] = -1;
    this.#labels.length = 0;
    for (const label of labelOfHome) {
      if (label === NO_LABEL || this.#idOf[label] === 0) continue;
      this.#idOf[label] = 0;
      this.#labels.push(label);
    }
    this.#labels.sort((a, b) => a - b);
    for (const [id, label] of this.#labels.entries()) this.#idOf[label] = id;
    return Math.max(1, Math.ceil(this.#labels.length / 32));
  }

  #idOfLeaf(effective: Int32Array, labelOfHome: Uint16Array, node: number): number {
    const home = effective[node] ?? NO_HOME;
    const label = home === NO_HOME ? NO_LABEL : (labelOfHome[home] ?? NO_LABEL);
    return label === NO_LABEL ? -1 : (this.#idOf[label] ?? -1);
  }

  #gatherNarrow(trie: PrefixTrie, labelOfHome: Uint16Array): void {
    const sets = this.#sets;
    const { child, effective } = trie;
    for (let node = trie.size - 1; node >= 0; node--) {
      const left = child[node] ?? -1;
      if (left < 0) {
        const id = this.#idOfLeaf(effective, labelOfHome, node);
        sets[node] = id < 0 ? 0 : 1 << id;
        continue;
      }
      const a = sets[left] ?? 0;
      const b = sets[left + 1] ?? 0;
      const both = a & b;
      sets[node] = a === 0 || b === 0 ? 0 : both === 0 ? a | b : both;
    }
  }

  #gatherWide(trie: PrefixTrie, labelOfHome: Uint16Array, words: number): void {
    const sets = this.#sets;
    const { child, effective } = trie;
    for (let node = trie.size - 1; node >= 0; node--) {
      const at = node * words;
      const left = child[node] ?? -1;
      if (left < 0) {
        sets.fill(0, at, at + words);
        const id = this.#idOfLeaf(effective, labelOfHome, node);
        if (id >= 0) sets[at + (id >>> 5)] = 1 << (id & 31);
        continue;
      }
      let [a, b, both] = [0, 0, 0];
      for (let w = 0; w < words; w++) {
        const x = sets[left * words + w] ?? 0;
        const y = sets[(left + 1) * words + w] ?? 0;
        a |= x;
        b |= y;
        both |= x & y;
      }
      for (let w = 0; w < words; w++) {
        const x = sets[left * words + w] ?? 0;
        const y = sets[(left + 1) * words + w] ?? 0;
        sets[at + w] = a === 0 || b === 0 ? 0 : both === 0 ? x | y : x & y;
      }
    }
  }

  #install(trie: PrefixTrie, words: number, entries: Uint16Array, before: Uint16Array | undefined): number {
    const sets = this.#sets;
    const inherited = this.#inherited;
    const former = this.#former;
    const { parent } = trie;
    let count = 0;
    for (let node = 0; node < trie.size; node++) {
      const above = node === 0 ? -1 : (inherited[parent[node] ?? 0] ?? -1);
      const at = node * words;
      let known = -1;
      if (before !== undefined) {
        const label = before[node] ?? NO_LABEL;
        known = label !== NO_LABEL ? (this.#idOf[label] ?? -1) : node === 0 ? -1 : (former[parent[node] ?? 0] ?? -1);
        former[node] = known;
      }
      if (isIn(sets, at, above)) {
        inherited[node] = above;
        entries[node] = NO_LABEL;
        continue;
      }
      const chosen = isIn(sets, at, known) ? known : leastOf(sets, at, words);
      inherited[node] = chosen;
      entries[node] = chosen < 0 ? NO_LABEL : (this.#labels[chosen] ?? NO_LABEL);
      if (chosen >= 0) count++;
    }
    return count;
  }
}

function isIn(sets: Int32Array, at: number, id: number): boolean {
  return id >= 0 && ((sets[at + (id >>> 5)] ?? 0) & (1 << (id & 31))) !== 0;
}

/** Least member of the set at `at`, or -1. */
function leastOf(sets: Int32Array, at: number, words: number): number {
  for (let w = 0; w < words; w++) {
    const set = sets[at + w] ?? 0;
    if (set !== 0) return w * 32 + 31 - Math.clz32(set & -set);
  }
  return -1;
}
