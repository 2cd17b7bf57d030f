import { describe, expect, it } from 'vitest';
import { FirstWord } from '../../../agent/first-word.ts';
import type { MeshPeer } from '../../../agent/mesh-peer.ts';
import type { NodeIndex, PublicKey } from '../../../protocol/identifier.ts';

describe('FirstWord', () => {
  const key = 'k'.repeat(43) as PublicKey;
  const peer = (index: number): MeshPeer[] => [
    { index: index as NodeIndex, name: 'b', publicKey: key, endpoints: [], stampPort: 862, leaf: false, transit: true },
  ];
  const ages = (ageMs: number | null) => new Map([[key, ageMs]]);

  it.each([
    ['the lower index', 2, 1500],
    ['the higher index', 1, 8000],
  ])('%s speaks in its turn, and keeps the word', (_, peerIndex, waitMs) => {
    const word = new FirstWord(peerIndex === 2 ? 1 : 2);
    expect(word.step(peer(peerIndex), ages(null), 1000)).toBe(false);
    expect(word.maySpeak(key)).toBe(false);
    expect(word.waitMs(1400)).toBe(waitMs - 400);
    expect(word.step(peer(peerIndex), ages(null), 1000 + waitMs - 1)).toBe(false);
    expect(word.step(peer(peerIndex), ages(null), 1000 + waitMs)).toBe(true);
    expect(word.maySpeak(key)).toBe(true);
    expect(word.step(peer(peerIndex), ages(null), 1001 + waitMs)).toBe(false);
    expect(word.waitMs(1001 + waitMs)).toBeNull();
  });

  it('keeps a new peer out of the device of the lower index alone, until that one may speak', () => {
    const lower = new FirstWord(1);
    const higher = new FirstWord(2);
    lower.step(peer(2), ages(null), 0);
    higher.step(peer(1), ages(null), 0);
    expect([lower.mayListen(key), higher.mayListen(key)]).toEqual([false, true]);
    lower.step(peer(2), ages(null), 1500);
    expect(lower.mayListen(key)).toBe(true);
  });

  it('listens at once to a peer that has another key now', () => {
    const word = new FirstWord(1);
    word.step(peer(2), ages(100), 0);
    const changed = 'n'.repeat(43) as PublicKey;
    word.step(
      peer(2).map((p) => ({ ...p, publicKey: changed })),
      new Map(),
      1000,
    );
    expect(word.maySpeak(changed)).toBe(false);
    expect(word.mayListen(changed)).toBe(true);
  });

  it('speaks at once to peers that had this node before it started, whoever is the lower', () => {
    for (const [own, other] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const word = new FirstWord(own);
      word.remember(peer(other));
      word.step(peer(other), ages(null), 0);
      expect([word.maySpeak(key), word.mayListen(key), word.waitMs(0)]).toEqual([true, true, null]);
    }
  });

  it('answers at once when it is heard, and does not fall silent afterwards', () => {
    const word = new FirstWord(2);
    word.step(peer(1), ages(null), 0);
    expect(word.step(peer(1), ages(100), 300)).toBe(true);
    expect(word.step(peer(1), ages(null), 400)).toBe(false);
    expect(word.maySpeak(key)).toBe(true);
  });
});
