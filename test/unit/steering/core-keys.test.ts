/** API keys at a real core: what each role gets of every route over TCP, and that a key is nowhere to be read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditView, KeyView, NodeView } from '../../../protocol/api.ts';
import { ApiClient } from '../../../protocol/api-client.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

type Call = readonly ['GET' | 'POST' | 'DELETE', string, unknown?];
const LOOKING: readonly Call[] = [
  ['GET', '/v1/status'],
  ['GET', '/v1/nodes'],
  ['GET', '/v1/nodes/a'],
  ['GET', '/v1/links'],
  ['GET', '/v1/paths'],
  ['GET', '/v1/path-changes'],
  ['GET', '/v1/load'],
  ['GET', '/v1/demand'],
  ['GET', '/metrics'],
  ['GET', '/healthz'],
];
const VIEWING: readonly Call[] = [
  ['GET', '/v1/audit'],
  ['GET', '/v1/tokens'],
];
const OPERATING: readonly Call[] = [
  ['POST', '/v1/nodes/a', { drained: true }],
  ['POST', '/v1/nodes/a', { drained: false }],
  ['POST', '/v1/load', { aware: false }],
  ['POST', '/v1/tokens', {}],
  ['DELETE', '/v1/tokens/:token'],
];
const ADMINISTERING: readonly Call[] = [
  ['GET', '/v1/keys'],
  ['POST', '/v1/keys', { role: 'viewer' }],
  ['DELETE', '/v1/keys/:key'],
  ['DELETE', '/v1/nodes/a'],
];

/** HTTP status of a call over TCP. */
async function status([method, path, body]: Call, key?: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${core.running?.ports.api}${path}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.text();
  return response.status;
}

async function statuses(calls: readonly Call[], key?: string): Promise<number[]> {
  const found: number[] = [];
  for (const [method, path, body] of calls) {
    const token = path.includes(':token') ? (await core.token()).id : '';
    const other = path.includes(':key') ? (await core.key('viewer')).id : '';
    found.push(await status([method, path.replace(':token', token).replace(':key', other), body], key));
  }
  return found;
}

describe('over TCP', () => {
  it.each([
    ['viewer', 403, 403],
    ['operator', 200, 403],
    ['admin', 200, 200],
  ] as const)('a key with the role %s gets what its role may, and 403 for the rest', async (role, operating, admin) => {
    await (await core.agent('a')).open();
    const { key } = await core.key(role);
    const ok = (code: number) => (code === 201 ? 200 : code);
    expect(await statuses([...LOOKING, ...VIEWING], key)).toEqual([...LOOKING, ...VIEWING].map(() => 200));
    expect((await statuses(OPERATING, key)).map(ok)).toEqual(OPERATING.map(() => operating));
    expect((await statuses(ADMINISTERING, key)).map(ok)).toEqual(ADMINISTERING.map(() => admin));
    expect((await core.api.get<NodeView[]>('/v1/nodes')).length).toBe(admin === 200 ? 0 : 1);
  });

  it('nobody may look and nothing else, unless the core says that nobody may', async () => {
    await core.agent('a');
    expect(await statuses(LOOKING)).toEqual(LOOKING.map(() => 200));
    const others = [...VIEWING, ...OPERATING, ...ADMINISTERING];
    expect(await statuses(others)).toEqual(others.map(() => 401));
    await core.restart({ apiKeyless: false });
    expect(await statuses(LOOKING)).toEqual(LOOKING.map(([, path]) => (path === '/healthz' ? 200 : 401)));
    expect(await statuses([['GET', '/v1/nope']])).toEqual([401]);
    const health = await fetch(`http://127.0.0.1:${core.running?.ports.api}/healthz`);
    expect(await health.json()).toEqual({ ok: true, checks: {} });
  });

  it('what a proxy forwards is not taken for a process of this host', async () => {
    expect(await status(['GET', '/v1/nodes'], undefined, { 'x-forwarded-for': '192.0.2.1' })).toBe(401);
    expect(await status(['GET', '/v1/nodes'], (await core.key('viewer')).key, { via: '1.1 proxy' })).toBe(200);
  });

  it('asks before it reads: a body without a key is refused whatever is in it', async () => {
    expect(await status(['POST', '/v1/tokens', { uses: 'x'.repeat(20_000) }])).toBe(401);
    expect(await status(['POST', '/v1/tokens', { uses: 0 }], (await core.key('viewer')).key)).toBe(403);
  });
});

