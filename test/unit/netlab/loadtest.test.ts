/** The simulated agents of a load test against a real core: what they count must be what the core did. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LoadFleet } from '../../../netlab/loadtest/load-fleet.ts';
import { addUp } from '../../../netlab/loadtest/load-sum.ts';
import { LoadTally } from '../../../netlab/loadtest/load-tally.ts';
import { distanceUs, LoadUnderlay } from '../../../netlab/loadtest/load-underlay.ts';
import { monoUs } from '../../../netlab/mono-us.ts';
import { systemClock } from '../../../protocol/clock.ts';
import { formatJoinToken } from '../../../protocol/join-token.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

const deps = { clock: systemClock, monoUs, random: Math.random };

describe('a fleet of simulated agents', () => {
  const core = new TestCore({ hasRealEngine: true });
  const fleet = new LoadFleet(deps);
  beforeAll(async () => {
    await core.start({ engine: 'fleet', reportIntervalMs: 500 });
    const { token } = await core.token({ uses: 9 });
    const start = { kind: 'start', token, leafCapacity: 64, window: 4 } as const;
    await fleet.start({ ...start, agents: 3, transit: true });
    await fleet.start({ ...start, agents: 6, transit: false });
  });
  afterAll(async () => {
    fleet.stop();
    await core.stop();
  });

  test('joins by token, and every agent holds a session', async () => {
    await eventually('all sessions', () => fleet.tally.established === 9);
    const nodes = await core.api.get<{ online: boolean; transit: boolean }[]>('/v1/nodes');
    expect(nodes.map((node) => node.online)).toEqual(Array(9).fill(true));
    expect(nodes.filter((node) => node.transit)).toHaveLength(3);
    expect(fleet.tally.transit).toHaveLength(3);
  });

  test('applies every delta, so that the core knows all tables', async () => {
    await eventually('convergence', async () => {
      const nodes =
        await core.api.get<{ home: string | null; tableGeneration: string; wantedGeneration: string }[]>('/v1/nodes');
      return (
        nodes.filter((node) => node.home !== null).length === 6 &&
        nodes.every((node) => node.tableGeneration !== '0' && node.tableGeneration === node.wantedGeneration)
      );
    });
    expect(fleet.tally.counters.unfit).toBe(0);
    expect(fleet.tally.snapshot().failures).toEqual({});
  });

  test('a link that goes down moves traffic, and the watch sees the acknowledgement', async () => {
    const [a = 0, b = 0] = fleet.tally.transit;
    const isInstalled = async (wanted: string) => {
      const path = await core.api.get<{ kind: string; installed: boolean }>(`/v1/paths/node-${a}/node-${b}`);
      return path.kind === wanted && path.installed;
    };
    await eventually('the direct path', () => isInstalled('direct'));
    fleet.tally.begin({ a, b });
    fleet.changeLink(a, b, 'down');
    await eventually('a path over another node', () => isInstalled('detour'));
    const { reportedUs, lastSourceAckUs } = fleet.tally.watch ?? {};
    expect(lastSourceAckUs).toBeGreaterThan(reportedUs ?? Number.POSITIVE_INFINITY);
  });

  test('agents come back to a core that was away', async () => {
    const sessions = fleet.tally.counters.sessions;
    await core.restart({ engine: 'fleet', listen: `127.0.0.1:${core.port}` });
    await eventually('nine new sessions', () => fleet.tally.counters.sessions >= sessions + 9);
    expect(fleet.tally.established).toBe(9);
  });
});

test('no core but one on loopback is loaded', async () => {
  const token = formatJoinToken({
    addresses: ['192.0.2.1:8470'],
    caFingerprint: '0'.repeat(64),
    id: 'aaaaaaaaaaaa',
    secret: new Uint8Array(32),
  });
  const start = { kind: 'start', token, agents: 1, transit: true, leafCapacity: 0, window: 1 } as const;
  await expect(new LoadFleet(deps).start(start)).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('RTTs are the same in both directions, differ by place, and can be changed', () => {
  const underlay = new LoadUnderlay();
  expect(distanceUs(3, 900)).toBe(distanceUs(900, 3));
  const seen = new Set(Array.from({ length: 100 }, (_, i) => distanceUs(1, i + 2)));
  expect(seen.size).toBeGreaterThan(90);
  underlay.change(5, 2, 'down');
  expect(underlay.link(2, 5)).toBe('down');
  underlay.change(2, 5, null);
  expect(underlay.link(5, 2)).toEqual({ rttUs: distanceUs(2, 5) });
});

test('tallies add up, and the watch takes the earliest report and the latest acknowledgement', () => {
  const tallies = [new LoadTally(), new LoadTally()];
  tallies.forEach((tally, i) => {
    tally.join(10 + i);
    tally.session(1);
    tally.failed('join timeout');
    tally.begin({ a: 0, b: 0 });
    if (tally.watch !== null) Object.assign(tally.watch, { reportedUs: 100 - i, lastSourceAckUs: 200 + i, deltas: 2 });
  });
  const answers = tallies.map((tally) => ({ kind: 'tally' as const, tally: tally.snapshot(), cpuUs: 5 }));
  expect(addUp(answers)).toMatchObject({
    joined: 2,
    established: 2,
    joinMs: [10, 11],
    failures: { 'join timeout': 2 },
    cpuUs: 10,
    watch: { reportedUs: 99, firstDeltaUs: null, lastSourceAckUs: 201, deltas: 4 },
  });
  expect(tallies[0]?.snapshot().joinMs).toEqual([]);
});
