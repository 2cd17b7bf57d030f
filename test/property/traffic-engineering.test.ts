/** The load-aware optimiser on small random networks: what must hold for every table that it hands over. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { optimise } from '../../steering/traffic-engineering/optimise.ts';
import type { TrafficDemand } from '../../steering/traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../../steering/traffic-engineering/traffic-network.ts';
import type { TrafficPlan } from '../../steering/traffic-engineering/traffic-plan.ts';
import { MOST_WEIGHT } from '../../steering/traffic-engineering/weighted-tables.ts';

interface Case {
  readonly network: TrafficNetwork;
  readonly demand: TrafficDemand;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    size: fc.integer({ min: 2, max: 9 }),
    access: fc.boolean(),
    links: fc.array(
      fc.record({
        from: fc.nat(8),
        to: fc.nat(8),
        rtt: fc.constantFrom(0, 1000, 2000, 5000, 40_000),
        capacity: fc.constantFrom(1e6, 3e6, 1e7, Number.POSITIVE_INFINITY),
      }),
      { minLength: 1, maxLength: 40 },
    ),
    leaf: fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }),
    uplink: fc.array(fc.constantFrom(2e6, 1e7, Number.POSITIVE_INFINITY), { minLength: 9, maxLength: 9 }),
    demands: fc.array(
      fc.record({ from: fc.nat(8), to: fc.nat(8), rate: fc.double({ min: 0, max: 3e6, noNaN: true }) }),
      {
        maxLength: 40,
      },
    ),
  })
  .map(({ size, access, links, leaf, uplink, demands }) => {
    const kept = links
      .map((link) => ({ ...link, from: link.from % size, to: link.to % size }))
      .filter(({ from, to }) => from !== to);
    return {
      network: {
        nodeCount: size,
        from: Int32Array.from(kept, ({ from }) => from),
        to: Int32Array.from(kept, ({ to }) => to),
        rttUs: Float64Array.from(kept, ({ rtt }) => rtt),
        capacityBps: Float64Array.from(kept, ({ capacity }) => capacity),
        ...(access ? { uplinkBps: Float64Array.from(uplink.slice(0, size)) } : {}),
        forwards: Uint8Array.from(leaf.slice(0, size), (is, node) => (is && node > 2 ? 0 : 1)),
      },
      demand: {
        from: Int32Array.from(demands, ({ from }) => from % size),
        to: Int32Array.from(demands, ({ to }) => to % size),
        rateBps: Float64Array.from(demands, ({ rate }) => rate),
      },
    };
  });

const options = fc.record({
  members: fc.constantFrom(1, 2, 4, 8),
  stretch: fc.constantFrom(null, { factor: 1.5, extraUs: 20_000 }, { factor: 1, extraUs: 0 }),
  calmUtilisation: fc.constantFrom(0, 0.5),
});

interface Member {
  readonly link: number;
  readonly weight: number;
}

function groupOf({ tables }: TrafficPlan, t: number, v: number): Member[] {
  const group = t * tables.nodeCount + v;
  const members: Member[] = [];
  for (let k = tables.start[group] ?? 0; k < (tables.start[group + 1] ?? 0); k++) {
    members.push({ link: tables.link[k] ?? -1, weight: tables.weight[k] ?? 0 });
  }
  return members;
}

/** Every path that the groups allow from v to t, with the part of the traffic that takes it. Throws on a loop. */
function pathsOf(
  network: TrafficNetwork,
  plan: TrafficPlan,
  v: number,
  t: number,
  seen: readonly number[] = [],
): Path[] {
  if (v === t) return [{ links: [], part: 1, rttUs: 0 }];
  if (seen.includes(v)) throw new Error(`loop towards ${t}: ${[...seen, v].join(' ')}`);
  const members = groupOf(plan, t, v);
  const sum = members.reduce((total, { weight }) => total + weight, 0);
  return members.flatMap(({ link, weight }) => {
    expect(network.from[link]).toBe(v);
    return pathsOf(network, plan, network.to[link] ?? -1, t, [...seen, v]).map((rest) => ({
      links: [link, ...rest.links],
      part: (rest.part * weight) / sum,
      rttUs: (network.rttUs[link] ?? 0) + rest.rttUs,
    }));
  });
}

interface Path {
  readonly links: readonly number[];
  readonly part: number;
  readonly rttUs: number;
}

/** Bellman-Ford towards t: a node that does not forward is no way. */
function shortestRtt(network: TrafficNetwork, t: number): number[] {
  const distance = Array.from({ length: network.nodeCount }, (_, v) => (v === t ? 0 : Number.POSITIVE_INFINITY));
  for (let round = 0; round < network.nodeCount; round++) {
    for (let link = 0; link < network.from.length; link++) {
      const head = network.to[link] ?? 0;
      if (head !== t && network.forwards?.[head] === 0) continue;
      const by = (network.rttUs[link] ?? 0) + (distance[head] ?? 0);
      const from = network.from[link] ?? 0;
      if (by < (distance[from] ?? 0)) distance[from] = by;
    }
  }
  return distance;
}

