import { expect, test } from 'vitest';
import { age, count, duration, latency, loss, moment, rate, relative } from '../../../cli/print/quantity.ts';

test.each([
  [null, '-'],
  [0, '0 ms'],
  [4, '0.004 ms'],
  [412, '0.412 ms'],
  [999.6, '1.00 ms'],
  [5_214, '5.21 ms'],
  [9_996, '10.0 ms'],
  [13_420, '13.4 ms'],
  [99_960, '100 ms'],
  [104_300, '104 ms'],
  [1_204_000, '1204 ms'],
  [-2_500, '-2.50 ms'],
])('latency %s us is %s', (us, text) => expect(latency(us)).toBe(text));

test.each([
  [null, '-'],
  [0, '0 %'],
  [50, '<0.01 %'],
  [200, '0.02 %'],
  [15_000, '1.5 %'],
  [1_000_000, '100 %'],
])('loss %s ppm is %s', (ppm, text) => expect(loss(ppm)).toBe(text));

test.each([
  [null, '-'],
  [0, '0 bit/s'],
  [100, '800 bit/s'],
  [1_000, '8 kbit/s'],
  [1_550_000, '12 Mbit/s'],
  [125_000_000, '1 Gbit/s'],
  [12_500_000_000, '100 Gbit/s'],
])('%s bytes per second are %s', (bytes, text) => expect(rate(bytes)).toBe(text));

test.each([
  [-5, '0 s'],
  [45_900, '45 s'],
  [180_000, '3 min'],
  [47 * 3_600_000, '47 h'],
  [48 * 3_600_000, '2 d'],
])('%s ms last %s', (ms, text) => expect(duration(ms)).toBe(text));

test('ages, distances in time, moments, counts', () => {
  expect(age(null, 1000)).toBe('-');
  expect(age(2000, 1000)).toBe('0 s'); // the other clock is ahead
  expect(relative(61_000, 1000)).toBe('in 1 min');
  expect(relative(1000, 61_000)).toBe('1 min ago');
  expect(moment(Date.UTC(2026, 0, 31, 9, 12, 44, 700))).toBe('2026-01-31 09:12:44 UTC');
  expect([count(1, 'node'), count(2, 'node')]).toEqual(['1 node', '2 nodes']);
});
