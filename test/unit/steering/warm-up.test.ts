import { describe, expect, it } from 'vitest';
import type { MeshNode } from '../../../steering/mesh-state.ts';
import { WarmUp } from '../../../steering/warm-up.ts';

const LONGEST_MS = 10_000;

/** Of `known` nodes the first `back` have a session and have reported. */
function fleet(known: number, back: number): MeshNode[] {
  return Array.from({ length: known }, (_, i) => ({ table: { connected: i < back }, reported: i < back }) as MeshNode);
}

/** When it was over, looked at every second; `back`: nodes that are back by then. */
function overAfterS(known: number, back: (second: number) => number): number {
  const warmUp = new WarmUp();
  for (let second = 0; second < 1000; second++) {
    if (warmUp.look(fleet(known, Math.min(known, back(second))), second * 1000, LONGEST_MS)) return second;
  }
  return Number.POSITIVE_INFINITY;
}

describe('the wait after a restart', () => {
  it('is over when all nodes have reported, and at once where there are none', () => {
    expect(overAfterS(5, (second) => second)).toBe(5);
    expect(overAfterS(0, () => 0)).toBe(0);
  });

  it('is over after the longest wait where a few are missing', () => {
    expect(overAfterS(5, (second) => Math.min(second, 4))).toBe(10);
    expect(overAfterS(40, (second) => Math.min(second, 20))).toBe(10);
  });

  it('goes on while a large fleet comes back, and ends when no more come', () => {
    expect(overAfterS(10_000, (second) => second * 100)).toBe(100);
    expect(overAfterS(10_000, (second) => Math.min(second * 100, 4000))).toBe(50);
  });

  it('does not wait for a few stragglers of many, nor for ever', () => {
    expect(overAfterS(10_000, (second) => Math.min(second * 100, 4000) + second)).toBe(50);
    expect(overAfterS(100_000, (second) => second * 201)).toBe(180);
  });
});
