import { expect, it } from 'vitest';
import { silentLogger } from '../../../protocol/log.ts';
import { refreshing } from '../../../steering/cluster/store-refresh.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

it('asks each time, but not soon again after it was not answered', () => {
  const clock = new TurnedClock();
  let asked = 0;
  let isThere = true;
  const refresh = () => {
    asked++;
    if (!isThere) throw new Error('nobody');
  };
  const isNewest = refreshing({ refresh }, { clock, log: silentLogger });
  expect([isNewest(), isNewest(), asked]).toEqual([true, true, 2]);
  isThere = false;
  expect([isNewest(), isNewest(), asked]).toEqual([false, false, 3]);
  isThere = true;
  clock.turn(4999);
  expect(isNewest()).toBe(false);
  clock.turn(1);
  expect([isNewest(), asked]).toEqual([true, 4]);
});
