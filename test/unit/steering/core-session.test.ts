/** Sessions over real TLS on loopback: peers, tables, renewal, removal, and frames that break the rules. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeAgentFrame, MAX_AGENT_FRAME_BYTES } from '../../../protocol/frame-codec.ts';
import { LinkHealth } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { makeSigningRequest, type TestAgent } from '../../fake/test-agent.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

describe('peers', () => {
  it('come whole with the welcome, then one by one, and go when a node is removed', async () => {
    const a = await core.agent('a');
    const b = await core.agent('b');
    const sessionA = await a.open();
    expect((await sessionA.next('peerUpdate')).set).toEqual([]);
    const sessionB = await b.open();
    const whole = await sessionB.next('peerUpdate');
    expect(whole).toMatchObject({ full: true, set: [{ index: 1, name: 'a', transit: true, stampPort: 862 }] });
    const update = await sessionA.next('peerUpdate');
    expect(update).toMatchObject({ full: false, remove: [], set: [{ index: 2, name: 'b' }] });
    expect(Buffer.from(update.set[0]?.publicKey ?? []).equals(b.wireguardKey)).toBe(true);
    await core.api.delete('/v1/nodes/b');
    expect((await sessionB.ended()).refusal).toMatchObject({ code: 'node_removed', retryAfterMs: 0 });
    expect(await sessionA.next('peerUpdate')).toMatchObject({ full: false, set: [], remove: [2] });
    const again = await b.connect();
    expect((await again.ended()).refusal?.code).toBe('node_removed');
  });

  it('learn of a change of host; overlay and loopback addresses are never candidates', async () => {
    const sessionA = await (await core.agent('a')).open();
    await sessionA.next('peerUpdate');
    const b = await core.agent('b');
    const endpoints = [
      [100, 112, 0, 9],
      [127, 0, 0, 1],
      [198, 51, 100, 7],
    ].map((address) => ({ $typeName: 'thalweg.v1.Endpoint' as const, address: Uint8Array.from(address), port: 4000 }));
    const sessionB = await b.open({ endpoints });
    const { set } = await sessionA.next('peerUpdate');
    expect(set[0]?.endpoints.map(({ address }) => [...address])).toEqual([[198, 51, 100, 7]]);
    sessionB.send({
      case: 'hostUpdate',
      value: { endpoints, listenPort: 4001, underlayMtuBytes: 1400, transit: false },
    });
    expect((await sessionA.next('peerUpdate')).set[0]).toMatchObject({ index: 2, transit: false });
  });
});

describe('reports and tables', () => {
  it('carries tables out and acknowledgements in; a node reports only links to peers', async () => {
    const a = await core.agent('a');
    await core.agent('b');
    const session = await a.open();
    const delta = await session.next('routeDelta');
    expect(delta.set.map((row) => row.destination)).toEqual([2]);
    session.send({ case: 'tableAck', value: { generation: delta.generation, checksum: delta.checksum } });
    await eventually('the acknowledgement', () => core.engine.tableState(1)?.acknowledged === delta.generation);
    const link = { health: LinkHealth.UP, rttUs: 5000, samples: 10 };
    const links = [1, 2, 3, 1_000_000].map((peerIndex) => ({ ...link, peerIndex }));
    session.send({ case: 'linkReport', value: { links } });
    await eventually('the report', () => core.engine.reported.has(1));
    expect(core.engine.reported.get(1)).toEqual([
      expect.objectContaining({ peerIndex: 2, rttUs: 5000, jitterUs: null }),
    ]);
    session.send({ case: 'tableRequest', value: { haveGeneration: 0n, haveChecksum: 0n } });
    expect((await session.next('routeDelta')).full).toBe(true);
  });

  it('lets a node leave when no path leads through it any more, and takes its acknowledgements until then', async () => {
    const session = await (await core.agent('a')).open();
    core.engine.transits.add(1);
    session.send({ case: 'goodbye', value: { reason: 'leave' } });
    await eventually('the goodbye', () => core.engine.goodbyes.includes(1));
    let ended = false;
    const end = session.ended().then((result) => {
      ended = true;
      return result;
    });
    session.send({ case: 'tableAck', value: { generation: 77n, checksum: 7n, error: '', message: '' } });
    await eventually('the acknowledgement', () => core.engine.nodes.get(1)?.held.generation === 77n);
    expect(ended).toBe(false);
    core.engine.transits.clear();
    expect((await end).closeCode).toBe(1000);
  });

  it('lets a node that stops go at once, and does not move paths off it', async () => {
    const session = await (await core.agent('a')).open();
    core.engine.transits.add(1);
    session.send({ case: 'goodbye', value: { reason: 'stop' } });
    expect((await session.ended()).closeCode).toBe(1000);
    expect(core.engine.goodbyes).toEqual([]);
  });
});

describe('certificates', () => {
  it('are renewed over the session; both the old and the new one open the next session', async () => {
    const agent = await core.agent('a');
    const session = await agent.open();
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signingRequestDer = await makeSigningRequest(key.publicKey, key.privateKey);
    session.send({ case: 'renewRequest', value: { signingRequestDer } });
    const certificate = new X509Certificate((await session.next('renewResponse')).certificateDer);
    expect(certificate.subject).toBe(`CN=${agent.joined?.nodeId}`);
    await agent.open();
    agent.tlsKey = key;
    agent.certificatePem = certificate.toString();
    await agent.open();
  });

  it('that have expired still open a session within the grace, not after it', async () => {
    await core.restart({ nodeCertificateHours: 0.01, certificateGraceHours: 1 });
    const agent = await core.agent('a');
    const expiresMs = Date.parse(new X509Certificate(agent.certificatePem).validTo);
    expect(expiresMs - Date.now()).toBeLessThan(37_000);
    await agent.open();
  });

  it('of nobody or of another mesh open none', async () => {
    const agent = await core.agent('a');
    await expect(agent.connect(false)).rejects.toThrow('401');
    const other = await new TestCore().start();
    const foreign = await other.agent('a');
    agent.certificatePem = foreign.certificatePem;
    agent.tlsKey = foreign.tlsKey;
    await expect(agent.connect()).rejects.toThrow('401');
    await other.stop();
  });
});

describe('a session ends with a refusal', () => {
  const cases: [string, string, (agent: TestAgent) => Uint8Array][] = [
    ['garbage', 'protocol_violation', () => Uint8Array.of(255, 255, 255)],
    ['an empty frame', 'protocol_violation', () => new Uint8Array(0)],
    [
      'a first frame that is not hello',
      'protocol_violation',
      () => encodeAgentFrame(1n, { case: 'heartbeat', value: {} }),
    ],
    ['a frame out of order', 'out_of_order', (agent) => encodeAgentFrame(2n, agent.hello())],
    ['a frame that is too large', 'frame_too_large', () => new Uint8Array(MAX_AGENT_FRAME_BYTES + 1)],
    [
      'another version',
      'protocol_version',
      (agent) => encodeAgentFrame(1n, agent.hello({ protocolMin: 5, protocolMax: 6 })),
    ],
    [
      'another key',
      'certificate_invalid',
      (agent) => encodeAgentFrame(1n, agent.hello({ publicKey: new Uint8Array(32) })),
    ],
  ];
  it.each(cases)('%s -> %s', async (_what, code, bytes) => {
    const agent = await core.agent();
    const session = await agent.connect();
    session.sendBytes(bytes(agent));
    expect((await session.ended()).refusal?.code).toBe(code);
    // the node is not harmed by it
    await agent.open();
  });

  it('a repeated frame -> out_of_order; a second hello -> protocol_violation; a text message too', async () => {
    const agent = await core.agent();
    const first = await agent.open();
    first.sendBytes(encodeAgentFrame(1n, { case: 'heartbeat', value: {} }));
    expect((await first.ended()).refusal?.code).toBe('out_of_order');
    const second = await agent.open();
    second.send(agent.hello());
    expect((await second.ended()).refusal?.code).toBe('protocol_violation');
    const third = await agent.open();
    third.socket.send('hello');
    expect((await third.ended()).refusal?.code).toBe('protocol_violation');
  });

  it('far too large: closed without one', async () => {
    const session = await (await core.agent()).open();
    session.sendBytes(new Uint8Array(2 * MAX_AGENT_FRAME_BYTES + 1));
    expect((await session.ended()).closeCode).toBe(1009);
  });

  it('silence for three heartbeats -> heartbeat_timeout; heartbeats keep it', async () => {
    await core.restart({ heartbeatMs: 200 });
    const silent = await (await core.agent()).open();
    const alive = await (await core.agent()).open();
    const beat = setInterval(() => alive.send({ case: 'heartbeat', value: { clockUnixMs: BigInt(Date.now()) } }), 50);
    expect((await silent.ended()).refusal?.code).toBe('heartbeat_timeout');
    expect(alive.closeCode).toBeUndefined();
    await alive.next('heartbeat');
    clearInterval(beat);
  });

  it('a newer session of the same node -> replaced', async () => {
    const agent = await core.agent();
    const old = await agent.open();
    const young = await agent.open();
    expect((await old.ended()).refusal?.code).toBe('replaced');
    expect(young.closeCode).toBeUndefined();
    expect(core.engine.nodes.get(1)?.online).toBe(true);
  });
});
