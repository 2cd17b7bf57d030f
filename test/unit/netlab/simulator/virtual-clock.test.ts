import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../../netlab/simulator/virtual-clock.ts';

test('timers run in the order of their time, equal ones in the order of their setting', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 60 }), (delays) => {
      const clock = new VirtualClock();
      const ran: { i: number; atMs: number }[] = [];
      const timers = delays.map(([delay], i) => clock.after(delay, () => ran.push({ i, atMs: clock.monoMs() })));
      for (const [i, [, cancelled]] of delays.entries()) if (cancelled) timers[i]?.cancel();
      clock.runUntil(100);
      const expected = delays
        .map(([atMs, cancelled], i) => ({ i, atMs, cancelled }))
        .filter(({ cancelled }) => !cancelled)
        .sort((a, b) => a.atMs - b.atMs || a.i - b.i)
        .map(({ i, atMs }) => ({ i, atMs }));
      expect(ran).toEqual(expected);
      expect(clock.monoMs()).toBe(100);
    }),
  );
});

test('what a timer sets runs in the same go when it is due', () => {
  const clock = new VirtualClock();
  const ran: number[] = [];
  const again = () => {
    ran.push(clock.monoMs());
    clock.after(10, again);
  };
  clock.after(5, again);
  clock.runUntil(30);
  expect(ran).toEqual([5, 15, 25]);
  expect(clock.nowMs() - clock.monoMs()).toBe(1_700_000_000_000);
});
