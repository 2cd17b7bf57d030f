/** The whole agent over real TLS against a core that says what the test wants, with kernel and prober in memory. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCoreStream } from '../../../agent/core-stream.ts';
import { IdentityStore } from '../../../agent/identity.ts';
import { joinNode } from '../../../agent/join.ts';
import { MeshAgent } from '../../../agent/mesh-agent.ts';
import { AgentMetrics } from '../../../agent/metrics.ts';
import { wireGuardPublicKey } from '../../../agent/wireguard-key.ts';
import { systemClock } from '../../../protocol/clock.ts';
import { addressToBytes } from '../../../protocol/endpoint.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import { MAX_CORE_FRAME_BYTES, routeDeltaToMessage } from '../../../protocol/frame-codec.ts';
import type { AgentFrame } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { deltaFrom, type RouteRow, RouteTable } from '../../../protocol/route-table.ts';
import { FakeOverlay } from '../../fake/fake-overlay.ts';
import { FakeProber } from '../../fake/fake-prober.ts';
import { eventually, ScriptedCore } from '../../fake/scripted-core.ts';

const peer = (index: number) => ({
  index,
  nodeId: `n-${'b'.repeat(20)}`,
  name: `site-${index}`,
  publicKey: new Uint8Array(32).fill(index),
  endpoints: [{ address: addressToBytes(`192.0.2.${index}`), port: 51820 }],
  transit: true,
  stampPort: 862,
});
const row = (destination: number, neighbour: number, backups: number[] = []): RouteRow => ({
  table: 'source',
  destination,
  blockBits: 0,
  plane: neighbour === destination ? null : 'a',
  nextHops: [{ neighbour, weight: 1 }],
  backups,
});
const direct = JSON.stringify([{ kind: 'direct', weight: 1 }]);
const via = (index: number, plane = 'a'): string =>
  JSON.stringify([{ kind: 'detour', plane, via: `100.112.0.${index}`, weight: 1 }]);

describe('MeshAgent', () => {
  let stateDir: string;
  let core: ScriptedCore;
  let overlay: FakeOverlay;
  let probers: FakeProber[];
  let metrics: AgentMetrics;
  const agents: MeshAgent[] = [];

  const frames = <C extends AgentFrame['body']['case']>(kind: C) =>
    core.connections
      .flatMap((c) => c.frames)
      .flatMap(({ body }) => (body.case === kind ? [body as Extract<AgentFrame['body'], { case: C }>] : []));
  const startAgent = async (): Promise<MeshAgent> => {
    const identityStore = new IdentityStore(stateDir);
    metrics = new AgentMetrics();
    const agent = new MeshAgent(
      {
        clock: systemClock,
        log: silentLogger,
        overlay,
        createProber: () => {
          const prober = new FakeProber();
          probers.push(prober);
          return prober;
        },
        open: openCoreStream,
        random: () => 0.1,
        instanceId: new Uint8Array(randomBytes(16)),
        identityStore,
        metrics,
      },
      {
        identity: await identityStore.loadJoined(),
        publicKey: wireGuardPublicKey(await readFile(join(stateDir, 'wireguard.key'), 'utf8')),
        listenPort: 51820,
        transit: true,
        leafCapacity: 2000,
        stampPort: 862,
        detection: { guard: 'normal', packetsPerSecond: 500, processorShare: 0.1 },
        reconcileIntervalMs: 4000,
        reconnect: { baseMs: 20 },
      },
    );
    agents.push(agent);
    await agent.start();
    return agent;
  };
  const sendTable = (table: RouteTable, generation: bigint, set: RouteRow[]): bigint => {
    const delta = deltaFrom(table, generation, set, []);
    expect(table.apply(delta).ok).toBe(true);
    core.last.send({ case: 'routeDelta', value: routeDeltaToMessage(delta) });
    return delta.checksum;
  };
  const established = (): Promise<void> =>
    eventually(() => core.connections.length > 0 && core.last.frames.length > 0, 'Hello');

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'thalweg-agent-'));
    core = new ScriptedCore();
    await core.start();
    overlay = new FakeOverlay();
    probers = [];
    await joinNode({ token: core.token(), stateDir, name: 'site-a' });
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.stop();
    await core.stop();
    await rm(stateDir, { recursive: true, force: true });
  });

  it('applies peers and a table, and acknowledges once the kernel has it', async () => {
    await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2), peer(3)], remove: [] } });
    await eventually(() => overlay.routes.get('source 100.96.0.2/32') === direct, 'direct before any table');
    expect(overlay.lastDesired?.peers[0]?.allowedIps).toEqual([
      '100.112.0.2/32',
      '100.96.0.2/32',
      'fd74:6861:6c77::2/128',
    ]);
    expect(probers[0]?.targets.map((t) => t.address)).toEqual(['100.112.0.2', '100.112.0.3']);
    const table = new RouteTable();
    const checksum = sendTable(table, 1n, [row(2, 3), row(3, 3)]);
    await eventually(() => frames('tableAck').length > 0, 'acknowledgement');
    expect(frames('tableAck')[0]?.value).toMatchObject({ generation: 1n, checksum, error: '' });
    expect(overlay.routes.get('source 100.96.0.2/32')).toBe(via(3));
    expect(overlay.routes.get('source fd74:6861:6c77::2/128')).toBe(via(3));
  });

  it('acknowledges with the error while the kernel refuses, and without one when it takes the table after all', async () => {
    await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2), peer(3)], remove: [] } });
    await eventually(() => overlay.peers.size === 2, 'peers');
    overlay.fault = new ThalwegError('command_failed', 'ip: no');
    sendTable(new RouteTable(), 1n, [row(2, 3)]);
    await eventually(() => frames('tableAck').length > 0, 'refusal');
    expect(frames('tableAck')[0]?.value).toMatchObject({ generation: 1n, error: 'command_failed', message: 'ip: no' });
    overlay.fault = undefined;
    overlay.touched();
    await eventually(() => frames('tableAck').some((f) => f.value.error === ''), 'acknowledgement');
  });

  it('asks for the whole table when a delta does not fit', async () => {
    await startAgent();
    await established();
    const foreign = new RouteTable();
    foreign.apply(deltaFrom(foreign, 5n, [row(2, 2)], []));
    sendTable(foreign, 6n, [row(3, 3)]);
    await eventually(() => frames('tableRequest').length === 1, 'table request');
    expect(frames('tableRequest')[0]?.value.haveGeneration).toBe(0n);
  });

  it('coalesces deltas that come while the kernel is busy', async () => {
    await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2), peer(3)], remove: [] } });
    await eventually(() => overlay.peers.size === 2, 'peers');
    let open = (): void => {};
    overlay.gate = new Promise((resolve) => {
      open = resolve;
    });
    const before = overlay.applies;
    const table = new RouteTable();
    sendTable(table, 1n, [row(2, 2)]);
    await eventually(() => overlay.applies > before, 'first apply');
    for (let generation = 2n; generation < 30n; generation++)
      sendTable(table, generation, [row(2, generation % 2n ? 2 : 3)]);
    core.last.send({ case: 'heartbeat', value: { clockUnixMs: 1n } });
    await new Promise((resolve) => setTimeout(resolve, 100));
    open();
    await eventually(() => frames('tableAck').some((f) => f.value.generation === 29n), 'last generation');
    expect(overlay.applies - before).toBeLessThan(8);
  });

  it('repairs around a neighbour that is down before the core says anything', async () => {
    await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2), peer(3)], remove: [] } });
    sendTable(new RouteTable(), 1n, [row(2, 2, [3])]);
    await eventually(() => frames('tableAck').length === 1, 'acknowledgement');
    probers[0]?.links.set(2, { health: 'down' });
    probers[0]?.post();
    await eventually(() => overlay.routes.get('source 100.96.0.2/32') === via(3), 'backup');
    // by next-hop objects first; the apply that follows wants the same
    expect(overlay.repairs).toBe(1);
    await eventually(() => JSON.stringify(overlay.lastDesired?.routes[0]?.nextHops) === via(3), 'wanted too');
    const reported = frames('linkReport').flatMap((f) => f.value.links);
    await eventually(
      () => frames('linkReport').some((f) => f.value.links.some((l) => l.peerIndex === 2 && l.health === 2)),
      `report of the dead link (${reported.length})`,
    );
  });

  it('forwards by what it remembers when the core is away at start', async () => {
    const first = await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2), peer(3)], remove: [] } });
    sendTable(new RouteTable(), 1n, [row(2, 3)]);
    await eventually(() => frames('tableAck').length === 1, 'acknowledgement');
    await first.stop();
    expect(frames('goodbye')[0]?.value.reason).toBe('stop');
    expect(overlay.routes.get('source 100.96.0.2/32')).toBe(via(3));
    await core.stop();
    overlay = new FakeOverlay();
    const second = await startAgent();
    expect(overlay.routes.get('source 100.96.0.2/32')).toBe(via(3));
    expect(second.health().checks.session?.ok).toBe(false);
    expect(second.health().ok).toBe(true);
  });

  it('leaves when the core closes the session, and applies and acknowledges tables until then', async () => {
    const agent = await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2), peer(3)], remove: [] } });
    const table = new RouteTable();
    sendTable(table, 1n, [row(2, 3)]);
    await eventually(() => frames('tableAck').length === 1, 'acknowledgement');
    let left = false;
    const leaving = agent.leave().then(() => {
      left = true;
    });
    await eventually(() => frames('goodbye')[0]?.value.reason === 'leave', 'goodbye');
    sendTable(table, 2n, [row(2, 2)]);
    await eventually(() => frames('tableAck').length === 2, 'acknowledgement while leaving');
    expect(overlay.routes.get('source 100.96.0.2/32')).toBe(direct);
    expect(left).toBe(false);
    core.last.socket.close(1000);
    await leaving;
    await agent.ended;
    expect(core.connections).toHaveLength(1);
    expect(overlay.base).not.toBeNull();
  });

  it('leaves at once when there is no session', async () => {
    await core.stop();
    const agent = await startAgent();
    await agent.leave();
    expect(agent.health().checks.session?.ok).toBe(false);
  });

  it('sets a damaged table aside and starts without it', async () => {
    await writeFile(join(stateDir, 'table.json'), '{"version":1,"rows":');
    await startAgent();
    expect(overlay.base).not.toBeNull();
    expect(await readFile(join(stateDir, 'table.json.damaged'), 'utf8')).toContain('rows');
  });

  it.each([
    ['garbage', (c: ScriptedCore) => c.last.sendRaw(new Uint8Array(randomBytes(100))), 'protocol_violation'],
    [
      'a frame out of order',
      (c: ScriptedCore) => {
        c.last.skipSeq();
        c.last.send({ case: 'heartbeat', value: { clockUnixMs: 1n } });
      },
      'out_of_order',
    ],
    [
      'an oversized frame',
      (c: ScriptedCore) => c.last.sendRaw(new Uint8Array(MAX_CORE_FRAME_BYTES + 1)),
      'frame_too_large',
    ],
    [
      'a second Welcome',
      (c: ScriptedCore) => c.last.send({ case: 'welcome', value: c.welcome() }),
      'protocol_violation',
    ],
    ['a cut', (c: ScriptedCore) => c.last.socket.terminate(), 'unreachable'],
  ])('comes back after %s, with the kernel untouched', async (_what, disturb, reason) => {
    await startAgent();
    await established();
    core.last.send({ case: 'peerUpdate', value: { full: true, set: [peer(2)], remove: [] } });
    await eventually(() => overlay.peers.size === 1, 'peer');
    const routes = [...overlay.routes];
    disturb(core);
    await eventually(() => core.connections.length === 2 && core.last.frames.length > 0, 'second session');
    expect([...overlay.routes]).toEqual(routes);
    expect(await metrics.registry.metrics()).toContain(`thalweg_agent_reconnects_total{reason="${reason}"} 1`);
  });

  it('leaves a core that falls silent after three heartbeats', async () => {
    core.onHello = (connection) => connection.send({ case: 'welcome', value: core.welcome({ heartbeatMs: 60 }) });
    await startAgent();
    await eventually(() => core.connections.length >= 2, 'second session');
    expect(await metrics.registry.metrics()).toMatch(/reconnects_total\{reason="heartbeat_timeout"\} \d/);
  });

  it('ends and takes the data plane down when the node was removed', async () => {
    const agent = await startAgent();
    await established();
    core.last.send({ case: 'refusal', value: { code: 'node_removed', message: 'gone', retryAfterMs: 0 } });
    await expect(agent.ended).rejects.toMatchObject({
      code: 'node_removed',
      nextStep: expect.stringContaining('thalweg join'),
    });
    expect(overlay.base).toBeNull();
    expect(probers[0]?.stopped).toBe(true);
    expect(overlay.watchers).toBe(0);
  });

  it('comes back after a refusal that passes', async () => {
    let refusals = 0;
    core.onHello = (connection) => {
      if (refusals++ === 0)
        connection.send({ case: 'refusal', value: { code: 'overloaded', message: 'later', retryAfterMs: 50 } });
      else connection.send({ case: 'welcome', value: core.welcome() });
    };
    await startAgent();
    await eventually(() => core.connections.length === 2, 'second session');
  });

  it('takes the addresses the core gives it anew', async () => {
    core.onHello = (connection) => connection.send({ case: 'welcome', value: core.welcome({ index: 9 }) });
    await startAgent();
    await eventually(() => probers[1]?.boundTo === '100.112.0.9:862', 'prober on the new address');
    expect(overlay.lastDesired?.addresses.node4).toBe('100.96.0.9');
    expect(probers[0]?.stopped).toBe(true);
    expect(JSON.parse(await readFile(join(stateDir, 'identity.json'), 'utf8'))).toMatchObject({ index: 9 });
  });

  it('fails to start with the reason of the host, leaving nothing running', async () => {
    overlay.preflightFault = new ThalwegError('missing_privilege', 'not root');
    await expect(startAgent()).rejects.toMatchObject({ code: 'missing_privilege' });
    expect(core.connections).toEqual([]);
  });
});
