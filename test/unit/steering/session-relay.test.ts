/** Sessions between holders and solvers as steps of a clock, over a bus that may lose packets and cores. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type AgentBody, decodeCoreFrame, encodeAgentFrame, encodeCoreFrame } from '../../../protocol/frame-codec.ts';
import type { CoreFrame, Hello } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { HeldConnections } from '../../../steering/cluster/held-connections.ts';
import { encodeSolverRecord } from '../../../steering/cluster/relay-message.ts';
import { encodeRelayPacket } from '../../../steering/cluster/relay-packet.ts';
import { RelayedSessions } from '../../../steering/cluster/relayed-sessions.ts';
import { SessionHolder } from '../../../steering/cluster/session-holder.ts';
import { CoreMetrics } from '../../../steering/metrics.ts';
import type { NodeRegistry } from '../../../steering/registry/node-registry.ts';
import { AgentSession } from '../../../steering/session/agent-session.ts';
import type { NodeSession, OpenBody, SessionOwner } from '../../../steering/session/node-session.ts';
import { RelayBus } from '../../fake/relay-bus.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

let clock: TurnedClock;
let bus: RelayBus;
beforeEach(() => {
  clock = new TurnedClock(1_000_000);
  bus = new RelayBus();
});

/** Time goes on, and whoever steers says so four times a second. */
function turn(ms: number, ...steering: readonly (readonly [string, number])[]): void {
  for (let done = 0; done < ms; done += 25) {
    if (done % 250 === 0) for (const [core, term] of steering) bus.announce(core, term);
    bus.run();
    clock.turn(25);
    bus.run();
  }
}

/** What steering is to the solver: welcomes everybody, and notes what it hears. */
class Steering implements SessionOwner {
  readonly live = new Map<number, NodeSession>();
  readonly hellos: Hello[] = [];
  readonly frames: OpenBody[] = [];
  readonly ended: string[] = [];
  readonly skews: number[] = [];
  #epoch: bigint;

  constructor(term: number) {
    this.#epoch = BigInt(term) << 32n;
  }

  opened(): void {}

  hello(session: NodeSession, hello: Hello): void {
    this.hellos.push(hello);
    if (session.epoch === 0n) session.epoch = ++this.#epoch;
    session.open();
    session.send({ case: 'welcome', value: { index: session.options.index, heartbeatMs: 1000 } });
    this.live.set(session.options.index, session);
  }

  frame(_session: NodeSession, body: OpenBody): void {
    this.frames.push(body);
  }

  clockSkew(_session: NodeSession, skewMs: number): void {
    this.skews.push(skewMs);
  }

  closed(session: NodeSession, reason: string): void {
    this.ended.push(`${session.options.index} ${reason}`);
    if (this.live.get(session.options.index) === session) this.live.delete(session.options.index);
  }
}

const known = { byId: (id: string) => ({ index: Number(id.slice(2)), serial: '5', previousSerial: null }) };

function core(name: string) {
  const door = new HeldConnections(clock);
  const metrics = new CoreMetrics();
  const port = bus.port(name);
  const holder = new SessionHolder({ port, door, clock, log: silentLogger, metrics });
  let relayed: RelayedSessions | undefined;
  port.join({
    solver: (from, term) => holder.solver(from, term),
    fromSolver: (packet) => holder.packet(packet),
    fromHolder: (from, packet) => relayed?.packet(from, packet),
  });
  holder.start();
  const steer = (term: number, registry = known as unknown as NodeRegistry) => {
    const steering = new Steering(term);
    const deps = { port, owner: steering, registry, refresh: () => true, clock, log: silentLogger, metrics };
    relayed = new RelayedSessions(deps);
    relayed.start(term);
    holder.handOver(steering);
    return steering;
  };
  const dropped = async () =>
    Object.fromEntries((await metrics.relayDropped.get()).values.map(({ labels, value }) => [labels['reason'], value]));
  return { name, holder, door, steer, dropped };
}

