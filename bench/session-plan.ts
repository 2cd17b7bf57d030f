/**
 * How good a bounded plan is on measured matrices: stretch of the best way over planned links against the optimum over
 * all links, plan by plan, as the planner learns. It is told the RTTs of pairs that were in a plan or explored, nothing
 * else.
 */
import { performance } from 'node:perf_hooks';
import type { RttMatrix } from '../netlab/simulator/rtt-matrix.ts';
import { hashOf } from '../steering/session-plan/seeded.ts';
import { SessionPlanner, type SessionPlanOptions } from '../steering/session-plan/session-planner.ts';
import { planetlabSlice, wonderNetwork } from './rtt-data.ts';
import { allLinks, noLinks, setLink, shortestWays } from './shortest-ways.ts';

export interface SessionPlanBench {
  readonly degree: number;
  readonly rounds: number;
  readonly explore: number;
  readonly seed: number;
}

export interface RoundFigure {
  readonly round: number;
  readonly links: number;
  /** Pairs that were probed so far, in a plan or as exploration, per node and as a share of all. */
  readonly probedPerNode: number;
  readonly probedShare: number;
  readonly meanStretch: number;
  readonly p99Stretch: number;
  /** The same over every pair probed so far: what a plan without a bound could do. */
  readonly unboundedMean: number;
  readonly unboundedP99: number;
  readonly changed: number;
  readonly most: number;
  readonly planMs: number;
}

export function runPlans(matrix: RttMatrix, rounds: number, options: Partial<SessionPlanOptions>): RoundFigure[] {
  const n = matrix.size;
  const optimum = shortestWays(allLinks(matrix));
  const planner = new SessionPlanner(options);
  for (let i = 1; i <= n; i++) planner.addNode(i);
  const probed = new Set<number>();
  const figures: RoundFigure[] = [];
  for (let round = 0; round <= rounds; round++) {
    const startMs = performance.now();
    const plan = planner.plan(round);
    const planMs = performance.now() - startMs;
    const links = noLinks(n);
    const seen = noLinks(n);
    const degree = new Int32Array(n);
    for (const { low, high } of plan.links) {
      setLink(links, matrix, low - 1, high - 1);
      degree[low - 1] = (degree[low - 1] ?? 0) + 1;
      degree[high - 1] = (degree[high - 1] ?? 0) + 1;
    }
    // what the plan was made from: everything probed in the rounds before
    for (const key of probed) setLink(seen, matrix, Math.floor(key / n), key % n);
    const bounded = stretch(shortestWays(links), optimum);
    const unbounded = stretch(shortestWays(seen), optimum);
    figures.push({
      round,
      links: plan.links.length,
      probedPerNode: rounded((2 * probed.size) / n, 1),
      probedShare: rounded((2 * probed.size) / (n * (n - 1)), 3),
      meanStretch: bounded.mean,
      p99Stretch: bounded.p99,
      unboundedMean: unbounded.mean,
      unboundedP99: unbounded.p99,
      changed: plan.added,
      most: Math.max(...degree),
      planMs: rounded(planMs, 1),
    });
    for (const { low, high } of [...plan.links, ...plan.explore]) {
      const rttUs = matrix.rttUs(low - 1, high - 1);
      if (rttUs === null) planner.block(low, high);
      else planner.observe(low, high, Math.max(1, rttUs), round);
      probed.add((low - 1) * n + high - 1);
    }
  }
  return figures;
}

/** Without exploration only the plan's own links teach; it changes little after so many plans. */
const UNEXPLORED_ROUNDS = 8;

/**
 * Time and memory of plans for many nodes: points in a cube of 200 ms with last miles, made from the seed, so that the
 * delay space is as easy as it gets. Nothing is said about stretch.
 */
