import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { hostEnvironment } from '../../../netlab/host-environment.ts';

it('shares the CPUs between the hosts, with at least one thread each', () => {
  expect(hostEnvironment(1, undefined)).toEqual({ GOMAXPROCS: `${availableParallelism()}` });
  expect(Number(hostEnvironment(2, undefined)['GOMAXPROCS'])).toBeLessThanOrEqual(availableParallelism());
  expect(hostEnvironment(1000, undefined)).toEqual({ GOMAXPROCS: '1' });
});

it('leaves alone what somebody has set', () => {
  expect(hostEnvironment(1000, '7')).toEqual({});
});