/** An agent with a connection to a core; `told`: the frames it got. */
function agentAt({ holder }: { holder: SessionHolder }, index: number) {
  const told: CoreFrame[] = [];
  const stream = {
    bufferedBytes: 0,
    send: (bytes: Uint8Array) => {
      const frame = decodeCoreFrame(bytes);
      if (!frame.ok) throw new Error(frame.reason);
      told.push(frame.value);
    },
    close: () => {},
    terminate: () => {},
  };
  const options = { nodeId: `n-${index}`, index, serial: '5', remoteAddress: '192.0.2.1', heartbeatMs: 60_000 };
  const session = new AgentSession({ stream, owner: holder, clock, metrics: new CoreMetrics() }, options);
  holder.opened(session);
  let seq = 0n;
  const say = (body: AgentBody) => session.receive(encodeAgentFrame(++seq, body));
  say({
    case: 'hello',
    value: { protocolMin: 1, protocolMax: 1, publicKey: new Uint8Array(32), listenPort: 1, stampPort: 862 },
  });
  const kinds = () => told.map(({ body }) => body.case);
  return { session, told, kinds, say };
}

const link = (peerIndex: number, rttUs: number): AgentBody => ({
  case: 'linkReport',
  value: { links: [{ peerIndex, rttUs }] },
});
const delta = (generation: bigint) => ({ case: 'routeDelta' as const, value: { generation, checksum: 7n } });
const peers = (set: number[]) => ({
  case: 'peerUpdate' as const,
  value: { full: true, set: set.map((index) => ({ index, publicKey: new Uint8Array(32) })) },
});

