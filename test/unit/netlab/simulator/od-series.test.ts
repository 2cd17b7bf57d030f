import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { demandOfStep, parseOdSeries } from '../../../../netlab/simulator/load/od-series.ts';

const CMU = new URL('../../../../../shared/data/cmu-traffic/od.csv.gz', import.meta.url);
const TEXT = 'step,0>1,0>0,1>1,1>0\n0,10,1,2,4\n1,0,0,0,8\n';

describe('a series of traffic matrices', () => {
  it('reads pairs in any order of columns', () => {
    const { places, steps } = parseOdSeries(TEXT);
    expect(places).toBe(2);
    expect(steps.map((step) => [...step])).toEqual([
      [1, 10, 4, 2],
      [0, 0, 8, 0],
    ]);
  });

  it('divides what two places exchange between their nodes by weight, and loses nothing of it', () => {
    const [volumes = new Float64Array()] = parseOdSeries(TEXT).steps;
    const { from, to, rateBps } = demandOfStep(volumes, 2, Float64Array.of(1, 1, 3), 100);
    const rate = (a: number, b: number) => rateBps[[...from].findIndex((s, row) => s === a && to[row] === b)];
    // nodes 0 and 2 are of place 0, node 1 is place 1
    expect([rate(0, 1), rate(2, 1), rate(1, 0), rate(1, 2)]).toEqual([250, 750, 100, 300]);
    // of place 0's own volume what nodes send to themselves is left out: 1/16 and 9/16
    expect(rateBps.reduce((sum, bps) => sum + bps, 0)).toBeCloseTo(100 * (10 + 4 + 1 - 10 / 16), 9);
  });

  it.each([
    ['', '0 columns'],
    ['step,0>1\n0,1\n', 'column "0>1" is no pair'],
    ['step,0>1,0>0,1>1\n0,1,1,1\n', '3 columns'],
    ['step,0>0,0>0,1>1,1>0\n0,1,1,1,1\n', 'a pair has two columns'],
    ['step,0>0\n', 'no steps'],
    ['step,0>0\n0,1,2\n', 'line 2 has 2 volumes, not 1'],
    ['step,0>0\n0,-1\n', 'line 2: -1 is not a volume'],
    ['step,0>0\n0,\n', 'line 2:  is not a volume'],
  ])('refuses %j', (text, message) => {
    expect(() => parseOdSeries(text)).toThrow(message);
  });

  it.skipIf(!existsSync(CMU))('reads what was measured', () => {
    const { places, steps } = parseOdSeries(gunzipSync(readFileSync(CMU)).toString());
    expect([places, steps.length]).toEqual([12, 300]);
    expect(steps[0]?.reduce((sum, volume) => sum + volume, 0)).toBe(2_609_100_292);
  });
});
