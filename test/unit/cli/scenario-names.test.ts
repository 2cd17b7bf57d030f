/** Scenarios by name: those that ship, and what is neither a name nor a file. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { scenarioFile, shippedNames } from '../../../netlab/scenario/shipped-scenarios.ts';
import { runInProcess } from './cli-harness.ts';

test('a bare name is a scenario that ships, a path is itself', () => {
  expect(shippedNames()).toContain('detour');
  expect(existsSync(scenarioFile('detour'))).toBe(true);
  expect(scenarioFile('./detour')).toBe('./detour');
  expect(scenarioFile('my/detour.yaml')).toBe('my/detour.yaml');
  expect(() => scenarioFile('zebra')).toThrowError(expect.objectContaining({ code: 'invalid_argument' }));
});

test('lab run without a scenario lists those that ship', async () => {
  const asText = await runInProcess(['lab', 'run']);
  expect(asText).toMatchObject({ code: 0, err: '' });
  expect(asText.out).toMatch(/^detour +3 +70 s$/m);
  expect(Math.max(...asText.out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  const asJson = await runInProcess(['lab', 'run', '--json']);
  const listed = JSON.parse(asJson.out) as { name: string }[];
  expect(listed.map((one) => one.name)).toEqual(shippedNames());
});
