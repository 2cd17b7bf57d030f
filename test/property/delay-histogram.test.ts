import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DelayHistogram } from '../../netlab/traffic/delay-histogram.ts';
import { percentile } from '../../netlab/traffic/percentile.ts';

it('percentiles are those of the sorted samples, at most 1/64 and a microsecond too high', () => {
  const delays = fc.array(fc.oneof(fc.nat(300), fc.nat(200_000), fc.nat(2 ** 31 - 1)), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(delays, fc.integer({ min: 1, max: 100 }), (samples, p) => {
      const histogram = new DelayHistogram();
      for (const sample of samples) histogram.note(sample);
      const exact = percentile(Float64Array.from(samples).sort(), p) ?? Number.NaN;
      const found = histogram.percentileUs(p) ?? Number.NaN;
      expect(found).toBeGreaterThanOrEqual(exact);
      expect(found).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 1);
      expect(histogram.summary().maxUs).toBe(Math.max(...samples));
    }),
  );
  expect(new DelayHistogram().summary()).toEqual({ p50Us: null, p99Us: null, maxUs: null });
});
