/** Thousands of leaves that come at once: each has its sessions at once, and tries out others when its turn comes. */
import { expect, it } from 'vitest';
import type { FleetSteeringEngine } from '../../../steering/fleet/fleet-steering-engine.ts';
import { LaterLeaves } from '../../../steering/fleet/later-leaves.ts';
import type { LeafMember } from '../../../steering/fleet/leaf-member.ts';
import { leafSessionsOf, storm } from './leaf-storm.ts';

it('a storm of leaves tries out transit nodes in turn, fifty a second, and nobody waits for sessions', () => {
  const engine: FleetSteeringEngine = storm({ transit: 8, leaves: 600 });
  const exploring = () => leafSessionsOf(engine, 600).filter((sessions) => sessions > 3).length;
  expect(Math.min(...leafSessionsOf(engine, 600))).toBe(3);
  const first = exploring();
  expect(first).toBeGreaterThan(40);
  expect(first).toBeLessThanOrEqual(51);
  const seen = new Set<number>();
  for (let nowMs = 50; nowMs <= 16_000; nowMs += 50) {
    engine.step(nowMs);
    leafSessionsOf(engine, 600).forEach((sessions, i) => {
      if (sessions > 3) seen.add(i);
    });
    // those that began in the last eight seconds, at most
    expect(exploring()).toBeLessThanOrEqual(51 + 50 * 8.2);
    if (nowMs === 2_000) expect(seen.size).toBeLessThanOrEqual(51 + 2 * 51);
  }
  expect(seen.size, 'everybody had a turn').toBe(600);
});

it('what changed for all leaves is looked at some at a time, in order, without those that went', () => {
  const leaves = Array.from({ length: 1_100 }, (_, index) => ({ index }) as LeafMember);
  const later = new LaterLeaves();
  for (const leaf of leaves) later.add(leaf);
  later.delete(leaves[1] as LeafMember);
  const first = later.take(1_000);
  expect(first.slice(0, 2).map(({ index }) => index)).toEqual([0, 2]);
  expect(first).toHaveLength(500);
  expect(later.dueMs).toBeGreaterThan(1_000);
  expect(later.take(1_100)).toHaveLength(500);
  expect(later.take(1_200)).toHaveLength(99);
  expect(later.dueMs).toBe(Number.POSITIVE_INFINITY);
  expect(later.take(1_300)).toEqual([]);
});
