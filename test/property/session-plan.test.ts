/** Bounds, symmetry, connectivity, determinism and calm of the session plan on random meshes, and junk in what is measured. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LEAF_PLAN_OPTIONS, type LeafPlan, LeafRoom, planLeaf } from '../../steering/session-plan/leaf-plan.ts';
import { hashOf } from '../../steering/session-plan/seeded.ts';
import { type SessionPlan, SessionPlanner } from '../../steering/session-plan/session-planner.ts';

/** Points in a square, 0 to 100 ms apart, with a last mile each; the same for the same seed. */
function rttOf(seed: number, a: number, b: number): number {
  const at = (node: number, axis: number) => hashOf(seed, node, axis) % 70_000;
  const mile = (node: number) => hashOf(seed, node, 9) % 5_000;
  return Math.round(Math.hypot(at(a, 0) - at(b, 0), at(a, 1) - at(b, 1)) + mile(a) + mile(b) + 100);
}

interface Mesh {
  readonly size: number;
  readonly degree: number;
  readonly seed: number;
  readonly rounds: number;
  readonly blocked: readonly (readonly [number, number])[];
}

function meshes(blockedShare: number): fc.Arbitrary<Mesh> {
  return fc
    .record({
      size: fc.integer({ min: 1, max: 40 }),
      degree: fc.integer({ min: 2, max: 10 }),
      seed: fc.nat(1000),
      rounds: fc.integer({ min: 1, max: 4 }),
    })
    .map((mesh) => {
      const blocked: [number, number][] = [];
      for (let a = 1; a <= mesh.size; a++) {
        for (let b = a + 1; b <= mesh.size; b++) {
          if (hashOf(mesh.seed + 1, a, b) / 2 ** 32 < blockedShare) blocked.push([a, b]);
        }
      }
      return { ...mesh, blocked };
    });
}

function plannerOf(mesh: Mesh): SessionPlanner {
  const planner = new SessionPlanner({ degree: mesh.degree, seed: mesh.seed });
  for (let i = 1; i <= mesh.size; i++) planner.addNode(i);
  for (const [a, b] of mesh.blocked) planner.block(a, b);
  return planner;
}

/** Plans, measures what was planned, and so on; all plans. */
function plansOf(mesh: Mesh, planner = plannerOf(mesh)): SessionPlan[] {
  return Array.from({ length: mesh.rounds }, (_, round) => {
    const plan = planner.plan(round * 60_000);
    for (const { low, high } of [...plan.links, ...plan.explore]) {
      planner.observe(low, high, rttOf(mesh.seed, low, high), round * 60_000);
    }
    return plan;
  });
}

function degreesOf(pairs: SessionPlan['links']): Map<number, number> {
  const degrees = new Map<number, number>();
  for (const { low, high } of pairs) for (const v of [low, high]) degrees.set(v, (degrees.get(v) ?? 0) + 1);
  return degrees;
}

/** Number of parts of the nodes 1 to size under the pairs. */
function partsOf(size: number, pairs: Iterable<{ low: number; high: number }>): number {
  const part = Array.from({ length: size + 1 }, (_, v) => v);
  for (const { low, high } of pairs) {
    const [from, to] = [part[low], part[high]];
    for (const [v, p] of part.entries()) if (p === from) part[v] = to ?? 0;
  }
  return new Set(part.slice(1)).size;
}

function possiblePairs(mesh: Mesh): { low: number; high: number }[] {
  const blocked = new Set(mesh.blocked.map(([a, b]) => `${a} ${b}`));
  const pairs: { low: number; high: number }[] = [];
  for (let low = 1; low <= mesh.size; low++) {
    for (let high = low + 1; high <= mesh.size; high++) if (!blocked.has(`${low} ${high}`)) pairs.push({ low, high });
  }
  return pairs;
}

