/** Joining over real TLS on loopback: what works, and every refusal with its code. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeView, TokenView } from '../../../protocol/api.ts';
import { parseJoinToken } from '../../../protocol/join-token.ts';
import { makeSigningRequest, TestAgent } from '../../fake/test-agent.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

async function refusalOf(change: Parameters<TestAgent['join']>[1], token?: string) {
  const text = token ?? (await core.token()).token;
  const { refusal } = await new TestAgent(core.port).join(text, change);
  return refusal;
}

describe('a device with a good token', () => {
  it('gets an index, a name, addresses and a certificate, and a session', async () => {
    const { token } = await core.token({ labels: { site: 'berlin' } });
    const agent = new TestAgent(core.port);
    expect(await agent.join(token, { name: 'box-1' })).toMatchObject({ name: 'box-1', index: 1 });
    const session = await agent.open();
    expect(await session.next('peerUpdate')).toMatchObject({ full: true, set: [] });
    const [node] = await core.api.get<NodeView[]>('/v1/nodes');
    expect(node).toMatchObject({
      name: 'box-1',
      tunnelAddress: '100.112.0.1',
      labels: { site: 'berlin' },
      online: true,
    });
    session.close();
  });

  it('is named after its index when it gives no name, and gets the lowest free index', async () => {
    expect((await core.agent()).joined).toMatchObject({ name: 'node-1', index: 1 });
    expect((await core.agent('node-3')).joined).toMatchObject({ name: 'node-3', index: 2 });
    expect((await core.agent()).joined).toMatchObject({ name: 'node-3-2', index: 3 });
  });

  it('gets the same node again when it asks again with the same keys, also when the token is used up', async () => {
    const { token, id } = await core.token();
    const agent = new TestAgent(core.port);
    const first = await agent.join(token);
    const second = await agent.join(token);
    expect(second).toMatchObject({ nodeId: first.nodeId, index: 1 });
    await agent.open();
    const [view] = await core.api.get<TokenView[]>('/v1/tokens');
    expect(view).toMatchObject({ id, used: 1, state: 'used_up' });
  });

  it("does not get another device's node by its public WireGuard key alone", async () => {
    const { token } = await core.token({ uses: 5 });
    const victim = new TestAgent(core.port);
    await victim.join(token);
    const { refusal } = await new TestAgent(core.port).join(token, { publicKey: victim.wireguardKey });
    expect(refusal?.code).toBe('already_exists');
  });
});

describe('a refusal', () => {
  it('token_unknown: from another core, and with a wrong secret', async () => {
    expect((await refusalOf({ tokenId: 'aaaaaaaaaaaa' }))?.code).toBe('token_unknown');
    expect((await refusalOf({ tokenSecret: new Uint8Array(32) }))?.code).toBe('token_unknown');
  });

  it('token_malformed: no token at all', async () => {
    expect((await refusalOf({ tokenId: '', tokenSecret: new Uint8Array(0) }))?.code).toBe('token_malformed');
  });

  it('token_used_up: for the second device, and the use is counted once', async () => {
    const { token } = await core.token({ uses: 1 });
    expect(await refusalOf({}, token)).toBeUndefined();
    const refusal = await refusalOf({}, token);
    expect(refusal).toMatchObject({ code: 'token_used_up', retryAfterMs: 0 });
    expect(refusal?.message).toContain('thalweg token create');
  });

  it('token_used_up: for all but as many as asked at once', async () => {
    const { token } = await core.token({ uses: 3 });
    const codes = await Promise.all(Array.from({ length: 8 }, async () => (await refusalOf({}, token))?.code));
    expect(codes.filter((code) => code === undefined)).toHaveLength(3);
    expect(codes.filter((code) => code === 'token_used_up')).toHaveLength(5);
  });

  it('token_revoked', async () => {
    const { token, id } = await core.token();
    await core.api.delete(`/v1/tokens/${id}`);
    expect((await refusalOf({}, token))?.code).toBe('token_revoked');
  });

  it('name_taken, and the token stays good', async () => {
    await core.agent('box');
    const { token } = await core.token();
    expect((await refusalOf({ name: 'box' }, token))?.code).toBe('name_taken');
    expect(await refusalOf({ name: 'box-2' }, token)).toBeUndefined();
  });

  it('invalid_argument: a name that is no DNS label, keys that are none, a signing request that is none', async () => {
    expect(await refusalOf({ name: 'Not A Label' })).toMatchObject({ code: 'invalid_argument' });
    expect((await refusalOf({ publicKey: new Uint8Array(31) }))?.message).toContain('public_key');
    expect((await refusalOf({ publicKey: new Uint8Array(32) }))?.message).toContain('all zero');
    expect((await refusalOf({ signingRequestDer: new Uint8Array(randomBytes(200)) }))?.code).toBe('invalid_argument');
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const forged = await refusalOf({ signingRequestDer: await makeSigningRequest(other.publicKey, mine.privateKey) });
    expect(forged?.message).toContain('signature');
    const big = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const curve = await refusalOf({ signingRequestDer: await makeSigningRequest(big.publicKey, big.privateKey) });
    expect(curve?.message).toContain('P-256');
  });

  it('clock_skew: says by how much and how to set the clock', async () => {
    const refusal = await refusalOf({ clockUnixMs: BigInt(Date.now() - 3 * 3_600_000) });
    expect(refusal?.code).toBe('clock_skew');
    expect(refusal?.message).toMatch(/3 hours behind.*timedatectl/);
    expect((await refusalOf({ clockUnixMs: BigInt(Date.now() + 6 * 60_000) }))?.message).toContain(
      '6 minutes ahead of',
    );
    expect(await refusalOf({ clockUnixMs: BigInt(Date.now() + 4 * 60_000) })).toBeUndefined();
  });

  it('protocol_version: names both ranges', async () => {
    const refusal = await refusalOf({ protocolMin: 7, protocolMax: 9 });
    expect(refusal?.code).toBe('protocol_version');
    expect(refusal?.message).toMatch(/7 to 9.*1 to 1.*upgrade the core/);
  });

  it('overloaded, with a time to wait, after many failures from one address', async () => {
    const { token } = await core.token();
    // at once, since failures are forgotten with time, and a busy host takes its time
    await Promise.all(Array.from({ length: 40 }, () => refusalOf({ tokenSecret: new Uint8Array(32) }, token)));
    const refusal = await refusalOf({}, token);
    expect(refusal?.code).toBe('overloaded');
    expect(refusal?.retryAfterMs).toBeGreaterThanOrEqual(1000);
  });
});

describe('the agent port', () => {
  it('has a certificate for thalweg-core under the pinned CA, and none that another CA would vouch for', async () => {
    const agent = new TestAgent(core.port);
    const token = parseJoinToken((await core.token()).token);
    if (!token.ok) throw new Error(token.reason);
    await agent.fetchCa(token.value.caFingerprint);
    expect((await agent.http('GET', '/v1/ca')).status).toBe(200);
    await expect(agent.fetchCa('0'.repeat(64))).rejects.toThrow('fingerprint');
    const other = await new TestCore().start();
    const stranger = new TestAgent(other.port);
    stranger.caPem = agent.caPem;
    await expect(stranger.http('GET', '/v1/ca')).rejects.toThrow();
    await other.stop();
  });

  it('speaks nothing older than TLS 1.3', async () => {
    const failed = new Promise((_resolve, reject) => {
      connectTls({ port: core.port, maxVersion: 'TLSv1.2', rejectUnauthorized: false }).on('error', reject);
    });
    await expect(failed).rejects.toThrow(/protocol version/i);
  });

  it('refuses a join body over 16 KiB and what is no JoinRequest, and answers 404 elsewhere', async () => {
    const agent = new TestAgent(core.port);
    expect((await agent.http('POST', '/v1/join', new Uint8Array(17_000), false)).status).toBe(413);
    expect((await agent.http('GET', '/v2', undefined, false)).status).toBe(404);
    const { status, body } = await agent.http('POST', '/v1/join', new Uint8Array(100).fill(255), false);
    expect(status).toBe(200);
    expect(Buffer.from(body).toString()).toContain('protocol_violation');
  });

  it('survives garbage and connections that never finish their handshake', async () => {
    const garbage = connect(core.port, '127.0.0.1');
    garbage.on('error', () => {});
    garbage.write(randomBytes(4096));
    const silent = Array.from({ length: 300 }, () => connect(core.port, '127.0.0.1').on('error', () => {}));
    await new Promise((resolve) => garbage.once('close', resolve));
    // of 300, those over the bound are closed at once
    await eventually('the bound', () => silent.some((socket) => socket.closed));
    for (const socket of silent) socket.destroy();
    await eventually('a join', async () => {
      const joined = await core.agent().catch(() => undefined);
      return joined !== undefined;
    });
  });
});
