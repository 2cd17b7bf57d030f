/** A core with `engine: fleet` and agents over real TLS: who is told of whom, what a leaf is sent, what the API says. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeView } from '../../../protocol/api.ts';
import { LinkHealth, Plane } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import type { TestSession } from '../../fake/test-agent.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore({ hasRealEngine: true }).start({ engine: 'fleet' });
});
afterEach(async () => core.stop());

const measured = (session: TestSession, rtts: Readonly<Record<number, number>>) =>
  session.send({
    case: 'linkReport',
    value: {
      links: Object.entries(rtts).map(([peer, rttUs]) => ({
        peerIndex: Number(peer),
        health: LinkHealth.UP,
        rttUs,
        minRttUs: rttUs,
        samples: 10,
      })),
    },
  });

it('tells leaves of transit nodes and transit nodes of their leaves, and sends a leaf a default to its home', async () => {
  const t1 = await (await core.agent('t1')).open({ leafCapacity: 5 });
  const t2 = await (await core.agent('t2')).open({ leafCapacity: 5 });
  const first = await (await core.agent('l1')).open({ transit: false, leafCapacity: 0 });
  const peers = (await first.next('peerUpdate')).set;
  expect(peers.map(({ name, leaf }) => [name, leaf])).toEqual([
    ['t1', false],
    ['t2', false],
  ]);
  const second = await (await core.agent('l2')).open({ transit: false, leafCapacity: 0 });
  expect((await second.next('peerUpdate')).set.map(({ name }) => name)).toEqual(['t1', 't2']);
  const toldOf = (session: TestSession) =>
    session.frames.flatMap(({ body }) =>
      body.case === 'peerUpdate'
        ? body.value.set.flatMap(({ name, leaf, transit }) => (leaf && !transit ? name : []))
        : [],
    );
  await eventually('t1 is told of both leaves', () => new Set(toldOf(t1)).size === 2);
  // of each by itself: not of all that it has, whenever one comes
  expect(toldOf(t1).sort()).toEqual(['l1', 'l2']);
  measured(t1, { 2: 9000 });
  measured(t2, { 1: 9000 });
  measured(first, { 1: 2000, 2: 30_000 });
  const row = (await first.next('routeDelta')).set.find(({ blockBits }) => blockBits === 20);
  expect(row).toMatchObject({ destination: 0, plane: Plane.UPLINK, nextHops: [{ neighbour: 1 }], backups: [2] });
  const nodes = await core.api.get<NodeView[]>('/v1/nodes');
  expect(nodes.map(({ name, home, leaves, leafCapacity }) => [name, home, leaves, leafCapacity])).toEqual([
    ['t1', null, 1, 5],
    ['t2', null, 0, 5],
    ['l1', 't1', null, null],
    ['l2', null, null, null],
  ]);
});

it('refuses an agent that knows no leaves, and counts reports on links without a session', async () => {
  const old = await (await core.agent('old')).connect();
  const t1 = await (await core.agent('t1')).open({ leafCapacity: 5 });
  const first = await (await core.agent('l1')).open({ transit: false, leafCapacity: 0 });
  await first.next('peerUpdate');
  await (await core.agent('l2')).open({ transit: false, leafCapacity: 0 });
  measured(first, { 4: 2000 });
  await eventually('the report is counted', async () => {
    const text = await (await fetch(`http://127.0.0.1:${core.running?.ports.api}/metrics`)).text();
    return /ignored_observations_total\{reason="(unknown_peer|no_session)"\} 1/.test(text);
  });
  expect(t1.closeCode).toBeUndefined();
  const agent = await core.agent('older');
  const session = await agent.connect();
  session.send(agent.hello());
  const { refusal } = await session.ended();
  expect(refusal?.code).toBe('protocol_version');
  expect(refusal?.message).toContain('knows no leaves');
  old.close();
});
