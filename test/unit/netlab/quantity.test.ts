import { expect, it } from 'vitest';
import {
  formatMs,
  parseBytes,
  parseDurationUs,
  parseLossPpm,
  parseRateBps,
} from '../../../netlab/scenario/quantity.ts';

it.each([
  [parseDurationUs, '5ms', 5_000],
  [parseDurationUs, '1.5s', 1_500_000],
  [parseDurationUs, '10m', 600_000_000],
  [parseDurationUs, '2h', 7_200_000_000],
  [parseDurationUs, '250us', 250],
  [parseDurationUs, 0, 0],
  [parseRateBps, '100mbit', 100_000_000],
  [parseRateBps, '64 kbit', 64_000],
  [parseLossPpm, '0.5%', 5_000],
  [parseLossPpm, '100%', 1_000_000],
  [parseBytes, '64MiB', 67_108_864],
] as const)('%o of %s is %d', (parse, text, value) => {
  expect(parse(text)).toEqual({ ok: true, value });
});

it.each([
  [parseDurationUs, '5'],
  [parseDurationUs, '-5ms'],
  [parseDurationUs, '5 weeks'],
  [parseDurationUs, '5constructor'],
  [parseDurationUs, ''],
  [parseDurationUs, null],
  [parseDurationUs, [1]],
  [parseRateBps, '1bit'],
  [parseRateBps, '5MB'],
  [parseLossPpm, '101%'],
  [parseLossPpm, 0.5],
] as const)('%o refuses %s', (parse, text) => {
  expect(parse(text).ok).toBe(false);
});

it('writes milliseconds for people', () => {
  expect([0.25, 5, 13.37, 120.4, 1_500, 61_000].map(formatMs)).toEqual([
    '0.25 ms',
    '5 ms',
    '13.4 ms',
    '120 ms',
    '1.5 s',
    '61 s',
  ]);
});
