import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockTables } from '../../steering/aggregation/block-tables.ts';
import { NO_LABEL, Ortc } from '../../steering/aggregation/ortc.ts';
import { NO_HOME, PrefixTrie } from '../../steering/aggregation/prefix-trie.ts';

type Prefix = readonly [first: number, bits: number, value: number];

/** Value of the longest of the prefixes that hold the address. The slow obvious one. */
function longestMatch(prefixes: readonly Prefix[], address: number, none: number): number {
  let best: Prefix | undefined;
  for (const prefix of prefixes) {
    if (address < prefix[0] || address >= prefix[0] + 2 ** prefix[1]) continue;
    if (best === undefined || prefix[1] < best[1]) best = prefix;
  }
  return best?.[2] ?? none;
}

function entriesOf(trie: PrefixTrie, entries: Uint16Array): Prefix[] {
  const found: Prefix[] = [];
  for (let at = 0; at < trie.size; at++) {
    const label = entries[at] ?? NO_LABEL;
    if (label !== NO_LABEL) found.push([trie.first[at] ?? 0, trie.freeBits[at] ?? 0, label]);
  }
  return found;
}

/** Aligned prefixes, each at most once. */
const prefixesOf = (bits: number, homes: number, most: number) =>
  fc.uniqueArray(
    fc
      .tuple(fc.integer({ min: 0, max: bits }), fc.nat(2 ** bits - 1), fc.nat(homes - 1))
      .map(([free, at, home]): Prefix => [at - (at % 2 ** free), free, home]),
    { maxLength: most, selector: ([first, free]) => `${first}/${free}` },
  );

const labelsOf = (homes: number, labels: number) =>
  fc
    .array(fc.oneof({ weight: 6, arbitrary: fc.nat(labels - 1) }, { weight: 1, arbitrary: fc.constant(NO_LABEL) }), {
      minLength: homes,
      maxLength: homes,
    })
    .map((list) => Uint16Array.from(list));

/** Fewest entries of any table without drop rows that gives these labels, by trying everything. */
function fewest(wanted: readonly number[]): number {
  const memo = new Map<string, number>();
  const least = (from: number, size: number, inherited: number): number => {
    const key = `${from}/${size}/${inherited}`;
    const known = memo.get(key);
    if (known !== undefined) return known;
    const part = wanted.slice(from, from + size);
    let best = Number.POSITIVE_INFINITY;
    for (const here of new Set([inherited, ...part])) {
      // an entry that says "no label" does not exist
      if (here === NO_LABEL && inherited !== NO_LABEL) continue;
      const cost = here === inherited ? 0 : 1;
      const below =
        size === 1
          ? part[0] === here
            ? 0
            : Number.POSITIVE_INFINITY
          : least(from, size / 2, here) + least(from + size / 2, size / 2, here);
      best = Math.min(best, cost + below);
    }
    memo.set(key, best);
    return best;
  };
  return least(0, wanted.length, NO_LABEL);
}

function build(bits: number, prefixes: readonly Prefix[]): PrefixTrie {
  const trie = new PrefixTrie(bits);
  for (const [first, free, home] of prefixes) trie.insert(first, free, home);
  return trie;
}

describe('ORTC', { timeout: 60_000 }, () => {
  it('gives every address the label of its home by longest match', () => {
    fc.assert(
      fc.property(prefixesOf(8, 50, 40), labelsOf(50, 40), fc.integer({ min: 1, max: 40 }), (prefixes, raw, few) => {
        const labels = raw.map((label) => (label === NO_LABEL ? label : label % few));
        const trie = build(8, prefixes);
        const entries = new Uint16Array(trie.size);
        const count = new Ortc().aggregate(trie, labels, entries);
        const table = entriesOf(trie, entries);
        expect(table).toHaveLength(count);
        for (let address = 0; address < 256; address++) {
          const home = longestMatch(prefixes, address, NO_HOME);
          expect(longestMatch(table, address, NO_LABEL)).toBe(home === NO_HOME ? NO_LABEL : labels[home]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has the fewest entries that can do it', () => {
    fc.assert(
      fc.property(prefixesOf(4, 6, 12), labelsOf(6, 4), (prefixes, labels) => {
        const trie = build(4, prefixes);
        const count = new Ortc().aggregate(trie, labels, new Uint16Array(trie.size));
        const wanted = Array.from({ length: 16 }, (_, address) => {
          const home = longestMatch(prefixes, address, NO_HOME);
          return home === NO_HOME ? NO_LABEL : (labels[home] ?? NO_LABEL);
        });
        expect(count).toBe(fewest(wanted));
      }),
      { numRuns: 400 },
    );
  });
});

describe('BlockTables', { timeout: 60_000 }, () => {
  it('keeps every address right through patches, and says exactly what changed', () => {
    const change = fc.tuple(fc.nat(9), fc.oneof(fc.nat(3), fc.nat(3), fc.nat(3), fc.constant(NO_LABEL)));
    const blocks = fc.uniqueArray(fc.tuple(fc.nat(31), fc.nat(9)), { maxLength: 32, selector: ([at]) => at });
    fc.assert(
      fc.property(blocks, labelsOf(10, 4), fc.array(change, { maxLength: 30 }), (placed, labels, changes) => {
        const trie = new PrefixTrie(8);
        const nodes: number[][] = Array.from({ length: 10 }, () => []);
        for (const [at, home] of placed) nodes[home]?.push(trie.insert(at * 8, 3, home));
        const tables = new BlockTables({ trie, nodesOf: (home) => nodes[home] ?? [] });
        const told = new Map<string, Prefix>();
        const take = (first: number, bits: number, before: number, after: number) => {
          expect(told.get(`${first}/${bits}`)?.[2] ?? NO_LABEL).toBe(before);
          expect(after).not.toBe(before);
          if (after === NO_LABEL) told.delete(`${first}/${bits}`);
          else told.set(`${first}/${bits}`, [first, bits, after]);
        };
        const check = () => {
          const table = [...told.values()];
          expect(tables.size(0)).toBe(table.length);
          for (let address = 0; address < 256; address += 8) {
            const home = placed.find(([at]) => at === address / 8)?.[1];
            const wanted = home === undefined ? NO_LABEL : labels[home];
            expect(longestMatch(table, address + 3, NO_LABEL)).toBe(wanted);
          }
        };
        tables.aggregate(0, labels, take);
        check();
        for (const [home, label] of changes) {
          labels[home] = label;
          if (!tables.patch(0, home, label, take)) tables.aggregate(0, labels, take);
          check();
        }
        tables.aggregate(0, labels, take);
        check();
        const seen: Prefix[] = [];
        tables.forEach(0, (first, bits, label) => seen.push([first, bits, label]));
        expect(seen.map(([first, bits]) => `${first}/${bits}`).sort()).toEqual([...told.keys()].sort());
      }),
    );
  });

  it('changes one entry for each block of a home that gets another next hop', () => {
    const trie = new PrefixTrie(10);
    const nodes = Array.from({ length: 64 }, (_, home) => [trie.insert(home * 16, 4, home)]);
    const tables = new BlockTables({ trie, nodesOf: (home) => nodes[home] ?? [] });
    const labels = new Uint16Array(64).fill(3);
    tables.aggregate(0, labels, () => undefined);
    expect(tables.size(0)).toBe(1);
    let changed = 0;
    tables.patch(0, 40, 5, () => changed++);
    expect([changed, tables.size(0)]).toEqual([1, 2]);
    tables.patch(0, 40, 3, () => changed++);
    expect([changed, tables.size(0)]).toEqual([2, 1]);
  });
});
