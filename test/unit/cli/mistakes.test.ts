/** Each command with a mistake: exit code, message, next step; as text and as JSON. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { flagsNeeded } from '../../../cli/command-line.ts';
import { EXIT, exitCodeOf } from '../../../cli/exit-code.ts';
import { ERROR_CODES } from '../../../protocol/error.ts';
import { runInProcess, startFakeCore } from './cli-harness.ts';

test.each<[string, number, string]>([
  ['stauts', 2, "unknown command 'stauts'; did you mean status?"],
  ['node lst', 2, "unknown command 'lst'; did you mean list?"],
  ['node show', 2, "missing required argument 'name'"],
  ['node show a b', 2, "too many arguments for 'show'. Expected 1 argument but got 2."],
  ['node list --jsno', 2, "unknown option '--jsno'; did you mean --json?"],
  ['token create --us 3', 2, "unknown option '--us'; did you mean --uses?"],
  ['token create --uses 0', 2, '--uses 0: not a whole number from 1 to 100000'],
  ['token create --uses 100001', 2, '--uses 100001: not a whole number from 1 to 100000'],
  ['token create --expires 1s', 2, '--expires 1s: not between 60s and 365d'],
  ['token create --expires 366d', 2, '--expires 366d: not between 60s and 365d'],
  ['token create --expires soon', 2, '--expires soon: not a duration'],
  ['token create --label berlin', 2, '--label berlin: not key=value'],
  ['key create', 2, "required option '--role <role>' not specified"],
  ['key create --role root', 2, "option '--role <role>' argument 'root' is invalid"],
  ['key create --role viewer --expires soon', 2, '--expires soon: not a duration'],
  ['key create --role viewer --expires 3651d', 2, '--expires 3651d: not between 60s and 3650d'],
  ['key revoke', 2, "missing required argument 'id'"],
  ['audit --limit 0', 2, '--limit 0: not a whole number from 1 to 99999'],
  ['status --core http://127.0.0.1:1 --api-key-file /nowhere', 2, '--api-key-file /nowhere: there is no such file'],
  ['status --core https://127.0.0.1:1 --api-ca-file /', 2, '--api-ca-file /: it is a folder'],
  ['core --api-tls-cert x --api 127.0.0.1:0', 2, 'apiTlsKey is missing'],
  ['token revoke', 2, "missing required argument 'id'"],
  ['join', 2, 'join needs a token'],
  ['join x --token-file /y', 2, 'a token and --token-file at once'],
  ['join --token-file /nowhere/token', 2, '--token-file /nowhere/token: ENOENT'],
  ['join nonsense', 2, 'a join token starts with tw1.'],
  ['path a', 2, 'path a where?'],
  ['path a a', 2, 'a to itself is no path'],
  ['lab run detuor', 2, 'there is no scenario detuor; did you mean "detour"?'],
  ['lab up zebra', 2, 'there is no scenario zebra'],
  ['core --config /', 2, '--config /: it is a folder'],
  ['core --heartbeat-ms 5', 2, '--heartbeat-ms 5: less than 100'],
  ['core --steering-hold-ms 700000', 2, '--steering-hold-ms 700000: more than 600000'],
  ['agent --listen-port 99999', 2, '--listen-port 99999: more than 65535'],
  ['core --api here', 2, '--api here: must be host:port, with IPv6 addresses in brackets'],
  ['core --listen 0.0.0.0:99999', 2, 'listen 0.0.0.0:99999: port 99999 is beyond 65535'],
  ['core --log-level loud', 2, '--log-level loud: not one of debug, info, warn, error'],
  ['lab run ./zebra.yaml', 4, 'scenario file ./zebra.yaml cannot be read'],
  [
    'completion tcsh',
    2,
    "command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.",
  ],
  ['status --core nonsense', 2, 'core address nonsense is neither unix:/path nor http://host:port'],
  ['status --core unix:/nowhere/core.sock', 3, 'no core answers at unix:/nowhere/core.sock'],
])('thalweg %s', async (line, code, message) => {
  const argv = line.split(' ');
  const asText = await runInProcess(argv);
  expect(asText).toMatchObject({ code, out: '' });
  expect(asText.err).toContain(`thalweg: ${message}`);
  expect(asText.err, 'says what to do next').toMatch(/\n {2}next: .+\n$/);
  const asJson = await runInProcess([...argv, '--json']);
  expect(asJson).toMatchObject({ code, err: '' });
  const { error } = JSON.parse(asJson.out) as { error: { message: string; nextStep: string } };
  expect(error.message).toContain(message);
  expect(error.nextStep).not.toBe('');
});

test('lab exec: an option after the host would be the program’s, and is refused', async () => {
  const run = await runInProcess(['lab', 'exec', 'aws', '--lab', 'zebra', '--', 'true']);
  expect(run.code).toBe(2);
  expect(run.err).toContain('--lab after the host aws');
});

test('what the core does not know ends with 4, in its own words', async () => {
  const core = await startFakeCore({});
  try {
    for (const line of ['node show zebra', 'node remove zebra', 'token revoke zebra', 'path a zebra']) {
      const run = await runInProcess(line.split(' '), { env: { THALWEG_CORE: core.target } });
      expect(run.code, line).toBe(4);
      expect(run.err).toMatch(/^thalweg: there is no \/v1\/.*\n {2}next: see/);
    }
  } finally {
    await core.stop();
  }
});

test('names are encoded into the address, so that a name cannot reach another one', async () => {
  const core = await startFakeCore({});
  try {
    await runInProcess(['node', 'remove', '../tokens/x', '--core', core.target]);
    expect(core.calls).toEqual(['DELETE /v1/nodes/..%2Ftokens%2Fx']);
  } finally {
    await core.stop();
  }
});

test('a token from standard input or a file; a bad one never appears in the message', async () => {
  const secret = `tw1.${'c2VjcmV0'.repeat(20)}.000000`;
  const fromInput = await runInProcess(['join', '-'], { input: `${secret}\n` });
  expect(fromInput.code).toBe(2);
  expect(fromInput.err).toContain('the token is incomplete or mistyped');
  const folder = mkdtempSync(join(tmpdir(), 'thalweg-token-'));
  try {
    writeFileSync(join(folder, 'token'), `${secret}\n`);
    const fromFile = await runInProcess(['join', '--token-file', join(folder, 'token')]);
    expect(fromFile.err).toContain('the token is incomplete or mistyped');
    expect(fromInput.err + fromFile.err).not.toContain('c2Vj');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('help and version end with 0 on stdout, a missing subcommand with 2 on stderr', async () => {
  for (const argv of [['--help'], ['help'], ['node', '--help'], ['help', 'node'], ['token', 'create', '-h']]) {
    const run = await runInProcess(argv);
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toContain('Usage: thalweg');
    expect(run.out).toContain('--json');
  }
  expect((await runInProcess(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  for (const argv of [[], ['node'], ['token']]) {
    const run = await runInProcess(argv);
    expect(run).toMatchObject({ code: 2, out: '' });
    expect(run.err).toContain('Usage: thalweg');
  }
});

test('with --json also a missing subcommand is an object on stdout, and nothing else is said', async () => {
  for (const [argv, words] of [
    [[], 'thalweg'],
    [['node'], 'thalweg node'],
    [['lab'], 'thalweg lab'],
  ] as const) {
    const run = await runInProcess([...argv, '--json']);
    expect(run).toMatchObject({ code: 2, err: '' });
    expect(JSON.parse(run.out)).toEqual({
      error: { code: 'invalid_argument', message: `${words} needs a command`, nextStep: `see \`${words} --help\`` },
    });
  }
});

test('a program loads only its own flags', () => {
  expect([...flagsNeeded(['agent', '--state-dir', 'x'])]).toEqual(['agent']);
  expect([...flagsNeeded(['--json', '--core', 'agent', 'core'])]).toEqual(['core']);
  expect([...flagsNeeded(['agent', 'down'])]).toEqual([]);
  expect([...flagsNeeded(['help', 'core'])]).toEqual(['core']);
  expect([...flagsNeeded(['status'])]).toEqual([]);
});

test('every error code has an exit code that is not 0', () => {
  for (const code of ERROR_CODES) expect(exitCodeOf(code), code).not.toBe(EXIT.ok);
});
