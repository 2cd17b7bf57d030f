import { expect, test } from 'vitest';
import { chooseDriver } from '../../../netlab/driver-choice.ts';
import { needsDelay, PERFECT_LINK } from '../../../netlab/link-shape.ts';
import { labSettings } from '../../../netlab/scenario/lab-settings.ts';
import { parseScenario } from '../../../netlab/scenario/scenario-file.ts';

test('what needs a driver that can delay', () => {
  expect(needsDelay({ ...PERFECT_LINK, lossPpm: 10, rateBps: 1e6, cut: true })).toBe(false);
  expect(needsDelay({ ...PERFECT_LINK, oneWayDelayUs: 1 })).toBe(true);
  expect(needsDelay({ ...PERFECT_LINK, jitterUs: 1 })).toBe(true);
});

test('the cheapest driver that can do what is asked', () => {
  expect(chooseDriver(undefined, false, true)).toBe('plain');
  expect(chooseDriver(undefined, true, true)).toBe('netem');
  expect(chooseDriver(undefined, true, false)).toBe('wire');
});

test('what was asked for, unless it cannot be', () => {
  expect(chooseDriver('wire', false, true)).toBe('wire');
  expect(chooseDriver('netem', false, true)).toBe('netem');
  expect(() => chooseDriver('netem', true, false)).toThrow(/sch_netem/);
  expect(() => chooseDriver('plain', true, true)).toThrow(/cannot delay/);
});

const later = (event: string, more = '') =>
  labSettings(
    parseScenario('x.yaml', `name: x\nduration: 9s\nhosts: [a, b]\n${more}events:\n  - { at: 1s, ${event} }\n`),
  );

test('a scenario whose links are only delayed by an event says so, and leaves the driver open', () => {
  expect(later('degrade: { between: [a, b], rtt: 9ms }')).toMatchObject({ delaysLater: true });
  expect(later('degrade: { between: [a, b], jitter: 9ms }')).not.toHaveProperty('driver');
  expect(later('degrade: { between: [a, b], loss: 9% }')).toMatchObject({ delaysLater: false });
  expect(later('cut: { between: [a, b] }', 'driver: netem\n')).toMatchObject({ delaysLater: false, driver: 'netem' });
});
