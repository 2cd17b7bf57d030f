/** Agents that do not read: nothing is kept for them for long, and slow ones that do read are kept. */
import { expect, it } from 'vitest';
import { encodeAgentFrame } from '../../../protocol/frame-codec.ts';
import { CoreMetrics } from '../../../steering/metrics.ts';
import { AgentSession, MAX_BUFFERED_BYTES } from '../../../steering/session/agent-session.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

const HEARTBEAT_MS = 1000;

/** A stream whose far end takes `takes(nowMs)` bytes of what waits, each time something is sent. */
function openSession(takes: (waiting: number, nowMs: number) => number) {
  const clock = new TurnedClock();
  const closed: string[] = [];
  let terminated = 0;
  let waiting = 0;
  const stream = {
    get bufferedBytes() {
      return waiting;
    },
    send: (bytes: Uint8Array) => {
      waiting += bytes.length;
      waiting -= takes(waiting, clock.monoMs());
    },
    close: () => {},
    terminate: () => void terminated++,
  };
  const owner = {
    hello: (opened: AgentSession) => opened.open(),
    frame: () => {},
    clockSkew: () => {},
    closed: (_session: AgentSession, reason: string) => void closed.push(reason),
  };
  const options = { nodeId: 'n-x', index: 1, serial: '1', remoteAddress: null, heartbeatMs: HEARTBEAT_MS };
  const session = new AgentSession({ stream, owner, clock, metrics: new CoreMetrics() }, options);
  const publicKey = new Uint8Array(32);
  let seq = 1n;
  session.receive(
    encodeAgentFrame(seq, {
      case: 'hello',
      value: { protocolMin: 1, protocolMax: 1, publicKey, listenPort: 1, stampPort: 862 },
    }),
  );
  /** The agent itself is heard all the time: silence is not why it goes. */
  const live = (beats: number) => {
    for (let beat = 0; beat < beats; beat++) {
      session.receive(encodeAgentFrame(++seq, { case: 'heartbeat', value: {} }));
      clock.turn(HEARTBEAT_MS);
    }
  };
  const say = () => session.receive(encodeAgentFrame(++seq, { case: 'heartbeat', value: {} }));
  return { session, closed, live, say, clock, terminated: () => terminated };
}

it('drops an agent that talks but has read nothing for three heartbeats', () => {
  const { closed, live, terminated } = openSession(() => 0);
  live(3);
  expect(closed).toEqual([]);
  live(2);
  expect(closed).toEqual(['overloaded']);
  expect(terminated()).toBe(1);
});

it('keeps an agent that is slow but reads, however much waits below the bound', () => {
  const { session, closed, live } = openSession((waiting) => Math.min(waiting, 40));
  session.send({ case: 'renewResponse', value: { certificateDer: new Uint8Array(100_000) } });
  live(50);
  expect(closed).toEqual([]);
});

it('keeps an agent that is held up for less than three heartbeats, again and again', () => {
  const { closed, live } = openSession((waiting, nowMs) => (Math.floor(nowMs / HEARTBEAT_MS) % 3 === 0 ? waiting : 0));
  live(30);
  expect(closed).toEqual([]);
});

it('drops an agent at once for which more waits than the bound', () => {
  const { session, closed, terminated } = openSession(() => 0);
  const chunk = new Uint8Array(1024 * 1024);
  for (let i = 0; i <= MAX_BUFFERED_BYTES / chunk.length; i++) {
    session.send({ case: 'renewResponse', value: { certificateDer: chunk } });
  }
  expect(closed).toEqual(['overloaded']);
  expect(terminated()).toBe(1);
});

it('keeps an agent that spoke while the core itself was late, and drops one that did not', () => {
  const { closed, say, clock } = openSession((waiting) => waiting);
  clock.turn(HEARTBEAT_MS / 2);
  say();
  // a commit that NATS took long for: timers come late, and before what was sent meanwhile
  clock.lose(6 * HEARTBEAT_MS);
  clock.turn(0);
  say();
  clock.turn(3 * HEARTBEAT_MS);
  expect(closed).toEqual([]);
  clock.turn(HEARTBEAT_MS);
  expect(closed).toEqual(['heartbeat_timeout']);
});