describe('a session plan', { timeout: 60_000 }, () => {
  it('keeps the bound at both ends and connects everybody when every pair is possible', () => {
    fc.assert(
      fc.property(meshes(0), (mesh) => {
        for (const plan of plansOf(mesh)) {
          expect(Math.max(0, ...degreesOf(plan.links).values())).toBeLessThanOrEqual(mesh.degree);
          expect(plan.beyondBound).toEqual([]);
          expect(partsOf(mesh.size, plan.links)).toBe(1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([0.5, 0.9, 0.97])('connects whatever can be connected with %d of the pairs blocked', (share) => {
    fc.assert(
      fc.property(meshes(share), (mesh) => {
        const possible = possiblePairs(mesh);
        const allowed = new Set(possible.map(({ low, high }) => `${low} ${high}`));
        for (const plan of plansOf(mesh)) {
          for (const { low, high } of [...plan.links, ...plan.explore]) expect(allowed).toContain(`${low} ${high}`);
          expect(partsOf(mesh.size, plan.links)).toBe(partsOf(mesh.size, possible));
          const degrees = degreesOf(plan.links);
          const beyond = [...degrees].filter(([, degree]) => degree > mesh.degree).map(([node]) => node);
          expect(beyond.sort((a, b) => a - b)).toEqual(plan.beyondBound);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('goes beyond the bound only with sessions that hold the mesh together', () => {
    // node 1 alone reaches the others: a star has no other plan
    const blocked: [number, number][] = [];
    for (let a = 2; a <= 12; a++) for (let b = a + 1; b <= 12; b++) blocked.push([a, b]);
    const [plan] = plansOf({ size: 12, degree: 4, seed: 1, rounds: 1, blocked });
    expect(plan?.links.map(({ low, high }) => [low, high])).toEqual(Array.from({ length: 11 }, (_, i) => [1, i + 2]));
    expect(plan?.beyondBound).toEqual([1]);
  });

  it('names each pair once, sorted, low before high, explores only what is unmeasured, and no more than told', () => {
    fc.assert(
      fc.property(meshes(0.1), (mesh) => {
        const seen = new Set<string>();
        for (const plan of plansOf(mesh)) {
          const keys = plan.links.map(({ low, high }) => low * 1000 + high);
          expect(keys).toEqual([...new Set(keys)].sort((a, b) => a - b));
          for (const { low, high } of plan.links) expect(low).toBeLessThan(high);
          for (const { low, high } of plan.explore) expect(seen).not.toContain(`${low} ${high}`);
          expect(Math.max(0, ...degreesOf(plan.explore).values())).toBeLessThanOrEqual(4);
          for (const { low, high } of [...plan.links, ...plan.explore]) seen.add(`${low} ${high}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is the same for the same observations in another order', () => {
    fc.assert(
      fc.property(meshes(0.2), fc.nat(1000), (mesh, shuffle) => {
        const first = plansOf(mesh);
        const planner = new SessionPlanner({ degree: mesh.degree, seed: mesh.seed });
        const nodes = Array.from({ length: mesh.size }, (_, i) => i + 1);
        for (const i of nodes.sort((a, b) => hashOf(shuffle, a) - hashOf(shuffle, b))) planner.addNode(i);
        for (const [a, b] of [...mesh.blocked].reverse()) planner.block(b, a);
        const again: SessionPlan[] = [];
        for (let round = 0; round < mesh.rounds; round++) {
          const plan = planner.plan(round * 60_000);
          const pairs = [...plan.links, ...plan.explore].reverse();
          for (const { low, high } of pairs) planner.observe(high, low, rttOf(mesh.seed, low, high), round * 60_000);
          again.push(plan);
        }
        expect(again).toEqual(first);
      }),
      { numRuns: 40 },
    );
  });

  it('believes no RTT that is none, of no node that it does not know', () => {
    fc.assert(
      fc.property(
        meshes(0),
        fc.array(
          fc.tuple(
            fc.oneof(fc.integer({ min: -2, max: 50 }), fc.double()),
            fc.oneof(fc.integer({ min: -2, max: 50 }), fc.double()),
            fc.oneof(fc.double(), fc.constantFrom(Number.NaN, 0, -1, 1e300, Number.POSITIVE_INFINITY)),
          ),
          { maxLength: 60 },
        ),
        (mesh, junk) => {
          const planner = plannerOf(mesh);
          for (const [a, b, rttUs] of junk) {
            const isNode = (v: number) => Number.isInteger(v) && v >= 1 && v <= mesh.size;
            const believed = isNode(a) && isNode(b) && a !== b && rttUs >= 1 && rttUs <= 60_000_000;
            expect(planner.observe(a, b, rttUs, 0)).toBe(believed);
          }
          planner.setDemands(junk.map(([from, to, bytesPerSecond]) => ({ from, to, bytesPerSecond })));
          for (const plan of plansOf(mesh, planner)) {
            expect(partsOf(mesh.size, plan.links)).toBe(1);
            expect(Math.max(0, ...degreesOf(plan.links).values())).toBeLessThanOrEqual(mesh.degree);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a session plan that has learned', { timeout: 60_000 }, () => {
  /** A planner of 80 nodes after ten plans, and a function that plans again with noise of some per cent. */
  function learned(seed: number, rounds = 25): { planner: SessionPlanner; replan: (noise: number) => SessionPlan } {
    const planner = new SessionPlanner({ degree: 12, seed });
    for (let i = 1; i <= 80; i++) planner.addNode(i);
    let round = 0;
    const replan = (noise: number) => {
      const plan = planner.plan(round * 60_000);
      for (const { low, high } of [...plan.links, ...plan.explore]) {
        const wobble = 1 + noise * (hashOf(seed, round, low, high) / 2 ** 31 - 1);
        planner.observe(low, high, rttOf(seed, low, high) * wobble, round * 60_000);
      }
      round++;
      return plan;
    };
    for (let i = 0; i < rounds; i++) replan(0.02);
    return { planner, replan };
  }

  it.each([1, 2, 3])('changes few pairs under noise of 2 per cent (seed %i)', (seed) => {
    const { replan } = learned(seed);
    for (let i = 0; i < 5; i++) {
      const plan = replan(0.02);
      expect(plan.added).toBeLessThanOrEqual(plan.links.length * 0.1);
      expect(plan.removed).toBeLessThanOrEqual(plan.links.length * 0.1);
    }
  });

  it.each([1, 2, 3])('moves a few pairs for a node that leaves or joins (seed %i)', (seed) => {
    const { planner, replan } = learned(seed);
    replan(0);
    planner.removeNode(17);
    const without = replan(0);
    expect(without.links.some(({ low, high }) => low === 17 || high === 17)).toBe(false);
    expect(partsOf(80, without.links)).toBe(2);
    // 12 places of neighbours came free; of about 450 pairs
    expect(without.added).toBeLessThanOrEqual(40);
    planner.addNode(17);
    const back = replan(0);
    expect(degreesOf(back.links).get(17)).toBeGreaterThanOrEqual(1);
    expect(back.added).toBeLessThanOrEqual(50);
  });

  it('holds a direct session for a pair that talks much, unless a way round is shorter', () => {
    const { planner, replan } = learned(4, 3);
    const plan = replan(0);
    const known = new Set([...planner.knownPairs(), ...plan.links].map(({ low, high }) => `${low} ${high}`));
    const [from = 0, to = 0] =
      Array.from({ length: 79 }, (_, i) => [i + 1, i + 2]).find(([a, b]) => !known.has(`${a} ${b}`)) ?? [];
    expect(to).toBeGreaterThan(0);
    planner.setDemands([{ from, to, bytesPerSecond: 1e6 }]);
    const holds = () => replan(0).links.some(({ low, high }) => low === from && high === to);
    expect(holds()).toBe(true);
    // now it is measured: it stays only as long as no way round is shorter
    const middle = 80;
    for (const end of [from, to]) for (let i = 0; i < 3; i++) planner.observe(end, middle, 100, 1e6);
    expect(holds()).toBe(false);
  });
});

describe('the plan of leaves', () => {
  const rtt = (seed: number) => (leaf: number) => (transit: number) => 1_000 + (hashOf(seed, leaf, transit) % 50_000);
  const transit = Array.from({ length: 10 }, (_, i) => i + 1);

  function planAll(
    seed: number,
    leaves: number,
    most: number,
    before = new Map<number, LeafPlan>(),
    room = new LeafRoom(),
  ) {
    const plans = new Map<number, LeafPlan>();
    for (let leaf = 100; leaf < 100 + leaves; leaf++) {
      const input = {
        leaf,
        transit,
        rttUs: rtt(seed)(leaf),
        isPossible: () => true,
        demands: [
          { peer: leaf + 1, bytesPerSecond: 5 },
          { peer: 100, bytesPerSecond: 9 },
          { peer: leaf, bytesPerSecond: 99 },
          { peer: 101, bytesPerSecond: Number.NaN },
        ],
        before: before.get(leaf) ?? null,
      };
      plans.set(leaf, planLeaf(input, room, { ...DEFAULT_LEAF_PLAN_OPTIONS, leavesPerTransit: most }));
    }
    return { plans, room };
  }

  it('gives each leaf its nearest transit nodes with room, and bounds both ends', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 60 }), (seed, leaves) => {
        const { plans, room } = planAll(seed, leaves, 20);
        for (const node of transit) expect(room.leaves.of(node)).toBeLessThanOrEqual(20);
        const sessions = new Map<number, number>();
        for (const [leaf, plan] of plans) {
          expect(plan.transit.length).toBe(3);
          const far = transit.filter((node) => !plan.transit.includes(node) && room.leaves.of(node) < 20);
          const farthest = Math.max(...plan.transit.map(rtt(seed)(leaf)));
          for (const node of far) expect(rtt(seed)(leaf)(node)).toBeGreaterThanOrEqual(farthest);
          for (const peer of plan.peers) {
            expect(peer).not.toBe(leaf);
            for (const end of [leaf, peer]) sessions.set(end, (sessions.get(end) ?? 0) + 1);
          }
        }
        expect(Math.max(0, ...sessions.values())).toBeLessThanOrEqual(4);
      }),
    );
  });

  it('stays where it is while nothing is a tenth nearer, and is never cut off', () => {
    const { plans, room } = planAll(1, 40, 100);
    const again = planAll(1, 40, 100, plans, room).plans;
    for (const [leaf, plan] of plans) expect(again.get(leaf)?.transit).toEqual(plan.transit);
    const crowded = planAll(2, 40, 1).plans;
    for (const plan of crowded.values()) expect(plan.transit.length).toBeGreaterThanOrEqual(1);
  });
});
