/**
 * Sessions of agents at cores that do not steer, on a real nats-server and real TLS:
 *
 *   agent ==TLS== holder --NATS-- solver
 */
import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OwnNats } from '../../netlab/loadtest/own-nats.ts';
import type { NodeView, TokenCreated } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { decodeCoreFrame, encodeAgentFrame } from '../../protocol/frame-codec.ts';
import type { SolverRecord } from '../../protocol/gen/thalweg/v1/relay_pb.ts';
import { LinkHealth } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { Logger } from '../../protocol/log.ts';
import { decodeSolverRecords, encodeHolderRecord } from '../../steering/cluster/relay-message.ts';
import { decodeRelayPacket, encodeRelayPacket } from '../../steering/cluster/relay-packet.ts';
import { coreConfigSchema, type RunningCore, runCore } from '../../steering/core-program.ts';
import { SmallEngine } from '../fake/small-engine.ts';
import { TestAgent, type TestSession } from '../fake/test-agent.ts';
import { eventually } from '../fake/test-core.ts';
import { builtNatsWorker, hasNatsServer } from './built-nats-worker.ts';

const hasServer = hasNatsServer('relayed sessions');
const worker = builtNatsWorker();
let meshes = 0;

class ClusterCore {
  readonly engine = new SmallEngine();
  readonly stateDir: string;
  readonly logged: string[] = [];
  running: RunningCore | undefined;

  constructor(stateDir: string) {
    this.stateDir = stateDir;
  }

  async start(store: string[]): Promise<this> {
    const apiSocket = join(this.stateDir, 'core.sock');
    const settings = { store, listen: '127.0.0.1:0', api: 'none', heartbeatMs: 1000, logLevel: 'info' };
    const config = coreConfigSchema.parse({
      ...settings,
      stateDir: this.stateDir,
      apiSocket,
      nats: { mesh: `r${meshes}` },
    });
    const note = (message: string) => void this.logged.push(message);
    const log: Logger = { debug: note, info: note, warn: note, error: note };
    this.running = await runCore(config, { log, natsWorker: worker, makeEngine: () => this.engine });
    return this;
  }

  get api(): ApiClient {
    return new ApiClient(`unix:${join(this.stateDir, 'core.sock')}`);
  }

  get port(): number {
    return this.running?.ports.agents ?? 0;
  }
}

