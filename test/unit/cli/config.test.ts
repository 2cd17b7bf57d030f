/** Flags and files of a config schema, with a schema of every kind of field. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { closestWord, editDistance } from '../../../cli/closest-word.ts';
import { configFields } from '../../../cli/config-fields.ts';
import { parseConfigText } from '../../../cli/config-file.ts';
import { addConfigFlags, defaultText, flagText, givenFlags } from '../../../cli/config-flags.ts';
import { loadConfig } from '../../../cli/config-load.ts';
import { ThalwegError } from '../../../protocol/error.ts';

const schema = z.strictObject({
  stateDir: z.string().default('/var/lib/x').describe('folder of the state'),
  node4Range: z.string().default('100.96.0.0/12').describe('addresses'),
  probeIntervalMs: z.number().int().min(50).max(60_000).default(200).describe('between probes'),
  lossPrice: z.number().positive().default(2.5).describe('price'),
  transit: z.boolean().default(true).describe('do not forward for others'),
  verbose: z.boolean().default(false).describe('say more'),
  advertise: z.array(z.string()).default([]).describe('addresses in tokens'),
  logLevel: z.enum(['debug', 'info']).default('info').describe('least level'),
  steering: z.strictObject({ holdMs: z.number().int().min(0).default(3000).describe('hold') }).prefault({}),
});
const fields = configFields(schema);
const folder = mkdtempSync(join(tmpdir(), 'thalweg-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function parse(...argv: string[]): Promise<Record<string, unknown>> {
  const command = new Command('x').exitOverride().configureOutput({ outputError: () => {} });
  addConfigFlags(command, fields);
  command.parse(argv, { from: 'user' });
  return loadConfig(schema, command.getOptionValue('config'), givenFlags(command, fields));
}

async function failure(run: () => unknown): Promise<{ code: string; message: string; nextStep: string | undefined }> {
  try {
    await run();
  } catch (error) {
    if (error instanceof ThalwegError) return { code: error.code, message: error.message, nextStep: error.nextStep };
    throw error;
  }
  throw new Error('it did not fail');
}

test('fields become flags with default and range', () => {
  expect(fields.map((field) => [field.name, flagText(field), defaultText(field), field.range])).toEqual([
    ['stateDir', '--state-dir <folder>', '/var/lib/x', ''],
    ['node4Range', '--node4-range <value>', '100.96.0.0/12', ''],
    ['probeIntervalMs', '--probe-interval-ms <number>', '200', '50 to 60000'],
    ['lossPrice', '--loss-price <number>', '2.5', 'more than 0'],
    ['transit', '--no-transit', '', ''],
    ['verbose', '--verbose', '', ''],
    ['advertise', '--advertise <value,…>', '', ''],
    ['logLevel', '--log-level <choice>', 'info', 'debug, info'],
    ['steering.holdMs', '--steering-hold-ms <number>', '3000', 'at least 0'],
  ]);
});

test('without flags every default holds', async () => {
  expect(await parse()).toMatchObject({
    probeIntervalMs: 200,
    transit: true,
    verbose: false,
    steering: { holdMs: 3000 },
  });
});

test('flags of every kind', async () => {
  const config = await parse(
    ...['--probe-interval-ms', '500', '--no-transit', '--verbose', '--loss-price', '1e-1'],
    ...['--advertise', 'a:1,b:2', '--advertise', 'c:3', '--steering-hold-ms', '0', '--node4-range', '10.0.0.0/8'],
  );
  expect(config).toMatchObject({
    probeIntervalMs: 500,
    transit: false,
    verbose: true,
    lossPrice: 0.1,
    advertise: ['a:1', 'b:2', 'c:3'],
    node4Range: '10.0.0.0/8',
    steering: { holdMs: 0 },
  });
});

test('a file holds the same settings, and flags win over it', async () => {
  const file = join(folder, 'core.yaml');
  writeFileSync(file, '# mine\nprobeIntervalMs: 400\nsteering:\n  holdMs: 10\nadvertise: [a:1]\n');
  const config = await parse('--config', file, '--probe-interval-ms', '500');
  expect(config).toMatchObject({ probeIntervalMs: 500, steering: { holdMs: 10 }, advertise: ['a:1'] });
});

describe('mistakes name field, value and what is allowed', () => {
  test('flags', async () => {
    expect(await failure(() => parse('--probe-interval-ms', 'fast'))).toEqual({
      code: 'invalid_argument',
      message: '--probe-interval-ms fast: not a whole number',
      nextStep: 'pass a whole number, 50 to 60000',
    });
    const range = await failure(() => parse('--probe-interval-ms', '7'));
    expect(range.code).toBe('invalid_argument');
    expect(range.message).toMatch(/^--probe-interval-ms 7: /);
    expect(range.nextStep).toBe('allowed: 50 to 60000');
    expect((await failure(() => parse('--log-level', 'loud'))).nextStep).toBe('allowed: debug, info');
    expect((await failure(() => parse('--steering-hold-ms', '-4'))).message).toMatch(/^--steering-hold-ms -4: /);
  });

  test('files', async () => {
    const bad = (text: string) => failure(() => parseConfigText(text, 'core.yaml', fields));
    expect(await bad('stateDir: /x\nprobeIntervalMS: 5\n')).toMatchObject({
      code: 'invalid_config',
      message: 'core.yaml:2: unknown setting probeIntervalMS; did you mean probeIntervalMs?',
    });
    expect((await bad('steering:\n  holdMx: 5\n')).message).toBe(
      'core.yaml:2: unknown setting steering.holdMx; did you mean steering.holdMs?',
    );
    expect((await bad('zebra: 1\n')).message).toBe('core.yaml:1: unknown setting zebra');
    expect((await bad('- a\n')).message).toBe('core.yaml: not a list of settings');
    expect((await bad('a: [1\nb: 2\n')).message).toMatch(/^core\.yaml:\d+: /);
    const file = join(folder, 'range.json');
    writeFileSync(file, '{"probeIntervalMs": 7}');
    const range = await failure(() => parse('--config', file));
    expect(range.code).toBe('invalid_config');
    expect(range.message).toContain('range.json: probeIntervalMs 7: ');
    expect((await failure(() => parse('--config', '/nowhere/x.yaml'))).message).toBe(
      '--config /nowhere/x.yaml: there is no such file',
    );
  });

  test('an empty file is an empty config', () => {
    expect(parseConfigText('# nothing\n', 'x', fields)).toEqual({});
  });
});

test('the nearest word', () => {
  expect(closestWord('stauts', ['status', 'start'])).toBe('status');
  expect(closestWord('zebra', ['status', 'node'])).toBeUndefined();
  expect([editDistance('', 'abc'), editDistance('abcd', 'acbd'), editDistance('kitten', 'sitting')]).toEqual([3, 1, 3]);
});
