/** `thalweg join` with each token that does not work, and with one that does, against a real core. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatJoinToken, type JoinToken, parseJoinToken } from '../../../protocol/join-token.ts';
import { TestCore } from '../../fake/test-core.ts';
import { runInProcess } from './cli-harness.ts';

let core: TestCore;
let folder: string;
beforeEach(async () => {
  core = await new TestCore().start();
  folder = mkdtempSync(join(tmpdir(), 'thalweg-cli-join-'));
});
afterEach(async () => {
  await core.stop();
  rmSync(folder, { recursive: true, force: true });
});

const stateDir = () => join(folder, 'state');
const joinWith = (token: string, ...more: string[]) =>
  runInProcess(['join', token, '--state-dir', stateDir(), '--name', 'site-a', ...more]);

function changed(token: string, change: Partial<JoinToken>): string {
  const parsed = parseJoinToken(token);
  if (!parsed.ok) throw new Error(parsed.reason);
  return formatJoinToken({ ...parsed.value, ...change });
}

it('says which command starts the agent on what was joined', async () => {
  const run = await joinWith((await core.token()).token);
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(run.out).toMatch(
    /^Joined as site-a: 100\.96\.0\.1, .*\nStart the agent: thalweg agent --state-dir .*state\n$/,
  );
});

it.each<[string, number, string, string, () => Promise<string>]>([
  [
    'truncated',
    2,
    'token_malformed',
    'its check digits do not match',
    async () => (await core.token()).token.slice(0, 80),
  ],
  [
    'revoked',
    1,
    'token_revoked',
    'was revoked',
    async () => {
      const { id, token } = await core.token();
      await core.api.delete(`/v1/tokens/${id}`);
      return token;
    },
  ],
  [
    'used up',
    1,
    'token_used_up',
    'has been used 1 of 1 times',
    async () => {
      const { token } = await core.token();
      const first = await runInProcess(['join', token, '--state-dir', join(folder, 'first'), '--name', 'first']);
      expect(first.code).toBe(0);
      return token;
    },
  ],
  [
    'unknown',
    1,
    'token_unknown',
    'this core has not made this token',
    async () => changed((await core.token()).token, { id: 'aaaaaaaaaaaa' }),
  ],
  [
    'with another secret',
    1,
    'token_unknown',
    'this core has not made this token',
    async () => changed((await core.token()).token, { secret: new Uint8Array(32) }),
  ],
  [
    'of another CA',
    1,
    'ca_mismatch',
    'has another CA than the one in the token',
    async () => changed((await core.token()).token, { caFingerprint: '0'.repeat(64) }),
  ],
  [
    'of a core that is away',
    3,
    'unreachable',
    'cannot be reached: ECONNREFUSED',
    async () => changed((await core.token()).token, { addresses: ['127.0.0.1:1'] }),
  ],
  [
    'that names another service',
    1,
    'protocol_violation',
    'it does not answer with TLS 1.3',
    async () => changed((await core.token()).token, { addresses: [`127.0.0.1:${core.running?.ports.api}`] }),
  ],
])('a token %s: exit code, message, next step, nothing left behind', async (_what, code, errorCode, message, make) => {
  const token = await make();
  const asText = await joinWith(token);
  expect(asText).toMatchObject({ code, out: '' });
  expect(asText.err).toContain(message);
  expect(asText.err).toMatch(/\n {2}next: .+\n$/);
  const asJson = await joinWith(token, '--json');
  expect(asJson).toMatchObject({ code, err: '' });
  expect(JSON.parse(asJson.out).error.code).toBe(errorCode);
  expect(asText.err + asJson.out).not.toContain(token);
  if (existsSync(stateDir())) expect(readdirSync(stateDir()).filter((file) => file === 'identity.json')).toEqual([]);
});

it('a name that is taken, and joining twice', async () => {
  const { token } = await core.token({ uses: 5 });
  expect((await joinWith(token)).code).toBe(0);
  const again = await joinWith(token);
  expect(again).toMatchObject({ code: 1, out: '' });
  expect(again.err).toContain('this device is already node site-a');
  const other = await runInProcess(['join', token, '--state-dir', join(folder, 'other'), '--name', 'site-a']);
  expect(other.code).toBe(1);
  expect(other.err).toContain('the name site-a is held by another node');
  expect(other.err).toContain('next: choose another name with `thalweg join --name NAME TOKEN`');
  expect(readdirSync(join(folder, 'other'))).toEqual([]);
});