describe('a key', () => {
  it('that is revoked, or was never made, is 401 with the next step and the scheme', async () => {
    const { key, id } = await core.key('admin', { name: 'gone' });
    await core.apiWith(key).delete(`/v1/keys/${id}`);
    const response = await fetch(`http://127.0.0.1:${core.running?.ports.api}/v1/nodes`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="thalweg"');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({
      code: 'unauthenticated',
      message: `API key ${id} (gone) was revoked`,
      nextStep: expect.stringContaining('thalweg key create'),
    });
    const other = key.replace(id, 'aaaaaaaaaaaa');
    await expect(core.apiWith(other).get('/v1/nodes')).rejects.toMatchObject({ fields: { reason: 'unknown_key' } });
  });

  it('is kept over a restart, and revoked over another', async () => {
    const { key, id } = await core.key('viewer');
    await core.restart();
    expect(await core.apiWith(key).get('/v1/nodes')).toEqual([]);
    await core.api.delete(`/v1/keys/${id}`);
    await core.restart();
    await expect(core.apiWith(key).get('/v1/nodes')).rejects.toMatchObject({ code: 'unauthenticated' });
    expect((await core.api.get<KeyView[]>('/v1/keys'))[0]).toMatchObject({ id, state: 'revoked' });
  });

  it('is what the audit names for everything that was done with it', async () => {
    await (await core.agent('a')).open();
    const { key, id } = await core.key('admin', { name: 'ci' });
    const api = core.apiWith(key);
    const token = await api.post<{ id: string }>('/v1/tokens', {});
    await api.delete(`/v1/tokens/${token.id}`);
    await api.post('/v1/nodes/a', { drained: true });
    await api.post('/v1/load', { aware: false });
    const made = await api.post<KeyView>('/v1/keys', { role: 'viewer', name: 'made' });
    await api.delete(`/v1/keys/${made.id}`);
    await api.delete('/v1/nodes/a');
    const by = `key:ci:${id}`;
    const entries = await core.api.get<AuditView[]>('/v1/audit?limit=8');
    expect(entries.map((entry) => [entry.kind, entry.name, entry.by])).toEqual([
      ['node_removed', 'a', by],
      ['key_revoked', 'made', by],
      ['key_created', 'made', by],
      ['load_off', null, by],
      ['node_drained', 'a', by],
      ['token_revoked', null, by],
      ['token_created', null, by],
      ['key_created', 'ci', 'socket'],
    ]);
    expect(entries[7]?.keyId).toBe(id);
    const told = () => core.logged.filter(({ message, fields }) => message === 'api change' && fields?.['by'] === by);
    // the log has it once the answer is out
    await eventually('seven lines of the log', () => told().length === 7);
    expect(told()[2]?.fields).toEqual({ by, method: 'POST', url: '/v1/nodes/a', remoteAddress: '127.0.0.1' });
  });

  it('is in no log and no metric, also when it is refused; the refusal is counted and logged', async () => {
    const { key, id } = await core.key('viewer');
    const [, , secret = ''] = key.split('.');
    await core.apiWith(key).get('/v1/nodes');
    await core.api.delete(`/v1/keys/${id}`);
    await core
      .apiWith(key)
      .get('/v1/nodes')
      .catch(() => {});
    await core.readApi.post('/v1/tokens', {}).catch(() => {});
    const metrics = await (await fetch(`http://127.0.0.1:${core.running?.ports.api}/metrics`)).text();
    expect(metrics).toContain('thalweg_core_api_refusals_total{reason="revoked_key"} 1');
    expect(metrics).toContain('thalweg_core_api_refusals_total{reason="no_key"} 1');
    expect(core.logged.filter(({ message }) => message === 'api request refused')).toMatchObject([
      { fields: { reason: 'revoked_key', keyId: id, remoteAddress: '127.0.0.1', route: '/v1/nodes' } },
      { fields: { reason: 'no_key', keyId: null, method: 'POST', route: '/v1/tokens' } },
    ]);
    expect(JSON.stringify(core.logged)).not.toContain(secret);
    expect(metrics).not.toContain(secret);
    expect(readFileSync(join(core.stateDir, 'core.db-wal')).includes(secret)).toBe(false);
  });

  it.each([
    [{}, 'role: must be one of viewer, operator, admin'],
    [{ role: 'root' }, 'role: must be one of viewer, operator, admin'],
    [{ role: 'viewer', name: 'a b' }, 'name: must be 1 to 64 of'],
    [{ role: 'viewer', expiresInS: 59 }, 'expiresInS: must be a whole number from 60'],
    [{ role: 'viewer', scope: 'x' }, 'scope'],
  ])('is not made from %j', async (wanted, message) => {
    await expect(core.api.post('/v1/keys', wanted)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(message),
    });
  });
});

describe('a client with a key', () => {
  it('does not send it over a network in clear', () => {
    const key = `twk1.aaaaaaaaaaaa.${'A'.repeat(43)}`;
    const open = (target: string) => () => new ApiClient(target, { key });
    for (const target of ['http://192.0.2.1:8471', 'http://core.example:8471', 'http://127.0.0.1.evil.example']) {
      expect(open(target), target).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    }
    for (const target of [
      'http://127.0.0.1:1',
      'http://[::1]:1',
      'http://localhost:1',
      'https://core.example',
      'unix:/x',
    ]) {
      expect(open(target), target).not.toThrow();
    }
  });
});
