import { expect, it } from 'vitest';
import { busyMachine, parseProcessorTimes, processorShares } from '../../../netlab/scenario/processor-times.ts';

const stat = (idle: number, stolen: number) =>
  `cpu  100 0 50 ${idle} 10 0 5 ${stolen} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 4\n`;

it('tells how much of the time between two readings the machine had to spare', () => {
  const before = parseProcessorTimes(stat(1_000, 20));
  expect(before).toEqual({ totalTicks: 1_185, idleTicks: 1_010, stolenTicks: 20 });
  const shares = processorShares(before, parseProcessorTimes(stat(1_075, 45)));
  expect(shares).toEqual({ idle: 0.75, stolen: 0.25 });
});

it('knows nothing where there is no such file, or no time has passed', () => {
  expect(parseProcessorTimes('')).toBeNull();
  expect(parseProcessorTimes('cpu  1 2 3\n')).toBeNull();
  const once = parseProcessorTimes(stat(1, 0));
  expect(processorShares(once, once)).toBeNull();
  expect(processorShares(null, once)).toBeNull();
});

it('excuses nothing on a machine with time to spare', () => {
  expect(busyMachine({ idle: 0.5, stolen: 0 })).toBeNull();
  expect(busyMachine({ idle: 0.1, stolen: 0 })).toContain('idle for 10 % of the run');
  expect(busyMachine({ idle: 0.5, stolen: 0.08 })).toContain('other machines took 8 % of their time');
});
