import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlidingMinimum } from '../../../../overlay/stamp/sliding-minimum.ts';

describe('sliding minimum', () => {
  it('is none before there is anything', () => {
    expect(new SlidingMinimum(2, 100).at(0)).toBe(Number.POSITIVE_INFINITY);
    expect(new SlidingMinimum(2, 100).at(1e9)).toBe(Number.POSITIVE_INFINITY);
  });

  it('keeps the least, and forgets it with its bucket', () => {
    const minimum = new SlidingMinimum(2, 100);
    minimum.add(7, 10);
    minimum.add(3, 90);
    minimum.add(5, 95);
    expect(minimum.at(99)).toBe(3);
    minimum.add(4, 120);
    expect(minimum.at(199)).toBe(3);
    expect(minimum.at(200)).toBe(4);
    minimum.add(9, 200);
    expect(minimum.at(299)).toBe(4);
    expect(minimum.at(300)).toBe(9);
    expect(minimum.at(400)).toBe(Number.POSITIVE_INFINITY);
  });

  it('knows nothing of before a long silence', () => {
    const minimum = new SlidingMinimum(2, 100);
    minimum.add(1, 0);
    minimum.add(8, 10_000);
    expect(minimum.at(10_000)).toBe(8);
  });

  it('is the least of all that came in its buckets', () => {
    const step = fc.record({ waitMs: fc.nat(400), value: fc.integer({ min: 1, max: 1000 }) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.array(step, { maxLength: 60 }), (buckets, steps) => {
        const minimum = new SlidingMinimum(buckets, 100);
        const seen: { value: number; atMs: number }[] = [];
        let nowMs = 0;
        for (const { waitMs, value } of steps) {
          nowMs += waitMs;
          minimum.add(value, nowMs);
          seen.push({ value, atMs: nowMs });
          const fromMs = (Math.floor(nowMs / 100) - buckets + 1) * 100;
          const lately = seen.filter(({ atMs }) => atMs >= fromMs).map((one) => one.value);
          expect(minimum.at(nowMs)).toBe(Math.min(...lately));
        }
      }),
    );
  });
});
