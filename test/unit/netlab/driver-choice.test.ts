import { expect, test } from 'vitest';
import { chooseDriver } from '../../../netlab/driver-choice.ts';
import { PERFECT_LINK } from '../../../netlab/link-shape.ts';

const lossy = { ...PERFECT_LINK, lossPpm: 10, rateBps: 1e6, cut: true };
const delayed = { ...PERFECT_LINK, oneWayDelayUs: 1 };
const jittery = { ...PERFECT_LINK, jitterUs: 1 };

test('the cheapest driver that can do what the shapes ask', () => {
  expect(chooseDriver(undefined, [PERFECT_LINK, lossy], true)).toBe('plain');
  expect(chooseDriver(undefined, [lossy, delayed], true)).toBe('netem');
  expect(chooseDriver(undefined, [lossy, delayed], false)).toBe('wire');
  expect(chooseDriver(undefined, [jittery], false)).toBe('wire');
});

test('what was asked for, unless it cannot be', () => {
  expect(chooseDriver('wire', [PERFECT_LINK], true)).toBe('wire');
  expect(chooseDriver('netem', [PERFECT_LINK], true)).toBe('netem');
  expect(() => chooseDriver('netem', [delayed], false)).toThrow(/sch_netem/);
  expect(() => chooseDriver('plain', [delayed], true)).toThrow(/cannot delay/);
});
