import { describe, expect, it } from 'vitest';
import { cappedBytesPerSecond, DemandMatrix } from '../../../steering/demand/demand-matrix.ts';

const demand = (peerIndex: number, bytesPerSecond: number) => ({ peerIndex, bytesPerSecond });

describe('DemandMatrix', () => {
  it('nears a steady rate within a few reports, rises faster than it falls, and ends at nothing', () => {
    const matrix = new DemandMatrix();
    const rates: number[] = [];
    for (let t = 0; t <= 20_000; t += 5000) {
      matrix.report(1, [demand(2, 1e6)], t);
      rates.push(matrix.rate(1, 2, t));
    }
    expect(rates[0]).toBeCloseTo(1e6 * (1 - Math.exp(-1)), 0);
    expect(rates[4]).toBeGreaterThan(0.98e6);
    matrix.report(1, [demand(2, 0)], 25_000);
    expect(matrix.rate(1, 2, 25_000)).toBeCloseTo((rates[4] ?? 0) * Math.exp(-0.25), 0);
    for (let t = 30_000; t < 300_000; t += 5000) matrix.report(1, [], t);
    expect(matrix.pairs(300_000)).toEqual([]);
    expect(matrix.size).toBe(0);
  });

  it('takes what a peer that is not named is sent for nothing', () => {
    const matrix = new DemandMatrix();
    matrix.report(1, [demand(2, 1e6), demand(3, 1e6)], 0);
    matrix.report(1, [demand(2, 1e6)], 5000);
    expect(matrix.rate(1, 3, 5000)).toBeLessThan(matrix.rate(1, 2, 5000));
    expect(matrix.rate(1, 3, 5000)).toBeCloseTo(1e6 * (1 - Math.exp(-1)) * Math.exp(-0.25), 0);
  });

  it('believes nobody who names itself, a negative rate, or more than a node can send, and counts them', () => {
    const matrix = new DemandMatrix();
    matrix.report(1, [demand(1, 5e6), demand(2, -1), demand(3, Number.NaN), demand(4, 1e13), demand(5, 1e6)], 0);
    expect(matrix.pairs(0).map(({ from, to }) => [from, to])).toEqual([[1, 5]]);
    expect(matrix.refused).toBe(4);
  });

  it('forgets a sender that is silent, and a node that is gone as sender and receiver', () => {
    const matrix = new DemandMatrix();
    matrix.report(1, [demand(2, 1e6)], 0);
    matrix.report(2, [demand(1, 1e6), demand(3, 1e6)], 30_000);
    expect(matrix.rate(1, 2, 30_000)).toBeGreaterThan(0);
    expect(matrix.rate(1, 2, 30_001)).toBe(0);
    matrix.removeNode(1);
    expect(matrix.pairs(30_000).map(({ from, to }) => [from, to])).toEqual([[2, 3]]);
    expect(matrix.size).toBe(1);
  });

  it('keeps the largest pairs, sums the others up by sender, and loses no byte over it', () => {
    const matrix = new DemandMatrix({ maxPairs: 100 });
    let told = 0;
    for (let from = 1; from <= 15; from++) {
      const demands = Array.from({ length: 10 }, (_, i) => demand(100 + i, 1000 * (from * 10 + i)));
      matrix.report(from, demands, 0);
      for (const { bytesPerSecond } of demands) told += bytesPerSecond * (1 - Math.exp(-1));
    }
    expect(matrix.size).toBeLessThanOrEqual(100);
    const kept = matrix.pairs(0);
    const others = matrix.others(0);
    const sum = [...kept, ...others].reduce((total, { bytesPerSecond }) => total + bytesPerSecond, 0);
    expect(sum / told).toBeCloseTo(1, 9);
    expect(kept.some(({ from, to }) => from === 15 && to === 109)).toBe(true);
    expect(kept.some(({ from, to }) => from === 1 && to === 100)).toBe(false);
  });

  it('stays bounded at 100,000 pairs when every node sends to every other', () => {
    const matrix = new DemandMatrix();
    for (let round = 0; round < 2; round++) {
      for (let from = 1; from <= 400; from++) {
        const demands = Array.from({ length: 400 }, (_, i) =>
          demand(i + 1, ((from * 7919 + i * 104_729) % 1e6) + 1000),
        );
        matrix.report(from, demands, round * 5000);
        expect(matrix.size).toBeLessThanOrEqual(100_000);
      }
    }
    expect(matrix.size).toBeGreaterThan(80_000);
  });
});

describe('cappedBytesPerSecond', () => {
  it('scales a sender that claims more than its uplink carries, and leaves others alone', () => {
    const pairs = [
      { from: 1, to: 2, bytesPerSecond: 300 },
      { from: 1, to: 3, bytesPerSecond: 100 },
    ];
    expect(cappedBytesPerSecond(pairs, 400)).toBe(pairs);
    expect(cappedBytesPerSecond(pairs, 100).map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([75, 25]);
  });
});
