/** `thalweg key` and `thalweg audit` against a real core, and where the CLI takes its own key from. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestCore } from '../../fake/test-core.ts';
import { runInProcess } from './cli-harness.ts';

let core: TestCore;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'thalweg-key-cli-test-'));
  core = await new TestCore().start();
});
afterAll(async () => {
  await core.stop();
  rmSync(directory, { recursive: true, force: true });
});

const socket = () => `unix:${core.config().apiSocket}`;
const tcp = () => `http://127.0.0.1:${core.running?.ports.api}`;

test('a key is printed once, alone on stdout; the rest goes to stderr', async () => {
  const made = await runInProcess(['key', 'create', '--role', 'operator', '--name', 'ci', '--core', socket()]);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^twk1\.[a-z2-7]{12}\.[\w-]{43}\n$/) });
  expect(made.err).toContain('(ci), role operator, expires in ');
  expect(made.err).not.toContain(made.out.trim());
  const list = await runInProcess(['key', 'list', '--core', socket()]);
  expect(list.out).toMatch(/^ID +NAME +ROLE +STATE +EXPIRES +LAST USED +CREATED\n/);
  expect(list.out).toMatch(/ci +operator +valid +.+ +never /);
  expect(list.out).not.toContain(made.out.split('.')[2]?.trim());
});

test('a key comes from the environment or from a file, and a file that is named wins', async () => {
  const { key, id } = await core.key('operator', { name: 'env' });
  const make = ['token', 'create', '--core', tcp()];
  expect((await runInProcess(make)).err).toContain('this needs an API key with the role operator');
  expect(await runInProcess(make, { env: { THALWEG_API_KEY: key } })).toMatchObject({ code: 0 });
  const file = join(directory, 'key');
  writeFileSync(file, `${key}\n`);
  expect(await runInProcess(make, { env: { THALWEG_API_KEY_FILE: file } })).toMatchObject({ code: 0 });
  const other = { env: { THALWEG_API_KEY: 'left over' } };
  expect(await runInProcess([...make, '--api-key-file', file], other)).toMatchObject({ code: 0 });
  expect(await runInProcess(['--api-key-file', file, ...make], other)).toMatchObject({ code: 0 });
  expect(await runInProcess(make, other)).toMatchObject({ code: 2 });
  const audit = await runInProcess(['audit', '--limit', '1', '--core', socket()]);
  expect(audit.out).toMatch(new RegExp(`^AT +WHAT +OF +BY\\n\\S+Z +token created +[a-z2-7]{12} +key:env:${id}\\n$`));
});

test('what a role may not is exit code 1 and names the role; in JSON too', async () => {
  const { key } = await core.key('viewer');
  const run = await runInProcess(['key', 'list', '--core', tcp(), '--json'], { env: { THALWEG_API_KEY: key } });
  expect(run).toMatchObject({ code: 1, err: '' });
  expect(JSON.parse(run.out)).toMatchObject({ error: { code: 'unauthorized', fields: { needed: 'admin' } } });
});

test('a revoked key is shown as such; an unknown one is exit code 4', async () => {
  const made = await runInProcess([
    'key',
    'create',
    '--role',
    'admin',
    '--expires',
    'never',
    '--json',
    '--core',
    socket(),
  ]);
  const { id, key, expiresAtMs } = JSON.parse(made.out) as { id: string; key: string; expiresAtMs: null };
  expect([made.err, expiresAtMs]).toEqual(['', null]);
  const revoked = await runInProcess(['key', 'revoke', id, '--core', tcp()], { env: { THALWEG_API_KEY: key } });
  expect(revoked).toMatchObject({ code: 0, out: `Revoked ${id}: no request is taken with it any more.\n` });
  expect((await runInProcess(['key', 'list', '--core', socket()])).out).toMatch(new RegExp(`${id} .* revoked +never `));
  expect(await runInProcess(['key', 'revoke', 'aaaaaaaaaaaa', '--core', socket()])).toMatchObject({ code: 4 });
  const after = await runInProcess(['status', '--core', tcp()], { env: { THALWEG_API_KEY: key } });
  expect(after).toMatchObject({ code: 1, err: expect.stringContaining('was revoked') });
});

test('a key is not sent in clear to another host', async () => {
  const { key } = await core.key('viewer');
  const run = await runInProcess(['status', '--core', 'http://192.0.2.1:8471'], { env: { THALWEG_API_KEY: key } });
  expect(run).toMatchObject({ code: 2, err: expect.stringContaining('would cross the network in clear') });
  expect(run.err).not.toContain(key);
});