describe('a session that another core holds', () => {
  it('is told in order, and says in order, whatever the size', () => {
    const [a, b] = [core('a'), core('b')];
    const steering = a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    const certificateDer = new Uint8Array(3_000_000).fill(9);
    steering.live.get(2)?.send({ case: 'renewResponse', value: { certificateDer } });
    steering.live.get(2)?.send(delta(4n));
    for (let i = 0; i < 50; i++) agent.say(link(1, i + 1));
    turn(50, ['a', 1]);
    expect(agent.kinds()).toEqual(['welcome', 'renewResponse', 'routeDelta']);
    expect(agent.told.map(({ seq }) => seq)).toEqual([1n, 2n, 3n]);
    const rtts = steering.frames.map((body) => body.case === 'linkReport' && body.value.links[0]?.rttUs);
    expect(rtts).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  it('stays when another core steers, which hears what it would hear from an agent that came anew', () => {
    const [a, b, c] = [core('a'), core('b'), core('c')];
    const first = a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    first.live.get(2)?.send(peers([1, 3, 4]));
    first.live.get(2)?.send(delta(9n));
    turn(50, ['a', 1]);
    for (const body of [link(1, 10), link(3, 30), link(4, 40), link(3, 33)]) agent.say(body);
    agent.say({ case: 'tableAck', value: { generation: 9n, checksum: 7n } });
    agent.say({ case: 'renewRequest', value: { signingRequestDer: new Uint8Array(3) } });
    agent.say({ case: 'trustReport', value: { caFingerprints: [], issuerFingerprint: new Uint8Array(32).fill(1) } });
    first.live.get(2)?.send({ ...peers([]), value: { full: false, set: [], remove: [4] } });
    turn(50, ['a', 1]);
    bus.cut.add('a');
    const next = c.steer(50);
    turn(500, ['c', 50]);
    expect(agent.kinds().filter((kind) => kind === 'welcome')).toHaveLength(1);
    expect(agent.session.isOpen).toBe(true);
    expect(next.hellos).toMatchObject([{ tableGeneration: 9n, tableChecksum: 7n, listenPort: 1 }]);
    expect(next.hellos[0]?.trust?.issuerFingerprint[0]).toBe(1);
    const [news, asked, ...none] = next.frames;
    expect(news?.case === 'linkReport' && news.value.links.map(({ peerIndex, rttUs }) => [peerIndex, rttUs])).toEqual([
      [1, 10],
      [3, 33],
    ]);
    expect([asked?.case, none]).toEqual(['renewRequest', []]);
    next.live.get(2)?.send(delta(10n));
    agent.say(link(1, 11));
    turn(50, ['c', 50]);
    expect(agent.kinds().at(-1)).toBe('routeDelta');
    expect(next.frames.at(-1)?.case).toBe('linkReport');
  });

  it('is announced when the table that was on its way is acknowledged, or not in time', () => {
    const [a, b, c] = [core('a'), core('b'), core('c')];
    const first = a.steer(1);
    turn(500, ['a', 1]);
    const [quick, dumb] = [agentAt(b, 2), agentAt(b, 3)];
    turn(50, ['a', 1]);
    for (const index of [2, 3]) first.live.get(index)?.send(delta(9n));
    turn(50, ['a', 1]);
    bus.cut.add('a');
    const next = c.steer(50);
    turn(300, ['c', 50]);
    expect(next.hellos).toEqual([]);
    quick.say({ case: 'tableAck', value: { generation: 9n, checksum: 7n } });
    turn(300, ['c', 50]);
    expect(next.hellos.map(({ tableGeneration }) => tableGeneration)).toEqual([9n]);
    turn(1000, ['c', 50]);
    expect(next.hellos.map(({ tableGeneration }) => tableGeneration)).toEqual([9n, 0n]);
    expect(dumb.session.isOpen).toBe(true);
  });

  it('hears nothing of a solver that was replaced', async () => {
    const [a, b, c] = [core('a'), core('b'), core('c')];
    const old = a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    const next = c.steer(2);
    turn(500, ['c', 2]);
    const before = agent.told.length;
    // it does not know yet, and nothing keeps its packets back
    old.live.get(2)?.send(delta(99n));
    turn(500, ['a', 1], ['c', 2]);
    const stale = encodeSolverRecord(1, { case: 'frame', value: encodeCoreFrame(0n, delta(98n)) });
    b.holder.packet(encodeRelayPacket({ kind: 'data', term: 1, link: 1, seq: 3, ack: 0, payload: stale }));
    expect(agent.told).toHaveLength(before);
    expect((await b.dropped())['old_term']).toBeGreaterThan(1);
    next.live.get(2)?.send(delta(3n));
    turn(50, ['c', 2]);
    expect(agent.kinds().at(-1)).toBe('routeDelta');
  });

  it('survives packets that are lost, either way: the link begins anew, and nothing is out of order', () => {
    const [a, b] = [core('a'), core('b')];
    const steering = a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    for (let round = 0; round < 20; round++) {
      let left = 3;
      bus.loses = (from) => from === (round % 2 === 0 ? 'a' : 'b') && left-- === 1;
      for (let i = 0; i < 5; i++) {
        steering.live.get(2)?.send(delta(BigInt(10 * round + i + 1)));
        agent.say(link(1, 10 * round + i + 1));
        turn(25, ['a', 1]);
      }
      bus.loses = () => false;
      agent.say({ case: 'tableRequest', value: {} });
      turn(3000, ['a', 1]);
      expect(steering.live.get(2)?.isOpen).toBe(true);
    }
    expect(agent.session.isOpen).toBe(true);
    const generations = agent.told.flatMap(({ body }) => (body.case === 'routeDelta' ? [body.value.generation] : []));
    expect(generations).toEqual([...generations].sort((x, y) => Number(x - y)));
    expect(new Set(generations).size).toBe(generations.length);
    expect(generations.length).toBeGreaterThan(25);
    const last = steering.frames.findLast((body) => body.case === 'linkReport');
    expect(last?.case === 'linkReport' && last.value.links[0]?.rttUs).toBe(195);
  });

  it('is over for the solver three seconds after its holder died, and not because it was late itself', () => {
    const [a, b] = [core('a'), core('b')];
    const steering = a.steer(1);
    turn(500, ['a', 1]);
    agentAt(b, 2);
    turn(50, ['a', 1]);
    bus.cut.add('b');
    turn(2000, ['a', 1]);
    expect(steering.live.has(2)).toBe(true);
    turn(1500, ['a', 1]);
    expect([steering.live.has(2), steering.ended]).toEqual([false, ['2 holder_lost']]);
    bus.cut.delete('b');
    turn(2000, ['a', 1]);
    expect(steering.live.get(2)?.isOpen).toBe(true);
  });

  it('is sent on by a core that is cut off within seconds, and by one that hears of no solver later', () => {
    const [a, b] = [core('a'), core('b')];
    a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    bus.cut.add('a');
    turn(9000);
    expect(agent.session.isOpen).toBe(true);
    turn(6000);
    expect(agent.told.at(-1)?.body).toMatchObject({ case: 'refusal', value: { code: 'standing_by' } });
    bus.cut.delete('a');
    turn(1000, ['a', 1]);
    const other = agentAt(b, 3);
    turn(50, ['a', 1]);
    bus.cut.add('b');
    turn(3000);
    expect(other.session.isOpen).toBe(true);
    turn(2500);
    expect(other.told.at(-1)?.body).toMatchObject({ case: 'refusal', value: { code: 'standing_by' } });
  });

  it('is handed over where its holder steers next: one welcome, and the news once', async () => {
    const [a, b] = [core('a'), core('b')];
    a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    agent.say(link(1, 10));
    const own = b.steer(9);
    await Promise.resolve();
    expect(own.hellos).toHaveLength(1);
    expect(own.frames.map((body) => body.case)).toEqual(['linkReport']);
    own.live.get(2)?.send(delta(1n));
    agent.say(link(1, 11));
    expect(agent.kinds()).toEqual(['welcome', 'routeDelta']);
    expect(own.frames).toHaveLength(2);
    expect(b.holder.size).toBe(0);
  });

  it('is refused where the solver does not know the node, and asked to come again', () => {
    const [a, b] = [core('a'), core('b')];
    a.steer(1, { byId: () => undefined, wasRemoved: (id: string) => id === 'n-3' } as unknown as NodeRegistry);
    turn(500, ['a', 1]);
    const [unknown, removed] = [agentAt(b, 2), agentAt(b, 3)];
    turn(50, ['a', 1]);
    expect(unknown.told.at(-1)?.body).toMatchObject({ value: { code: 'certificate_invalid', retryAfterMs: 2000 } });
    expect(removed.told.at(-1)?.body).toMatchObject({ value: { code: 'node_removed', retryAfterMs: 0 } });
    expect(b.holder.size).toBe(0);
  });

  it('ends when its agent floods: others keep the link', () => {
    const [a, b] = [core('a'), core('b')];
    const steering = a.steer(1);
    turn(500, ['a', 1]);
    const [flood, calm] = [agentAt(b, 2), agentAt(b, 3)];
    turn(50, ['a', 1]);
    for (let i = 0; i < 600; i++) flood.say(link(1, i));
    calm.say(link(1, 5));
    turn(50, ['a', 1]);
    expect(flood.told.at(-1)?.body).toMatchObject({ case: 'refusal', value: { code: 'overloaded' } });
    expect(calm.session.isOpen).toBe(true);
    expect(steering.ended).toEqual(['2 overloaded']);
  });

  it('tells the solver of a clock when it has moved, not with each heartbeat', () => {
    const [a, b] = [core('a'), core('b')];
    const steering = a.steer(1);
    turn(500, ['a', 1]);
    const agent = agentAt(b, 2);
    turn(50, ['a', 1]);
    const beat = (skewMs: number) =>
      agent.say({ case: 'heartbeat', value: { clockUnixMs: BigInt(clock.nowMs() + skewMs) } });
    beat(5000);
    for (let i = 0; i < 10; i++) beat(5000 + i);
    turn(50, ['a', 1]);
    expect(steering.skews).toEqual([5000]);
  });

  it('waits at the door while there is no link, and is sent on where the solver is too old for one', () => {
    const b = core('b');
    const said: string[] = [];
    const at = (name: string) => ({
      begin: () => void said.push(`${name} begins`),
      sendOn: () => void said.push(`${name} goes on`),
    });
    b.door.take(at('x'));
    for (let i = 0; i < 12; i++) b.holder.renewalSeen();
    expect(said).toEqual([]);
    b.holder.renewalSeen();
    b.door.take(at('y'));
    b.holder.solver('a', 1);
    expect(said).toEqual(['x goes on', 'y begins']);
  });
});
