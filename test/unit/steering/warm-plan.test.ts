/**
 * Plans from tables in force, on random meshes of 24 nodes: what moves, and what the next plan for a changed demand is worth.
 */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../netlab/seeded-random.ts';
import { forwardedLoads, highestUtilisation } from '../../../steering/traffic-engineering/forwarded-loads.ts';
import { keepWhatCounts } from '../../../steering/traffic-engineering/kept-groups.ts';
import { optimise, TrafficOptimiser } from '../../../steering/traffic-engineering/optimise.ts';
import { demandByDestination, type TrafficDemand } from '../../../steering/traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import { changedGroups } from '../../../steering/traffic-engineering/weighted-tables.ts';

const NODES = 24;
const SEEDS = [1, 2, 3, 4, 5, 6] as const;
const OPTIONS = { stretch: null, calmUtilisation: 0 };

function mesh(seed: number): { network: TrafficNetwork; demand: TrafficDemand; changed: TrafficDemand } {
  const next = seededRandom(seed);
  const ends = new Map<number, readonly [number, number]>();
  for (let v = 1; v < NODES; v++) ends.set(v * NODES + v - 1, [v, v - 1]);
  while (ends.size < NODES * 2) {
    const [a, b] = [Math.floor(next() * NODES), Math.floor(next() * NODES)];
    if (a !== b) ends.set(Math.max(a, b) * NODES + Math.min(a, b), [a, b]);
  }
  const links = [...ends.values()].flatMap(([a, b]) => {
    const [rttUs, bps] = [1_000 + next() * 30_000, next() < 0.5 ? 1e9 : 10e9];
    return [
      { from: a, to: b, rttUs, bps },
      { from: b, to: a, rttUs, bps },
    ];
  });
  const rows = Array.from({ length: NODES * NODES }, (_, cell) => [cell % NODES, Math.floor(cell / NODES)] as const);
  const pairs = rows.filter(([s, t]) => s !== t);
  const demand = {
    from: Int32Array.from(pairs, ([s]) => s),
    to: Int32Array.from(pairs, ([, t]) => t),
    rateBps: Float64Array.from(pairs, () => 1e7 * Math.exp(3 * next())),
  };
  const rateBps = demand.rateBps.map((bps) => (next() < 0.1 ? bps * (0.5 + 1.5 * next()) : bps));
  const network = {
    nodeCount: NODES,
    from: Int32Array.from(links, ({ from }) => from),
    to: Int32Array.from(links, ({ to }) => to),
    rttUs: Float64Array.from(links, ({ rttUs }) => rttUs),
    capacityBps: Float64Array.from(links, ({ bps }) => bps),
  };
  return { network, demand, changed: { ...demand, rateBps } };
}

describe('a plan from tables in force', () => {
  it.each(SEEDS)('is within a hundredth of a cold one and moves few of its 552 routes (seed %i)', (seed) => {
    const { network, demand, changed } = mesh(seed);
    const optimiser = new TrafficOptimiser();
    const first = optimiser.plan(network, demand, OPTIONS);
    const warm = optimiser.plan(network, changed, OPTIONS, first.tables);
    const cold = optimise(network, changed, OPTIONS);
    expect(warm.highestUtilisation).toBeLessThan(cold.highestUtilisation * 1.01);
    expect(warm.lowerBound).toBeLessThanOrEqual(cold.highestUtilisation * (1 + 1e-9));
    expect(warm.changedRoutes).toBe(changedGroups(first.tables, warm.tables));
    expect(warm.changedRoutes / warm.routes).toBeLessThan(0.15);
    const loads = forwardedLoads(network, warm.tables, demandByDestination(changed, NODES));
    expect(highestUtilisation(network, loads)).toBeCloseTo(warm.highestUtilisation, 9);
  });

  it('does not depend on what was planned before for another network', () => {
    const [one, other] = [mesh(1), mesh(2)];
    const optimiser = new TrafficOptimiser();
    optimiser.plan(other.network, other.demand, OPTIONS);
    const again = optimiser.plan(one.network, one.demand, OPTIONS);
    expect(again).toEqual(optimise(one.network, one.demand, OPTIONS));
  });

  it('knows that prices of other capacities bound nothing', () => {
    const { network, demand } = mesh(3);
    const optimiser = new TrafficOptimiser();
    const { tables } = optimiser.plan(network, demand, OPTIONS);
    const wider = { ...network, capacityBps: network.capacityBps.map((bps) => bps * 4) };
    const { lowerBound, highestUtilisation: highest } = optimiser.plan(wider, demand, OPTIONS, tables);
    expect(lowerBound).toBeLessThanOrEqual(highest);
  });
});

describe('keepWhatCounts', () => {
  it('gives all routes back where the limit allows, and none where it does not', () => {
    const { network, demand } = mesh(4);
    const matrix = demandByDestination(demand, NODES);
    const cold = optimise(network, demand, OPTIONS);
    const before = optimise(network, { ...demand, rateBps: demand.rateBps.map((bps) => bps * 1e-9) }).tables;
    expect(keepWhatCounts(network, matrix, before, cold.tables, 1e9)).toEqual(before);
    expect(keepWhatCounts(network, matrix, before, cold.tables, 0)).toBe(cold.tables);
  });

  it('stays within the limit', () => {
    const { network, demand } = mesh(5);
    const matrix = demandByDestination(demand, NODES);
    const cold = optimise(network, demand, OPTIONS);
    const before = optimise(network, { ...demand, rateBps: demand.rateBps.map((bps) => bps * 1e-9) }).tables;
    const limit = cold.highestUtilisation * 1.5;
    const kept = keepWhatCounts(network, matrix, before, cold.tables, limit);
    expect(highestUtilisation(network, forwardedLoads(network, kept, matrix))).toBeLessThanOrEqual(limit * (1 + 1e-9));
    expect(changedGroups(before, kept)).toBeLessThan(changedGroups(before, cold.tables));
  });
});
