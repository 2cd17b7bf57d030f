import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseScenario } from '../../netlab/scenario/scenario-file.ts';
import { EVENT_KINDS, EXPECTATION_KINDS, scenarioSchema } from '../../netlab/scenario/scenario-schema.ts';
import { ThalwegError } from '../../protocol/error.ts';

function refusesCleanly(text: string): void {
  try {
    const scenario = parseScenario('f.yaml', text);
    expect(scenario.hosts.length).toBeGreaterThan(1);
  } catch (error) {
    if (!(error instanceof ThalwegError)) throw error;
    expect(error.code).toBe('invalid_scenario');
    expect(error.message).toMatch(/^f\.yaml:\d+: /);
    const lines = text.split('\n').length;
    expect(Number(error.fields['line'])).toBeGreaterThanOrEqual(1);
    expect(Number(error.fields['line'])).toBeLessThanOrEqual(lines);
  }
}

it('arbitrary text is a scenario or an invalid_scenario, nothing else', () => {
  fc.assert(fc.property(fc.string({ maxLength: 400, unit: 'binary' }), refusesCleanly));
  const marks = fc.constantFrom(
    '[',
    ']',
    '{',
    '}',
    ': ',
    '- ',
    '\n',
    '  ',
    '&a ',
    '*a',
    '"',
    '|\n',
    '!!x ',
    '#',
    '? ',
    'hosts',
    '%',
  );
  fc.assert(fc.property(fc.array(marks, { maxLength: 80 }), (parts) => refusesCleanly(parts.join(''))));
});

it('the right keys with arbitrary values too', () => {
  const leaf = fc.oneof(
    fc.constantFrom('a', 'b', 'zz', '5s', '5ms', '1%', 'all', 'end', '1s after event 1', '10mbit', null, true),
    fc.integer({ min: -5, max: 2_000 }),
  );
  const keys = fc.constantFrom(
    ...new Set([...Object.keys(scenarioSchema.shape), ...EVENT_KINDS, ...EXPECTATION_KINDS]),
    ...[
      'at',
      'from',
      'to',
      'between',
      'rtt',
      'delay',
      'loss',
      'flow',
      'ping',
      'at-most',
      'path',
      'by',
      'window',
      'rows',
    ],
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(keys, tie('tree'), { maxKeys: 6, noNullPrototype: true }),
    ),
  }));
  const base = { name: 'x', hosts: ['a', 'b'], duration: '20s' };
  fc.assert(
    fc.property(fc.dictionary(keys, tree, { maxKeys: 5, noNullPrototype: true }), (extra) => {
      refusesCleanly(stringify({ ...base, ...extra }, { aliasDuplicateObjects: false }));
    }),
  );
});