describe('for any network and demand', () => {
  test('groups are sound: right links, weights in range, no loop, no leaf on the way, within the stretch bound', () => {
    fc.assert(
      fc.property(cases, options, ({ network, demand }, given) => {
        const plan = optimise(network, demand, given);
        for (let t = 0; t < network.nodeCount; t++) {
          const shortest = shortestRtt(network, t);
          for (let v = 0; v < network.nodeCount; v++) {
            const members = groupOf(plan, t, v);
            if (v === t) expect(members).toEqual([]);
            else expect(members.length > 0).toBe(Number.isFinite(shortest[v]));
            expect(members.length).toBeLessThanOrEqual(given.members);
            expect(new Set(members.map(({ link }) => link)).size).toBe(members.length);
            for (const { weight } of members) expect(weight >= 1 && weight <= MOST_WEIGHT).toBe(true);
            for (const path of pathsOf(network, plan, v, t)) {
              for (const link of path.links.slice(0, -1)) expect(network.forwards?.[network.to[link] ?? 0]).toBe(1);
              if (given.stretch === null) continue;
              const limit = (shortest[v] ?? 0) * given.stretch.factor + given.stretch.extraUs;
              expect(path.rttUs).toBeLessThanOrEqual(limit * (1 + 1e-6) + 1e-6);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('loads are those of the demand taken over every path, and all of it arrives or is said not to', () => {
    fc.assert(
      fc.property(cases, options, ({ network, demand }, given) => {
        const plan = optimise(network, demand, given);
        const loads = new Array<number>(network.from.length).fill(0);
        let lost = 0;
        let highest = 0;
        demand.rateBps.forEach((rate, row) => {
          const [s, t] = [demand.from[row] ?? 0, demand.to[row] ?? 0];
          if (s === t) return;
          const paths = pathsOf(network, plan, s, t);
          if (paths.length === 0) lost += rate;
          for (const { links, part } of paths) for (const link of links) loads[link] = (loads[link] ?? 0) + rate * part;
        });
        const sent = new Array<number>(network.nodeCount).fill(0);
        loads.forEach((load, link) => {
          expect(plan.loads.linkBps[link]).toBeCloseTo(load, 3);
          const from = network.from[link] ?? 0;
          sent[from] = (sent[from] ?? 0) + load;
          highest = Math.max(highest, load / (network.capacityBps[link] ?? 1));
        });
        sent.forEach((load, node) => {
          highest = Math.max(highest, load / (network.uplinkBps?.[node] ?? Number.POSITIVE_INFINITY));
        });
        expect(plan.loads.undeliveredBps).toBeCloseTo(lost, 3);
        expect(plan.highestUtilisation).toBeCloseTo(highest, 6);
        expect(plan.fitting).toBeCloseTo(highest > 1 ? 1 / highest : 1, 6);
      }),
      { numRuns: 300 },
    );
  });

  test('never above the shortest paths, never below what is proven, and exactly the shortest paths in calm', () => {
    fc.assert(
      fc.property(cases, options, ({ network, demand }, given) => {
        const plan = optimise(network, demand, given);
        expect(plan.highestUtilisation).toBeLessThanOrEqual(
          Math.max(plan.shortestUtilisation, given.calmUtilisation) + 1e-9,
        );
        expect(plan.lowerBound).toBeLessThanOrEqual(plan.highestUtilisation * (1 + 1e-6));
        if (plan.shortestUtilisation >= given.calmUtilisation) return;
        expect(plan.calm).toBe(true);
        for (let t = 0; t < network.nodeCount; t++) {
          const shortest = shortestRtt(network, t);
          for (let v = 0; v < network.nodeCount; v++) {
            const paths = pathsOf(network, plan, v, t);
            expect(paths.length).toBeLessThanOrEqual(1);
            for (const { rttUs } of paths) expect(rttUs).toBeCloseTo(shortest[v] ?? -1, 6);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('the same input gives the same tables, and its own tables are kept', () => {
    fc.assert(
      fc.property(cases, options, ({ network, demand }, given) => {
        const plan = optimise(network, demand, given);
        expect(optimise(network, demand, given).tables).toEqual(plan.tables);
        const again = optimise(network, demand, given, plan.tables);
        if (plan.lowerBound > 0 && plan.highestUtilisation < 1.002 * plan.lowerBound && plan.rounds > 0) {
          expect(again.changedRoutes).toBe(0);
        }
        expect(again.highestUtilisation).toBeLessThanOrEqual(
          Math.max(plan.highestUtilisation * 1.006, given.calmUtilisation) + 1e-6,
        );
      }),
      { numRuns: 300 },
    );
  });
});
