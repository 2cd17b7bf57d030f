/** The HTTP API on its two listeners, its metrics, and what happens around start and stop. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditView, HealthView, NodeView, StatusView, TokenView } from '../../../protocol/api.ts';
import { LinkHealth } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { runCore } from '../../../steering/core-program.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request({ port: core.running?.ports.api, path, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('tokens', () => {
  it('are made, listed and revoked on the local socket', async () => {
    const made = await core.token({ uses: 3, expiresInS: 600, labels: { site: 'x' } });
    expect(made.token).toMatch(/^tw1\./);
    expect(made.expiresAtMs - made.createdAtMs).toBe(600_000);
    await core.api.delete(`/v1/tokens/${made.id}`);
    const [view] = await core.api.get<TokenView[]>('/v1/tokens');
    expect(view).toEqual({ ...made, token: undefined, revoked: true, state: 'revoked' });
    await expect(core.api.delete('/v1/tokens/aaaaaaaaaaaa')).rejects.toMatchObject({ code: 'not_found' });
  });

  it.each([
    [{ uses: 0 }, 'uses: must be a whole number from 1 to 100000'],
    [{ uses: 100_001 }, 'uses'],
    [{ expiresInS: 59 }, 'expiresInS: must be a whole number from 60 to 31536000'],
    [{ expiresInS: 1.5 }, 'expiresInS'],
    [{ labels: { 'bad key!': 'x' } }, 'labels.bad key!: a label key is 1 to 63 of'],
    [{ labels: { a: 'x\ny' } }, 'labels'],
    [{ lables: {} }, 'lables'],
  ])('refuses %j', async (wanted, field) => {
    const error = await core.api.post('/v1/tokens', wanted).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'invalid_argument', message: expect.stringContaining(field) });
  });

  it('never leave the secret or its hash in the log', async () => {
    const { token } = await core.token();
    const secret = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())[3];
    expect(JSON.stringify(core.logged)).not.toContain(secret);
  });
});

describe('the TCP listener', () => {
  it('without a key may only look: whatever changes something or shows who did is 401 unauthenticated', async () => {
    const api = core.readApi;
    await core.agent('a');
    expect(await api.get<NodeView[]>('/v1/nodes')).toHaveLength(1);
    for (const call of [api.get('/v1/tokens'), api.post('/v1/tokens', {}), api.delete('/v1/nodes/a')]) {
      await expect(call).rejects.toMatchObject({ code: 'unauthenticated', nextStep: expect.stringContaining('unix:') });
    }
    expect(await api.get<NodeView[]>('/v1/nodes')).toHaveLength(1);
  });

  it('does not serve a web page that made its name resolve to this host', async () => {
    expect((await get('/v1/nodes', { host: 'evil.example' })).status).toBe(403);
    expect((await get('/v1/nodes', { host: 'localhost:8471' })).status).toBe(200);
  });

  it('answers unknown routes, nodes, queries and malformed bodies with error objects', async () => {
    await expect(core.readApi.get('/v1/nope')).rejects.toMatchObject({ code: 'not_found' });
    await expect(core.readApi.get('/v1/nodes/nope')).rejects.toMatchObject({ code: 'not_found' });
    await expect(core.readApi.get('/v1/status?x=1')).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(core.readApi.get('/v1/path-changes?after=x')).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await core.readApi.get('/v1/path-changes?after=0')).toEqual([]);
  });
});

it('tells what was changed when and by whom, newest first', async () => {
  await (await core.agent('a')).open();
  await core.api.post('/v1/nodes/a', { drained: true });
  await core.api.post('/v1/load', { aware: false });
  await core.api.delete('/v1/nodes/a');
  const entries = await core.api.get<AuditView[]>('/v1/audit?limit=4');
  expect(entries.map(({ kind, name, by }) => [kind, name, by])).toEqual([
    ['node_removed', 'a', 'socket'],
    ['load_off', null, 'socket'],
    ['node_drained', 'a', 'socket'],
    ['node_joined', 'a', 'device'],
  ]);
  await expect(core.readApi.get('/v1/audit')).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(core.api.get('/v1/audit?limit=all')).rejects.toMatchObject({ code: 'invalid_argument' });
});

describe('draining a node', () => {
  it('is told to the engine, shown, kept over a restart, and forgotten with the node', async () => {
    const agent = await core.agent('a');
    const refused = core.api.post('/v1/nodes/a', { drained: true });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'node a does not forward for others',
    });
    await agent.open();
    expect(await core.api.post<NodeView>('/v1/nodes/a', { drained: true })).toMatchObject({ name: 'a', drained: true });
    expect([...core.engine.drained]).toEqual([1]);
    await core.restart();
    expect([...core.engine.drained]).toEqual([1]);
    expect(await core.api.post<NodeView>('/v1/nodes/a', { drained: false })).toMatchObject({ drained: false });
    expect([...core.engine.drained]).toEqual([]);
    await core.api.post('/v1/nodes/a', { drained: true });
    await core.api.delete('/v1/nodes/a');
    expect(await core.api.get('/v1/nodes')).toEqual([]);
    await expect(core.api.post('/v1/nodes/a', { drained: true })).rejects.toMatchObject({ code: 'not_found' });
    await expect(core.api.post('/v1/nodes/b', { drained: true })).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('status, health and metrics', () => {
  it('say what is there', async () => {
    await (await core.agent('a')).open();
    await core.agent('b');
    const status = await core.readApi.get<StatusView>('/v1/status');
    expect(status.nodes).toEqual({ total: 2, online: 1, transit: 1 });
    expect(status.agentAddresses).toEqual([`127.0.0.1:${core.port}`]);
    const health = await core.readApi.get<HealthView>('/healthz');
    expect(health.ok).toBe(true);
    expect(Object.keys(health.checks)).toEqual(['store', 'engine', 'ca', 'agentPort']);
  });

  it('are clean for promtool', async ({ skip }) => {
    if (spawnSync('promtool', ['--version']).error !== undefined) skip('promtool is not installed');
    const session = await (await core.agent('a')).open();
    await (await core.agent('b')).open();
    const link = { peerIndex: 2, health: LinkHealth.UP, rttUs: 5000, jitterUs: 10, lossOutPpm: 100, samples: 5 };
    session.send({ case: 'linkReport', value: { links: [link] } });
    await eventually('the report', () => core.engine.reported.has(1));
    const { body } = await get('/metrics');
    expect(body).toContain('thalweg_link_rtt_seconds{from="a",to="b"} 0.005');
    expect(body).toContain('thalweg_core_joins_total{result="joined"} 2');
    expect(body).toContain('thalweg_core_sessions 2');
    const found = execFileSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    expect(found).toBe('');
  });
});

describe('starting and stopping', () => {
  it('makes its files readable by its user alone', () => {
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(core.stateDir)).toBe(0o700);
    expect(mode(join(core.stateDir, 'ca.key'))).toBe(0o600);
    expect(mode(join(core.stateDir, 'core.db'))).toBe(0o600);
    expect(mode(core.config().apiSocket)).toBe(0o600);
  });

  it('refuses a second core on the same state directory', async () => {
    const second = runCore({ ...core.config(), apiSocket: join(core.directory, 'second.sock') }, { log: core.log });
    await expect(second).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('stateDir') });
    expect(await core.readApi.get('/v1/nodes')).toEqual([]);
  });

  it('names the field and the port that is in use, and leaves nothing behind', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    for (const field of ['listen', 'api'] as const) {
      const other = new TestCore();
      await expect(other.start({ [field]: `127.0.0.1:${port}` })).rejects.toMatchObject({
        code: 'port_in_use',
        message: expect.stringContaining(`${field} port ${port}`),
      });
      expect(existsSync(other.config().apiSocket)).toBe(false);
      await other.start();
      await other.stop();
    }
    holder.close();
  });

  it('takes over the socket file of a killed core, not that of a living one, nor a file', async () => {
    const path = join(core.directory, 'stale.sock');
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script, path]);
    expect(existsSync(path)).toBe(true);
    const other = await new TestCore().start({ apiSocket: path });
    const third = new TestCore();
    await expect(third.start({ apiSocket: path })).rejects.toMatchObject({ code: 'port_in_use' });
    await other.stop();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'mine');
    await expect(third.start({ apiSocket: path })).rejects.toMatchObject({ code: 'invalid_config' });
    await third.stop();
  });

  it('does not take a socket that it may not even ask for a dead one', async ({ skip }) => {
    if (process.getuid?.() !== 0 || process.seteuid === undefined) skip('not root: another user is NOT tried');
    const other = new TestCore();
    chmodSync(core.directory, 0o755);
    chmodSync(other.directory, 0o777);
    process.seteuid?.(65_534);
    try {
      await expect(other.start({ apiSocket: core.config().apiSocket })).rejects.toMatchObject({
        code: 'missing_privilege',
        nextStep: expect.stringContaining('--api-socket'),
      });
    } finally {
      process.seteuid?.(0);
    }
    expect(existsSync(core.config().apiSocket)).toBe(true);
    await other.stop();
  });

  it('stops within 2 s with sessions open, tells them to come back, and stops twice', async () => {
    const sessions = await Promise.all([1, 2, 3].map(async () => (await core.agent()).open()));
    const startedMs = performance.now();
    await core.running?.stop();
    await core.running?.stop();
    expect(performance.now() - startedMs).toBeLessThan(2000);
    for (const session of sessions) expect((await session.ended()).closeCode).toBe(1012);
    expect(existsSync(core.config().apiSocket)).toBe(false);
  });
});
