/**
 * Two ways from 0 to 3, each of 100 Mbit/s, one a bit shorter:
 *
 *        1      5 + 5 ms
 *      /   \
 *    0       3      demand of 0 for 3: 40, then 140 Mbit/s
 *      \   /
 *        2      6 + 6 ms
 */
import { describe, expect, it } from 'vitest';
import { BaseRtts } from '../../../../netlab/simulator/load/base-rtts.ts';
import { type LoadSteering, simulateLoad } from '../../../../netlab/simulator/load/load-simulation.ts';
import {
  DelaySteering,
  FixedSteering,
  LoopSteering,
  shortestBy,
} from '../../../../netlab/simulator/load/load-steerings.ts';
import { LoadedUnderlay } from '../../../../netlab/simulator/load/loaded-underlay.ts';
import { RttNoise } from '../../../../netlab/simulator/load/rtt-noise.ts';
import { parseRttSlices } from '../../../../netlab/simulator/rtt-matrix.ts';
import { forwardedLoads } from '../../../../steering/traffic-engineering/forwarded-loads.ts';
import { demandByDestination, type TrafficDemand } from '../../../../steering/traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../../../../steering/traffic-engineering/traffic-network.ts';

const ENDS = [
  [0, 1, 5_000],
  [1, 3, 5_000],
  [0, 2, 6_000],
  [2, 3, 6_000],
] as const;
const LINKS = ENDS.flatMap(([a, b, us]) => [
  [a, b, us],
  [b, a, us],
]);
const NETWORK: TrafficNetwork = {
  nodeCount: 4,
  from: Int32Array.from(LINKS, ([a = 0]) => a),
  to: Int32Array.from(LINKS, ([, b = 0]) => b),
  rttUs: Float64Array.from(LINKS, ([, , us = 0]) => us),
  capacityBps: new Float64Array(LINKS.length).fill(100e6),
};

function demand(mbit: number): TrafficDemand {
  return { from: Int32Array.of(0), to: Int32Array.of(3), rateBps: Float64Array.of(mbit * 1e6) };
}

/** 40 and 140 Mbit/s, five minutes each. */
function run(steering: LoadSteering, noise: RttNoise | null = null) {
  return simulateLoad(NETWORK, [demand(40), demand(140)], shortestBy(NETWORK, NETWORK.rttUs), steering, noise);
}

describe('a network under load', () => {
  it('shows its queues in the RTT of both directions, and its drops to who sends into them', () => {
    const underlay = new LoadedUnderlay(NETWORK);
    const matrix = demandByDestination(demand(90), 4);
    underlay.carry(forwardedLoads(NETWORK, shortestBy(NETWORK, NETWORK.rttUs), matrix));
    // M/M/1: 0.9 / 0.1 packets of 80 us wait before each
    expect(underlay.see(0).rttUs).toBeCloseTo(5_000 + 9 * 80, 3);
    expect(underlay.see(1)).toEqual({ ...underlay.see(0), lossOut: 0, lossIn: underlay.see(0).lossOut });
    expect(underlay.see(4)).toEqual({ rttUs: 6_000, lossOut: 0, lossIn: 0 });
    underlay.carry(forwardedLoads(NETWORK, shortestBy(NETWORK, NETWORK.rttUs), demandByDestination(demand(200), 4)));
    expect(underlay.see(0).lossOut).toBeCloseTo(0.5, 6);
    expect(underlay.see(0).rttUs).toBeGreaterThan(50_000);
  });

  it('is sent back and forth for ever by measured delay', () => {
    const [calm, loaded] = run(new DelaySteering(NETWORK));
    expect(calm).toMatchObject({ changes: 0, lostShare: 0 });
    expect(loaded?.changes).toBeGreaterThan(30);
    expect(loaded?.changesAfter60S).toBeGreaterThan(24);
    expect(loaded?.meanUtilisation).toBeCloseTo(1.4, 5);
    expect(loaded?.lostShare).toBeGreaterThan(0.2);
  });

  it('is divided once by the load loop, which then leaves it alone', () => {
    const [calm, loaded] = run(new LoopSteering(NETWORK));
    expect(calm?.changes).toBe(0);
    expect(calm?.meanUtilisation).toBeCloseTo(0.4, 9);
    expect(loaded?.lastUtilisation).toBeLessThan(0.71);
    expect(loaded?.settledS).toBeLessThanOrEqual(60);
    expect(loaded).toMatchObject({ changesAfter60S: 0 });
    expect(loaded?.changes).toBeLessThanOrEqual(2);
  });

  it('stays as it is where nobody steers', () => {
    const [, loaded] = run(new FixedSteering());
    expect(loaded?.changes).toBe(0);
    expect(loaded?.meanUtilisation).toBeCloseTo(1.4, 9);
  });

  it('does the same twice', () => {
    const noise = () => new RttNoise(parseRttSlices('0 0.1 0.2 0\n0 0.3 0.2 0\n'), 15_000);
    expect(run(new DelaySteering(NETWORK), noise())).toEqual(run(new DelaySteering(NETWORK), noise()));
  });
});

describe('noise of measured RTTs', () => {
  it('is a factor of the least tenth, never below 1, and goes round at the end', () => {
    const noise = new RttNoise(parseRttSlices('0 0.1 0.2 0\n0 0.3 0.2 0\n'), 1_000);
    const seen = [0, 1_000, 2_500].map((ms) => [noise.factor(0, ms), noise.factor(1, ms)]);
    expect(seen[0]).toEqual([1, 1]);
    expect(Math.max(...(seen[1] ?? []))).toBeCloseTo(3, 9);
    expect(seen[2]).toEqual(seen[0]);
    expect(new RttNoise([], 1_000).factor(5, 0)).toBe(1);
  });
});

describe('the RTT of a link without its queues', () => {
  it('is the least of the last minutes, and rises only when a whole window was above', () => {
    const base = new BaseRtts(1);
    const at = (rttUs: number, nowMs: number) => {
      base.report(0, rttUs);
      base.tick(nowMs);
      return base.levelUs[0];
    };
    expect(at(40_000, 0)).toBe(40_000);
    const levels = base.levelUs;
    expect(at(90_000, 5_000)).toBe(40_000);
    expect(at(38_000, 10_000)).toBe(40_000);
    expect(base.levelUs).toBe(levels);
    expect(at(20_000, 15_000)).toBe(20_000);
    for (let ms = 20_000; ms < 300_000; ms += 5_000) expect(at(90_000, ms)).toBe(20_000);
    for (let ms = 300_000; ms < 600_000; ms += 5_000) at(90_000, ms);
    expect(base.levelUs[0]).toBe(90_000);
  });
});
