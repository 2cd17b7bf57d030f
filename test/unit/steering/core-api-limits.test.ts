/** How often the API may be asked over TCP, by keys, by addresses and by those who fail, at a real core. */
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../protocol/api-client.ts';
import { TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(() => {
  core = new TestCore();
});
afterEach(async () => core.stop());

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** Asks for the status of the mesh from an address of loopback. */
function ask({ key = '', from = '127.0.0.1', path = '/v1/status' } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = key === '' ? {} : { authorization: `Bearer ${key}` };
    const options = {
      host: '127.0.0.1',
      port: core.running?.ports.api,
      path,
      headers,
      localAddress: from,
      agent: false,
    };
    const call = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body }),
      );
    });
    call.on('error', reject).end();
  });
}

async function statuses(times: number, from: Parameters<typeof ask>[0]): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < times; i++) found.push((await ask(from)).status);
  return found;
}

describe('requests within a minute', () => {
  it('are bounded for each key and for each address without one, and nobody pays for another', async () => {
    await core.start({ apiRequestsPerMinute: 5 });
    const [one, two] = [await core.key('viewer'), await core.key('viewer')];
    expect(await statuses(7, { key: one.key })).toEqual([200, 200, 200, 200, 200, 429, 429]);
    // the same key from elsewhere is the same caller; another key is not
    expect(await statuses(1, { key: one.key, from: '127.0.0.2' })).toEqual([429]);
    expect(await statuses(5, { key: two.key })).toEqual([200, 200, 200, 200, 200]);
    expect(await statuses(6, {})).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await statuses(1, { from: '127.0.0.2' })).toEqual([200]);
    // the local socket is not counted
    for (let i = 0; i < 12; i++) await core.api.get('/v1/status');
  });

  it('that are too many are told when to come back, and the next step', async () => {
    await core.start({ apiRequestsPerMinute: 1 });
    const { key, id } = await core.key('viewer');
    await ask({ key });
    const { status, retryAfter, body } = await ask({ key });
    expect(status).toBe(429);
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(Number(retryAfter)).toBeLessThanOrEqual(60);
    expect(JSON.parse(body)).toMatchObject({
      code: 'rate_limited',
      message: `API key ${id} made more than 1 requests within a minute`,
      nextStep: `ask again in ${retryAfter} s, and less often`,
    });
    const client = new ApiClient(`http://127.0.0.1:${core.running?.ports.api}`, { key });
    await expect(client.get('/v1/status')).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('count before a role is looked at', async () => {
    await core.start({ apiRequestsPerMinute: 2 });
    const { key } = await core.key('viewer');
    expect(await statuses(3, { key, path: '/v1/keys' })).toEqual([403, 403, 429]);
  });
});

describe('failures to show a key', () => {
  it('are bounded harder, by address; good keys of the same address are still taken', async () => {
    await core.start();
    const { key, id } = await core.key('viewer');
    const bad = key.replace(id, 'aaaaaaaaaaaa');
    const found = await statuses(23, { key: bad });
    expect(found).toEqual([...Array<number>(20).fill(401), 429, 429, 429]);
    expect(await statuses(1, { path: '/v1/tokens' })).toEqual([429]);
    expect(await statuses(2, { key })).toEqual([200, 200]);
    expect(await statuses(1, { key: bad, from: '127.0.0.2' })).toEqual([401]);
  });

  it('are counted all, and logged up to the bound: nobody fills the log', async () => {
    await core.start();
    core.logged.length = 0;
    const { key, id } = await core.key('viewer');
    const bad = key.replace(id, 'aaaaaaaaaaaa');
    await statuses(40, { key: bad });
    const { body } = await ask({ path: '/metrics' });
    expect(body).toContain('thalweg_core_api_refusals_total{reason="unknown_key"} 20');
    expect(body).toContain('thalweg_core_api_refusals_total{reason="too_many_failures"} 20');
    const told = core.logged.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(told.filter((message) => message === 'api request refused')).toHaveLength(20);
    expect(told.filter((message) => message === 'api caller is at its limit')).toHaveLength(1);
  });
});
