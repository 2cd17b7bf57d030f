import { describe, expect, it } from 'vitest';
import { NO_HOME } from '../../../steering/aggregation/prefix-trie.ts';
import { DEFAULT_HOME_BLOCKS_OPTIONS, HomeBlocks, homeBlocksFor } from '../../../steering/registry/home-blocks.ts';

describe('home blocks', () => {
  it('give a leaf an index in a block of its home, never one twice, never the first or the last of the space', () => {
    const blocks = new HomeBlocks({ bits: 10, firstBits: 5 });
    for (const home of [0, 1, 2]) blocks.addHome(home, 0);
    const taken = new Set<number>();
    for (let i = 0; i < 1_022; i++) {
      const home = i % 3;
      const index = blocks.takeIndex(home);
      expect(index).toBeDefined();
      if (i < 300) expect(blocks.ownerOf(index ?? 0)).toBe(home);
      taken.add(index ?? 0);
    }
    expect(taken.size).toBe(1_022);
    expect(taken.has(0) || taken.has(1_023)).toBe(false);
    expect(blocks.takeIndex(0)).toBeUndefined();
  });

  it('lie beside each other when their homes are near, and hold their territory', () => {
    const blocks = new HomeBlocks({ bits: 12, firstBits: 5 });
    blocks.addHome(0, 0);
    blocks.addHome(1, 4_095);
    const far = blocks.takeIndex(1) ?? 0;
    blocks.addHome(2, far);
    expect(Math.abs((blocks.takeIndex(2) ?? 0) - far)).toBeLessThan(128);
    expect(blocks.ownerOf(40)).toBe(0);
    expect(blocks.isTaken(40)).toBe(false);
    expect(blocks.ownerOf(2_000)).toBe(NO_HOME);
  });

  it('grow by small blocks, also into what others do not use, and know whose each trie leaf is', () => {
    const blocks = new HomeBlocks({ bits: 8, firstBits: 4 });
    for (let home = 0; home < 8; home++) blocks.addHome(home, 0);
    for (let i = 0; i < 60; i++) blocks.takeIndex(3);
    expect(blocks.countOf(3)).toBeGreaterThanOrEqual(4);
    const owners = new Map<number, number>();
    for (let home = 0; home < 8; home++) for (const node of blocks.nodesOf(home)) owners.set(node, home);
    for (let index = 0; index < 256; index++) {
      expect(owners.get(blocks.trie.leafOf(index))).toBe(blocks.ownerOf(index));
      expect(blocks.trie.effective[blocks.trie.leafOf(index)]).toBe(blocks.ownerOf(index));
    }
  });

  it('give out a released index again, and name the block it is in', () => {
    const blocks = new HomeBlocks({ bits: 8, firstBits: 4 });
    blocks.addHome(0, 0);
    const indices = Array.from({ length: 15 }, () => blocks.takeIndex(0) ?? 0);
    blocks.release(indices[4] ?? 0);
    expect(blocks.takeIndex(0)).toBe(indices[4]);
    expect(blocks.blockOf(7)).toEqual({ first: 0, bits: 4 });
  });

  it('serve a node without a home from whoever has room', () => {
    const blocks = new HomeBlocks({ bits: 8, firstBits: 4 });
    expect(blocks.takeIndex(NO_HOME)).toBeUndefined();
    blocks.addHome(0, 0);
    expect(blocks.takeIndex(NO_HOME)).toBe(1);
  });

  it.each([2, 2_000, 5_000, 8_000])('give each of %i homes a block of its own', (homes) => {
    const blocks = new HomeBlocks(homeBlocksFor(homes));
    for (let home = 0; home < homes; home++) {
      blocks.addHome(home, 0);
      expect(blocks.ownerOf(blocks.takeIndex(home) ?? 0)).toBe(home);
    }
    if (homes <= 2_000) expect(homeBlocksFor(homes)).toEqual(DEFAULT_HOME_BLOCKS_OPTIONS);
  });
});
