/** How long the plane before is left alone: by the longest path on it, within its bounds. */
import { expect, it } from 'vitest';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { HopChoice } from '../../../steering/rib/hop-choice.ts';
import { drainTimeMs } from '../../../steering/rollout/drain-time.ts';
import { DEFAULT_ROLLOUT_OPTIONS } from '../../../steering/rollout/rollout-options.ts';

/** 1 - 2 - 3 - 4, and 5 alone; slots in the order of indices. */
function line(...weightsUs: number[]): CsrGraph {
  const graph = new CsrGraph();
  for (let index = 1; index <= 5; index++) graph.addNode(index, true);
  for (const [slot, weightUs] of weightsUs.entries()) {
    graph.setArc(slot, slot + 1, weightUs);
    graph.setArc(slot + 1, slot, weightUs);
  }
  graph.commit();
  return graph;
}

const towards4 = () => new HopChoice(Int32Array.of(1, 2, 3, -1, -1));

it('is a quarter of a second and the round trip of the longest path', () => {
  expect(drainTimeMs(line(20_000, 30_000, 10_000), 3, towards4(), DEFAULT_ROLLOUT_OPTIONS)).toBe(250 + 60);
  expect(
    drainTimeMs(line(20_000, 30_000, 400), 3, new HopChoice(Int32Array.of(-1, -1, 3, -1, -1)), DEFAULT_ROLLOUT_OPTIONS),
  ).toBe(251);
});

it('is the longest allowed where paths are longer, a link is gone, there are groups, or a loop', () => {
  const { drainMs } = DEFAULT_ROLLOUT_OPTIONS;
  expect(drainTimeMs(line(500_000, 500_000, 500_000), 3, towards4(), DEFAULT_ROLLOUT_OPTIONS)).toBe(drainMs);
  expect(drainTimeMs(line(20_000, 30_000), 3, towards4(), DEFAULT_ROLLOUT_OPTIONS)).toBe(drainMs);
  const spread = new Map([[0, [{ slot: 1, weight: 1 }]]]);
  const groups = new HopChoice(Int32Array.of(1, 2, 3, -1, -1), spread);
  expect(drainTimeMs(line(1_000, 1_000, 1_000), 3, groups, DEFAULT_ROLLOUT_OPTIONS)).toBe(drainMs);
  const loop = new HopChoice(Int32Array.of(1, 0, 3, -1, -1));
  expect(drainTimeMs(line(1_000, 1_000, 1_000), 3, loop, DEFAULT_ROLLOUT_OPTIONS)).toBe(drainMs);
});