describe.runIf(hasServer)('an agent at a core that does not steer', () => {
  const nats = new OwnNats();
  const folders: string[] = [];
  const cores: ClusterCore[] = [];
  beforeAll(() => nats.start(1), 60_000);
  afterAll(() => nats.stop());
  beforeEach(() => {
    meshes++;
  });
  afterEach(async () => {
    for (const core of cores.splice(0)) await core.running?.stop();
    for (const one of folders.splice(0)) rmSync(one, { recursive: true, force: true });
  });

  /** The first one steers. */
  const start = async (): Promise<ClusterCore> => {
    const stateDir = mkdtempSync(join(tmpdir(), 'thalweg-relay-core-'));
    folders.push(stateDir);
    const [first] = cores;
    if (first !== undefined) {
      for (const file of ['ca.key', 'ca.crt']) copyFileSync(join(first.stateDir, file), join(stateDir, file));
    }
    const core = await new ClusterCore(stateDir).start(nats.addresses);
    cores.push(core);
    if (first === undefined) await eventually('the first steers', () => core.logged.includes('this core steers'));
    else await eventually('a link', () => core.logged.includes('holding sessions for the core that steers'));
    return core;
  };
  const joined = async (core: ClusterCore, count = 1): Promise<TestAgent[]> => {
    const { token } = await core.api.post<TokenCreated>('/v1/tokens', { uses: count });
    const agents = Array.from({ length: count }, () => new TestAgent(core.port));
    for (const agent of agents) expect((await agent.join(token)).refusal).toBeUndefined();
    return agents;
  };
  const report = (session: TestSession, peerIndex: number) =>
    session.send({
      case: 'linkReport',
      value: { links: [{ peerIndex, health: LinkHealth.UP, rttUs: 5000, samples: 10 }] },
    });
  /** Takes the next table and acknowledges it; its checksum. */
  const take = async (session: TestSession): Promise<bigint> => {
    const { generation, checksum } = await session.next('routeDelta');
    session.send({ case: 'tableAck', value: { generation, checksum } });
    return checksum;
  };
  const heldBy = (core: ClusterCore, index: number) => core.engine.nodes.get(index)?.held.checksum;

  it('has a session like any other: welcome, peers, reports, tables, a renewed certificate', async () => {
    const [solver, holder] = [await start(), await start()];
    const [near, far] = (await joined(solver, 2)) as [TestAgent, TestAgent];
    far.port = holder.port;
    await near.open();
    const session = await far.open();
    expect((await session.next('peerUpdate')).set.map(({ index }) => index)).toEqual([1]);
    report(session, 1);
    await eventually('the report is there', () => solver.engine.reported.has(2));
    const checksum = await take(session);
    await eventually('the acknowledgement is there', () => heldBy(solver, 2) === checksum);
    session.send({ case: 'renewRequest', value: { signingRequestDer: await far.signingRequest() } });
    const { certificateDer } = await session.next('renewResponse');
    far.certificatePem = new X509Certificate(certificateDer).toString();
    const again = await far.open();
    expect((await session.ended()).refusal?.code).toBe('replaced');
    expect(holder.engine.reported.size).toBe(0);
    again.close();
    await eventually('the solver knows', async () => {
      const nodes = await solver.api.get<NodeView[]>('/v1/nodes');
      return nodes.filter(({ online }) => online).length === 1;
    });
  });

  it('joins at one and has its session at another in the same moment', async () => {
    const [solver, one, other] = [await start(), await start(), await start()];
    const { token } = await solver.api.post<TokenCreated>('/v1/tokens', { uses: 5 });
    for (let i = 0; i < 5; i++) {
      const agent = new TestAgent(one.port);
      await agent.join(token);
      agent.port = other.port;
      await agent.open();
    }
  });

  it('goes from one core to the other: the newer session counts, whichever core says so last', async () => {
    const [solver, holder] = [await start(), await start()];
    const [agent] = (await joined(solver, 1)) as [TestAgent];
    agent.port = holder.port;
    const old = await agent.open();
    agent.port = solver.port;
    const present = await agent.open();
    expect((await old.ended()).refusal?.code).toBe('replaced');
    report(present, 1);
    agent.port = holder.port;
    const newest = await agent.open();
    expect((await present.ended()).refusal?.code).toBe('replaced');
    newest.send({ case: 'demandReport', value: { demands: [] } });
    await eventually('what it says is heard', () => solver.engine.demands.has(1));
  });

  it('keeps its session when the core that steers goes: the next one knows what it said, and sends it nothing it has', async () => {
    const [solver, holder, third] = [await start(), await start(), await start()];
    const agents = await joined(solver, 3);
    const sessions: TestSession[] = [];
    for (const [i, agent] of agents.entries()) {
      agent.port = [holder, third, holder][i]?.port ?? 0;
      sessions.push(await agent.open());
    }
    for (const [i, session] of sessions.entries()) report(session, ((i + 1) % 3) + 1);
    for (const [i, session] of sessions.entries()) {
      await eventually('tables are acknowledged', async () => {
        for (const { body } of session.frames.splice(0)) {
          if (body.case !== 'routeDelta') continue;
          const { generation, checksum } = body.value;
          session.send({ case: 'tableAck', value: { generation, checksum } });
        }
        return solver.engine.reported.has(i + 1) && solver.engine.nodes.get(i + 1)?.held.checksum !== 0n;
      });
    }
    const held = agents.map((_, i) => heldBy(solver, i + 1));
    await solver.running?.stop();
    const steers = () => [holder, third].find(({ logged }) => logged.includes('this core steers'));
    await eventually('another steers', () => steers() !== undefined);
    const next = steers() as ClusterCore;
    await eventually('it knows what all have reported', () => next.engine.reported.size === 3);
    expect(agents.map((_, i) => heldBy(next, i + 1))).toEqual(held);
    for (const session of sessions) {
      expect(session.closeCode).toBeUndefined();
      const seen = session.frames.map(({ body }) => body.case);
      expect(seen.filter((kind) => kind === 'welcome' || kind === 'routeDelta')).toEqual([]);
    }
    for (const session of sessions) session.send({ case: 'demandReport', value: { demands: [] } });
    await eventually('what they say is heard', () => next.engine.demands.size === 3);
    next.engine.tableRequested(2);
    sessions[1]?.send({ case: 'tableRequest', value: {} });
    await (sessions[1] as TestSession).next('routeDelta');
  });

  it('is not taken away by an older session that is announced late, nor by what is no packet', async () => {
    const [solver, holder] = [await start(), await start()];
    const [agent] = (await joined(solver, 1)) as [TestAgent];
    agent.port = holder.port;
    const session = await agent.open();
    const connection = await connect({ servers: nats.addresses });
    try {
      const prefix = `thalweg.r${meshes}.main.relay`;
      const said: SolverRecord[] = [];
      const steers = connection.subscribe(`${prefix}.steers`, { max: 1 });
      const { term } = (await steers[Symbol.asyncIterator]().next()).value.json() as { term: number };
      connection.subscribe(`${prefix}.holder.late`, {
        callback: (_error, { data }) => {
          const packet = decodeRelayPacket(data);
          const records = packet.ok ? decodeSolverRecords(packet.value.payload) : packet;
          if (records.ok) said.push(...records.value);
        },
      });
      const hello = encodeAgentFrame(0n, agent.hello());
      const serial = new X509Certificate(agent.certificatePem).serialNumber;
      const opened = { nodeId: agent.joined?.nodeId ?? '', index: 1, serial, remoteAddress: '', hello };
      const announce = (link: number, epoch: bigint) => {
        const payload = encodeHolderRecord(1, { case: 'opened', value: { ...opened, epoch } });
        const packet = encodeRelayPacket({ kind: 'data', term, link, seq: 1, ack: 0, payload });
        connection.publish(`${prefix}.solver.${term}.late`, packet);
      };
      const beats = connection.subscribe(`${prefix}.solver.${term}.*`, { max: 1 });
      const { subject: ofHolder } = (await beats[Symbol.asyncIterator]().next()).value as { subject: string };
      const id = ofHolder.split('.').at(-1);
      for (const subject of [`solver.${term}.late`, `solver.${term}.${id}`, `holder.${id}`, 'steers']) {
        for (const bytes of [new Uint8Array(), new Uint8Array(70), new Uint8Array(200).fill(1)]) {
          connection.publish(`${prefix}.${subject}`, bytes);
        }
      }
      announce(1, 1n);
      await eventually('an answer', () => said.length > 0);
      const [answer] = said;
      const frame = answer?.body.case === 'frame' ? decodeCoreFrame(answer.body.value) : undefined;
      expect(frame?.ok && frame.value.body).toMatchObject({ case: 'refusal', value: { code: 'replaced' } });
      report(session, 1);
      session.send({ case: 'demandReport', value: { demands: [] } });
      await eventually('what the agent says is heard', () => solver.engine.demands.has(1));
      announce(2, 0n);
      expect((await session.ended()).refusal?.code).toBe('replaced');
    } finally {
      await connection.close();
    }
  });

  it('loses its session at once when its node is removed, at whichever core', async () => {
    const [solver, holder] = [await start(), await start()];
    const agents = await joined(solver, 2);
    for (const [i, core] of [solver, holder].entries()) {
      const agent = agents[i] as TestAgent;
      agent.port = holder.port;
      const session = await agent.open();
      await core.api.delete(`/v1/nodes/${agent.joined?.nodeId}`);
      expect((await session.ended()).refusal).toMatchObject({ code: 'node_removed', retryAfterMs: 0 });
    }
  });
});