export function benchSessionPlanScale(nodes: number, bench: SessionPlanBench): unknown {
  const { degree, rounds, explore, seed } = bench;
  const planner = new SessionPlanner({ degree, seed, exploration: explorationOf(explore) });
  for (let i = 1; i <= nodes; i++) planner.addNode(i);
  const at = (node: number, axis: number) => (hashOf(seed, node, axis) / 2 ** 32) * 120_000;
  const rttUs = (a: number, b: number) =>
    Math.hypot(at(a, 0) - at(b, 0), at(a, 1) - at(b, 1), at(a, 2) - at(b, 2)) + (at(a, 3) + at(b, 3)) / 12 + 100;
  const plans = [];
  for (let round = 0; round <= rounds; round++) {
    const startMs = performance.now();
    const plan = planner.plan(round);
    const planMs = Math.round(performance.now() - startMs);
    const heapMb = Math.round(process.memoryUsage().rss / 2 ** 20);
    plans.push({
      round,
      planMs,
      rssMb: heapMb,
      links: plan.links.length,
      added: plan.added,
      explored: plan.explore.length,
    });
    for (const { low, high } of [...plan.links, ...plan.explore]) {
      const wobble = 1 + 0.02 * (hashOf(seed, round, low, high) / 2 ** 31 - 1);
      planner.observe(low, high, rttUs(low, high) * wobble, round);
    }
  }
  return { benchmark: 'session-plan', nodes, degree, explorePerNodeAndRound: explore, seed, plans };
}

function explorationOf(explore: number): SessionPlanOptions['exploration'] {
  return { perNode: explore, near: Math.ceil(explore / 2), nearAndSite: Math.ceil((explore * 3) / 4) };
}

/** The same planner on slices, halves of the nodes and degrees, and without exploration. */
export function benchSessionPlan(bench: SessionPlanBench & { readonly data: string }): unknown {
  const { data, degree, rounds, explore, seed } = bench;
  const options = { degree, seed, exploration: explorationOf(explore) };
  const slice = (k: number) => planetlabSlice(data, k);
  const half = (matrix: RttMatrix, salt: number) => matrix.subset(randomHalf(matrix.size, salt));
  const cases: [string, RttMatrix, number][] = [
    ['planetlab slice 1', slice(1), degree],
    ['planetlab slice 9', slice(9), degree],
    ['planetlab slice 18', slice(18), degree],
    ['planetlab slice 5, random half', half(slice(5), 1), degree],
    ['planetlab slice 13, random half', half(slice(13), 2), degree],
    ['wondernetwork', wonderNetwork(data), degree],
    ['wondernetwork, random half', half(wonderNetwork(data), 3), degree],
    ['planetlab slice 1', slice(1), 8],
    ['planetlab slice 1', slice(1), 24],
    ['wondernetwork', wonderNetwork(data), 8],
    ['wondernetwork', wonderNetwork(data), 24],
  ];
  const results = cases.map(([name, matrix, bound]) => {
    const figures = runPlans(matrix, rounds, { ...options, degree: bound });
    const none = { perNode: 0, near: 0, nearAndSite: 0 };
    const unexplored = runPlans(matrix, UNEXPLORED_ROUNDS, { ...options, degree: bound, exploration: none });
    return {
      matrix: name,
      nodes: matrix.size,
      degree: bound,
      first: figures[0],
      last: figures.at(-1),
      byRound: figures.filter(({ round }) => round % 4 === 0).map(brief),
      withoutExploration: brief(unexplored.at(-1)),
    };
  });
  return { benchmark: 'session-plan', explorePerNodeAndRound: explore, rounds, seed, results };
}

function brief(figure: RoundFigure | undefined): unknown {
  if (figure === undefined) return undefined;
  const { round, probedShare, meanStretch, p99Stretch, changed } = figure;
  return { round, probedShare, meanStretch, p99Stretch, changed };
}

function stretch(ways: readonly Float64Array[], optimum: readonly Float64Array[]): { mean: number; p99: number } {
  const ratios: number[] = [];
  for (const [i, row] of optimum.entries()) {
    for (const [j, best] of row.entries()) {
      if (i !== j && best > 0 && Number.isFinite(best)) ratios.push((ways[i]?.[j] ?? Number.NaN) / best);
    }
  }
  ratios.sort((a, b) => a - b);
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  return { mean: rounded(mean, 4), p99: rounded(ratios[Math.floor(ratios.length * 0.99)] ?? Number.NaN, 3) };
}

function randomHalf(count: number, salt: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
    .sort((a, b) => hashOf(salt, a) - hashOf(salt, b))
    .slice(0, Math.ceil(count / 2));
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
