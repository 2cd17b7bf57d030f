import { expect, test } from 'vitest';
import { PathGauge } from '../../../netlab/path-gauge.ts';

test('takes the median of the last samples times the runs, within bounds', () => {
  const gauge = new PathGauge({ runsPerSample: 2 });
  expect(gauge.overheadUs).toBe(0);
  for (let i = 0; i < 21; i++) gauge.add(100);
  gauge.add(50_000); // one stall
  expect(gauge.overheadUs).toBe(200);
  for (let i = 0; i < 21; i++) gauge.add(300);
  expect(gauge.overheadUs).toBe(600);
  for (let i = 0; i < 21; i++) gauge.add(1e6);
  expect(gauge.overheadUs).toBe(1000);
  for (let i = 0; i < 21; i++) gauge.add(-20);
  expect(gauge.overheadUs).toBe(0);
});
