import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseRttMatrix, parseRttSlices } from '../../../../netlab/simulator/rtt-matrix.ts';
import { SyntheticRtts } from '../../../../netlab/simulator/synthetic-rtts.ts';

const DATA = new URL('../../../../../shared/data/', import.meta.url);

describe('a matrix of RTTs', () => {
  it('reads a square in milliseconds; a pair has the mean of both directions', () => {
    const matrix = parseRttMatrix('0\t1.5\t2\n2.5\t0\t3\n2\t3\t0\n');
    expect(matrix.size).toBe(3);
    expect([matrix.rttUs(0, 1), matrix.rttUs(1, 0), matrix.rttUs(2, 1)]).toEqual([2_000, 2_000, 3_000]);
    expect(matrix.subset([2, 1]).rttUs(0, 1)).toBe(3_000);
  });

  it('reads one of several slices in seconds, where 0 is below the resolution', () => {
    const text = '0 0.1 0 0\n0 0.3 0.3 0\n';
    expect(parseRttMatrix(text).rttUs(0, 1)).toBe((100_000 + 2_500) / 2);
    expect(parseRttMatrix(text, 1).rttUs(0, 1)).toBe(300_000);
    expect(() => parseRttMatrix(text, 2)).toThrow('there is no slice 2: the file has 2');
    const slices = parseRttSlices(text);
    expect(slices.map((slice) => [slice.measuredUs(0, 1), slice.measuredUs(1, 0)])).toEqual([
      [100_000, 2_500],
      [300_000, 300_000],
    ]);
  });

  it.each([
    ['', 'slices of 0 different sizes'],
    ['0 1 1 0\n0 1 1 1 0 1 1 1 0\n', 'slices of 2 different sizes'],
    ['0 1 1 0\n0 1 1\n', '3 numbers are not a square'],
    ['0 1 1 0\n0 1 x 0\n', 'line 2: "x" is not a number'],
  ])('refuses the slices %j', (text, message) => {
    expect(() => parseRttSlices(text)).toThrow(message);
  });

  it('reads pings, some of them missing', () => {
    const matrix = parseRttMatrix('src,dst,rtt_avg_ms,rtt_min_ms\nB,A,10,9\nA,C,20,19\nC,A,30,29\n');
    expect(matrix.names).toEqual(['A', 'B', 'C']);
    expect([matrix.rttUs(0, 1), matrix.rttUs(0, 2), matrix.rttUs(1, 2)]).toEqual([10_000, 25_000, null]);
    expect([matrix.measuredUs(0, 1), matrix.measuredUs(1, 0), matrix.measuredUs(2, 0)]).toEqual([null, 10_000, 30_000]);
  });

  it('reads profiles without broken samples', () => {
    const head = 'src_region,src_tier,c,dst_region,dst_tier,c,min_rtt,avg_rtt,max_rtt,mdev_rtt\n';
    const rows =
      'a,PREMIUM,m,b,PREMIUM,m,3,10,20,1\nb,PREMIUM,m,a,PREMIUM,m,19,20,21,1\na,STANDARD,m,b,PREMIUM,m,1,1,1,0\n';
    expect(parseRttMatrix(head + rows).rttUs(0, 1)).toBe(20_000);
  });

  it.each([
    ['', 'neither a square'],
    ['0 1\n1 x\n', 'line 2: "x" is not a number'],
    ['0 -1\n1 0\n', 'from 0 to 1 is -1000 us'],
    ['0 1 2\n1 0 2\n', 'neither a square of 2 lines'],
    ['0 1\n0 0\n', 'from 1 to 0 is 0 us'],
    ['src,dst,rtt_avg_ms\nA,B,\n', 'line 2: "" is not a number of milliseconds'],
    ['src,dst,rtt_avg_ms\nA,B,200000\n', 'from A to B is 200000000 us'],
  ])('refuses %j', (text, message) => {
    expect(() => parseRttMatrix(text)).toThrow(message);
  });

  it.skipIf(!existsSync(DATA)).each([
    ['planetlab-rtt/slice_01.txt.gz', 190, 17_955],
    ['seattle-rtt/slices.txt.gz', 49, 1_176],
    ['wondernetwork-2018/pings.csv.gz', 110, 5_900],
    ['skyplane/latency.csv.gz', 29, 400],
  ])('reads %s', (file, size, leastPairs) => {
    const matrix = parseRttMatrix(gunzipSync(readFileSync(new URL(file, DATA))).toString());
    expect(matrix.size).toBe(size);
    let pairs = 0;
    for (let a = 0; a < size; a++) for (let b = 0; b < a; b++) if (matrix.rttUs(a, b) !== null) pairs++;
    expect(pairs).toBeGreaterThanOrEqual(leastPairs);
  });
});

describe('made-up RTTs', () => {
  it('are the same for the same seed and both ways, and long enough for light', () => {
    const [one, two, other] = [new SyntheticRtts(50, 7), new SyntheticRtts(50, 7), new SyntheticRtts(50, 8)];
    const of = (rtts: SyntheticRtts) => Array.from({ length: 49 }, (_, b) => rtts.rttUs(0, b + 1));
    expect(of(one)).toEqual(of(two));
    expect(of(one)).not.toEqual(of(other));
    expect(one.rttUs(3, 40)).toBe(one.rttUs(40, 3));
    expect(Math.min(...of(one))).toBeGreaterThan(400);
    expect(Math.max(...of(one))).toBeLessThan(1_500_000);
  });
});
