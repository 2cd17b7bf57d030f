import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JoinDeps, joinNode, labelFromHostname } from '../../../agent/join.ts';
import { wireGuardPublicKey } from '../../../agent/wireguard-key.ts';
import { systemClock } from '../../../protocol/clock.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import { makeAuthority, ScriptedCore } from '../../fake/scripted-core.ts';

const HOUR_MS = 3_600_000;

describe('joinNode', () => {
  let stateDir: string;
  let core: ScriptedCore;
  const cores: ScriptedCore[] = [];
  const sleeps: number[] = [];
  const deps: JoinDeps = {
    clock: systemClock,
    hostname: () => 'Shop_12.example.net',
    sleep: async (ms) => sleeps.push(ms),
  };

  const started = async (made: ScriptedCore): Promise<ScriptedCore> => {
    cores.push(made);
    await made.start();
    return made;
  };
  const failure = async (token: string, more: { name?: string } = {}): Promise<ThalwegError> => {
    const error = await joinNode({ token, stateDir, ...more }, deps).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (!(error instanceof ThalwegError)) throw new Error(`expected a ThalwegError, got ${error}`);
    return error;
  };

  beforeEach(async () => {
    stateDir = join(await mkdtemp(join(tmpdir(), 'thalweg-join-')), 'state');
    core = await started(new ScriptedCore());
    sleeps.length = 0;
  });
  afterEach(async () => {
    for (const made of cores.splice(0)) await made.stop();
    await rm(join(stateDir, '..'), { recursive: true, force: true });
  });

  it('writes an identity, keys nobody else may read, and sends the public half only', async () => {
    const result = await joinNode({ token: core.token(), stateDir }, deps);
    expect(result).toEqual({
      nodeId: 'n-aaaaaaaaaaaaaaaaaaaa',
      name: 'shop-12',
      index: 7,
      tunnelAddress: '100.112.0.7',
      node4: '100.96.0.7',
      node6: 'fd74:6861:6c77::7',
    });
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
    for (const file of ['wireguard.key', 'tls.key', 'identity.json', 'tls.crt', 'ca.crt', 'signing-request.der']) {
      expect((await stat(join(stateDir, file))).mode & 0o777, file).toBe(0o600);
    }
    const key = await readFile(join(stateDir, 'wireguard.key'), 'utf8');
    const sent = core.joins[0];
    expect(Buffer.from(sent?.publicKey ?? []).toString('base64')).toBe(wireGuardPublicKey(key));
    expect(await readFile(join(stateDir, 'identity.json'), 'utf8')).not.toContain('secret');
  });

  it('tells another CA before it sends anything secret', async () => {
    const error = await failure(core.token([core.address], makeAuthority().fingerprint));
    expect(error.code).toBe('ca_mismatch');
    expect(error.message).toContain(core.address);
    expect(error.nextStep).toBeDefined();
    expect(core.requests).toEqual(['GET /v1/ca']);
    await expect(readdir(stateDir)).rejects.toThrow('ENOENT');
  });

  it('does not send the token to a server that has the CA certificate but not its key', async () => {
    const impostor = await started(new ScriptedCore());
    Object.defineProperty(impostor.authority, 'caDer', { value: core.authority.caDer });
    const error = await failure(core.token([impostor.address]));
    expect(error.code).toBe('ca_mismatch');
    expect(impostor.joins).toEqual([]);
  });

  it('tries each address in turn and begins with the one that answered from then on', async () => {
    await joinNode({ token: core.token(['127.0.0.1:1', core.address]), stateDir }, deps);
    const identity = JSON.parse(await readFile(join(stateDir, 'identity.json'), 'utf8')) as { coreAddresses: string[] };
    expect(identity.coreAddresses).toEqual([core.address, '127.0.0.1:1']);
  });

  it('says which cores could not be reached', async () => {
    const error = await failure(core.token(['127.0.0.1:1', '127.0.0.1:2']));
    expect(error.code).toBe('unreachable');
    expect(error.message).toContain('127.0.0.1:1');
    expect(error.message).toContain('127.0.0.1:2');
  });

  it('says how far the clock is off', async () => {
    core.skewMs = 5 * HOUR_MS + 3 * 60_000;
    const error = await failure(core.token());
    expect(error.code).toBe('clock_skew');
    expect(error.message).toMatch(/^this device's clock is 5 h (3 min|2 min|3 min \d+ s) behind the core's$/);
    expect(error.nextStep).toBe('set the clock (timedatectl set-ntp true) and run the same command again');
    expect(core.joins).toEqual([]);
  });

  it('takes a certificate that is out of date for a wrong clock', async () => {
    const stale = await started(
      new ScriptedCore({ authority: core.authority, serverLife: [Date.now() - 2 * HOUR_MS, Date.now() - HOUR_MS] }),
    );
    expect((await failure(stale.token())).code).toBe('clock_skew');
  });

  it.each([
    ['token_unknown'],
    ['token_expired'],
    ['token_used_up'],
    ['token_revoked'],
    ['name_taken'],
    ['addresses_exhausted'],
    ['protocol_version'],
    ['clock_skew'],
    ['invalid_argument'],
    ['overloaded'],
  ])('explains the refusal %s and leaves nothing behind', async (code) => {
    core.refuseJoin = { code, message: 'because' };
    const error = await failure(core.token());
    expect(error.code).toBe(code);
    expect(error.nextStep).toBeDefined();
    expect(await readdir(stateDir)).toEqual([]);
  });

  it('waits as long as a busy core asks for, then joins', async () => {
    core.refuseJoin = { code: 'overloaded', message: 'busy', retryAfterMs: 1500 };
    const patient: JoinDeps = {
      ...deps,
      sleep: async (ms) => {
        sleeps.push(ms);
        core.refuseJoin = undefined;
      },
    };
    await joinNode({ token: core.token(), stateDir }, patient);
    expect(sleeps).toEqual([1500]);
  });

  it('refuses a second join and says how to leave first', async () => {
    await joinNode({ token: core.token(), stateDir }, deps);
    const error = await failure(core.token());
    expect(error.code).toBe('already_exists');
    expect(error.nextStep).toContain('thalweg agent down --forget');
  });

  it('joins with the same keys after an answer that was lost', async () => {
    await joinNode({ token: core.token(), stateDir }, deps);
    await rm(join(stateDir, 'identity.json'));
    await joinNode({ token: core.token(), stateDir }, deps);
    expect(core.joins[1]?.publicKey).toEqual(core.joins[0]?.publicKey);
  });

  it('does not repeat a mistyped token', async () => {
    const token = core.token().slice(0, -1);
    const error = await failure(token);
    expect(error.code).toBe('token_malformed');
    expect(JSON.stringify(error)).not.toContain(token.slice(4, 30));
  });

  it('refuses a name that is no DNS label', async () => {
    expect((await failure(core.token(), { name: 'Not A Name' })).code).toBe('invalid_argument');
  });
});

describe('labelFromHostname', () => {
  it.each([
    ['Shop_12.example.net', 'shop-12'],
    ['--x--', 'x'],
    ['', ''],
    [`${'a'.repeat(62)}-b`, 'a'.repeat(62)],
  ])('%s -> %s', (host, label) => {
    expect(labelFromHostname(host)).toBe(label);
  });
});
