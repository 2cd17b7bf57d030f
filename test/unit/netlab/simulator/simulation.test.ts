/** Whole meshes on virtual time: the same seed does the same, a cut heals, nothing loops, paths come to the optimum. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseRttMatrix } from '../../../../netlab/simulator/rtt-matrix.ts';
import { DEFAULT_SIMULATION, Simulation } from '../../../../netlab/simulator/simulation.ts';
import { SyntheticRtts } from '../../../../netlab/simulator/synthetic-rtts.ts';

const PLANETLAB = new URL('../../../../../shared/data/planetlab-rtt/slice_01.txt.gz', import.meta.url);

function simulate(size: number, options: Partial<typeof DEFAULT_SIMULATION> = {}, rttSeed = 1): Simulation {
  return new Simulation(new SyntheticRtts(size, rttSeed), { ...DEFAULT_SIMULATION, ...options });
}

describe('a simulated mesh', { timeout: 120_000 }, () => {
  it('does the same for the same seed', () => {
    const run = (seed: number) => simulate(8, { seed, seconds: 120, settleSeconds: 20, troublesPerMinute: 30 }).run();
    const first = run(3);
    expect(run(3)).toEqual(first);
    expect(run(4).checksum).not.toBe(first.checksum);
    expect(first.spfRuns).toBeGreaterThan(10);
  });

  it('settles at the optimum of its network, and then changes nothing', () => {
    const mesh = simulate(14, { troublesPerMinute: 0, leafShare: 0.2 });
    mesh.runUntil(60);
    const { outage, outsideMargin, meanStretch, pairs } = mesh.sample();
    expect({ outage, outsideMargin, pairs }).toEqual({ outage: 0, outsideMargin: 0, pairs: 14 * 13 });
    expect(meanStretch).toBeLessThan(1.01);
    const before = mesh.core.pathChanges;
    mesh.runUntil(300);
    expect(mesh.core.pathChanges).toBe(before);
  });

  it('goes round a cut within two seconds, and back when it has healed', () => {
    const mesh = simulate(10, { troublesPerMinute: 0 });
    mesh.runUntil(60);
    const direct = [1, 2, 3, 4, 5, 6].find((v) => mesh.forwarding.path(v, 9).path.length === 2) ?? 0;
    expect(mesh.weather.strikeLink('cut', direct, 9, 30_000)).toBe(true);
    mesh.runUntil(60.5);
    expect(mesh.sample().outage).toBeGreaterThan(0);
    mesh.runUntil(62.5);
    expect(mesh.sample().outage).toBe(0);
    expect(mesh.forwarding.path(direct, 9)).toMatchObject({ fate: 'delivered', path: { length: 3 } });
    mesh.runUntil(130);
    expect(mesh.forwarding.path(direct, 9).path).toEqual([direct, 9]);
    expect(mesh.sample()).toMatchObject({ outage: 0, outsideMargin: 0 });
  });

  it.each([1, 2, 3, 4])(
    'never sends a packet round or to where nobody knows it, whatever happens (seed %i)',
    (seed) => {
      const mesh = simulate(
        12,
        {
          seed,
          seconds: 350,
          settleSeconds: 200,
          troublesPerMinute: 60,
          leafShare: 0.15,
          lostAckShare: 0.01,
          degree: seed % 2 === 0 ? 8 : 0,
        },
        seed,
      );
      const result = mesh.run();
      expect(result.firstFaults).toEqual([]);
      expect({ loops: result.loops, missingRows: result.missingRows }).toEqual({ loops: 0, missingRows: 0 });
      expect(result.checks).toBeGreaterThan(1_000);
      expect(Object.values(result.troubles).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(30);
      // all is well again after the last trouble
      expect(result.samples.at(-1)).toMatchObject({ pairs: 12 * 11, outage: 0, outsideMargin: 0 });
    },
  );

  it.skipIf(!existsSync(PLANETLAB))('comes to the optimum of measured RTTs', () => {
    const all = parseRttMatrix(gunzipSync(readFileSync(PLANETLAB)).toString());
    const places = Array.from({ length: 20 }, (_, i) => i * 9);
    const mesh = new Simulation(all.subset(places), {
      ...DEFAULT_SIMULATION,
      seconds: 330,
      settleSeconds: 220,
    });
    const result = mesh.run();
    expect(result).toMatchObject({ loops: 0, missingRows: 0 });
    const last = result.samples.at(-1);
    expect(last).toMatchObject({ pairs: 20 * 19, outage: 0, outsideMargin: 0 });
    expect(last?.meanStretch).toBeLessThan(1.01);
  });
});
