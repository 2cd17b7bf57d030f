import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseScenario } from '../../../netlab/scenario/scenario-file.ts';
import { CHURN_KINDS, EVENT_KINDS, EXPECTATION_KINDS, knownKeys } from '../../../netlab/scenario/scenario-schema.ts';

const page = readFileSync(new URL('../../../docs/scenarios.md', import.meta.url), 'utf8');

it('docs/scenarios.md names every key', () => {
  const keys = [
    ...[
      [],
      ['hosts', 0],
      ['probes'],
      ['underlay'],
      ['underlay', 'default'],
      ['underlay', 'rtt-matrix'],
      ['traffic', 0],
      ['pings', 0],
    ],
    ...[
      ['churn'],
      ...EVENT_KINDS.map((kind) => ['events', 0, kind]),
      ...EXPECTATION_KINDS.map((kind) => ['expect', 0, kind]),
    ],
  ].flatMap((path) => knownKeys(path));
  expect(keys.length).toBeGreaterThan(60);
  const words = new Set([...keys, ...EVENT_KINDS, ...EXPECTATION_KINDS, ...CHURN_KINDS]);
  expect([...words].filter((key) => !new RegExp(`[\`{ ,]${key}[\`:,} ]`).test(page))).toEqual([]);
});

it("the page's example is a valid scenario", () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  expect(parseScenario('docs/scenarios.md', example).expectations).toHaveLength(3);
});
