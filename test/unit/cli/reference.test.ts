import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { agentConfigSchema } from '../../../agent/agent-program.ts';
import { buildProgram } from '../../../cli/command-line.ts';
import { configFields } from '../../../cli/config-fields.ts';
import { referencePage } from '../../../cli/reference-page.ts';
import { CliSession } from '../../../cli/session.ts';
import { coreConfigSchema } from '../../../steering/core-program.ts';

const settings = new Map([
  ['core', configFields(coreConfigSchema)],
  ['agent', configFields(agentConfigSchema)],
]);

test('docs/reference.md is what `npm run docs` makes', async () => {
  const io = {
    out() {},
    err() {},
    readInput: async () => '',
    env: {},
    colour: false,
    live: false,
    size: () => ({ columns: 80, rows: 24 }),
    nowMs: () => 0,
    untilSignal: () => new Promise<'SIGTERM'>(() => {}),
  };
  const program = await buildProgram(new CliSession(io), new Set(['core', 'agent']));
  const page = readFileSync(new URL('../../../docs/reference.md', import.meta.url), 'utf8');
  expect(page, 'run `npm run docs`').toBe(referencePage(program, settings));
});

test('every setting says what it is, and no two make the same flag', () => {
  for (const [command, fields] of settings) {
    expect(fields.filter((field) => field.description === '').map((field) => `${command}: ${field.name}`)).toEqual([]);
    expect(new Set(fields.map((field) => field.flag)).size).toBe(fields.length);
  }
});
