import { describe, expect, it } from 'vitest';
import { PERFECT_LINK } from '../../../netlab/link-shape.ts';
import { disagreements, parseNextHops, parseRoutes } from '../../../netlab/scenario/kernel-paths.ts';
import { parseRouteTouch } from '../../../netlab/scenario/route-monitor.ts';
import type { RunRecord } from '../../../netlab/scenario/run-record.ts';
import { parseScenario } from '../../../netlab/scenario/scenario-file.ts';
import { optimumPaths } from '../../../netlab/scenario/underlay-shapes.ts';
import { judge } from '../../../netlab/scenario/verdict.ts';
import type { NodeView } from '../../../protocol/api.ts';

const scenario = parseScenario(
  'f',
  `name: x
hosts: [a, b, c]
duration: 60s
underlay: { rtt-matrix: { hosts: [a, b, c], rows: [[0, 30, 10], [30, 0, 10], [10, 10, 0]] } }
pings: [{ name: all, pairs: all }]
expect:
  - path: { path: [a, c, b], by: 13s, until: 35s }
  - path: { path: [a, b], at: 9s }
  - path-changes: { from: a, to: b, exactly: 2 }
  - rtt: { ping: all, within: { plus: 1ms, percent: 5 }, mean-within: { percent: 3 } }
  - optimal-paths: { plus: 1ms }
  - routes-touched: { between: [1s, end], at-most: 0 }
  - routes-touched: { between: [1s, end], at-most: 0, next-hops: false }
`,
);

const change = (at: number, after: string[]) => ({ at, from: 'a', to: 'b', before: [], after, reason: 'better_path' });
const replies = (from: string, to: string, ms: number) => {
  return { from, to, sent: 1, replies: [{ atMs: 1_000, sequence: 1, rttUs: ms * 1_000 }] };
};
const record: RunRecord = {
  scenario,
  events: [],
  pathChanges: [change(-3, ['a', 'b']), change(12, ['a', 'c', 'b']), change(40, ['a', 'b'])],
  joinedMs: 1,
  steeredMs: null,
  originUnixMs: 0,
  finalPaths: [],
  flow: () => undefined,
  pairReplies: () =>
    [
      ['a', 'b', 20.5],
      ['b', 'a', 20.5],
      ['a', 'c', 10.2],
      ['c', 'a', 10.2],
      ['b', 'c', 10.2],
      ['c', 'b', 10.2],
    ].map(([from, to, ms]) => replies(`${from}`, `${to}`, Number(ms))),
  convergedAt: () => undefined,
  routeTouches: () => [],
  kernelDisagreements: null,
  resources: null,
  processors: null,
  problems: [],
};
const verdict = (index: number, changed: Partial<RunRecord> = {}) => {
  const expectation = scenario.expectations[index];
  if (expectation === undefined) throw new Error(`no expectation ${index}`);
  return judge(expectation, { ...record, ...changed });
};

describe('verdicts', () => {
  it('a path by a time that holds until another', () => {
    expect(verdict(0)).toMatchObject({ ok: true });
    expect(verdict(0, { pathChanges: record.pathChanges.slice(0, 1) })).toMatchObject({
      ok: false,
      seen: expect.stringContaining('a > b'),
    });
    const flap = [...record.pathChanges.slice(0, 2), change(20, ['a', 'b']), change(21, ['a', 'c', 'b'])];
    expect(verdict(0, { pathChanges: flap })).toMatchObject({ ok: false, seen: 'a > b from 20 s on' });
  });

  it('a path at a time, from before the start', () => {
    expect(verdict(1)).toMatchObject({ ok: true, seen: 'a > b since before the start' });
  });

  it('path changes within the run alone', () => {
    expect(verdict(2)).toMatchObject({ ok: true, seen: '2' });
    expect(verdict(2, { pathChanges: [...record.pathChanges, change(50, [])] }).ok).toBe(false);
  });

  it('round trips against the optimum, per pair and in the mean', () => {
    expect(verdict(3)).toMatchObject({ ok: true });
    const slow = record.pairReplies('all').map((p, i) => (i === 0 ? replies('a', 'b', 22.1) : p));
    expect(verdict(3, { pairReplies: () => slow })).toMatchObject({
      ok: false,
      seen: expect.stringContaining('a -> b: 22.1 ms, optimum 20 ms'),
    });
    expect(verdict(3, { pairReplies: () => record.pairReplies('all').slice(1) })).toMatchObject({
      ok: false,
      seen: expect.stringContaining('no reply'),
    });
    const allSlow = record
      .pairReplies('all')
      .map((p) => replies(p.from, p.to, p.from === 'c' || p.to === 'c' ? 10.4 : 20.8));
    expect(verdict(3, { pairReplies: () => allSlow })).toMatchObject({ ok: false });
  });

  it('routes that were touched, with or without the next hops that local repair replaces', () => {
    const touch = (isNextHop: boolean) => ({ atMs: 2_000, what: isNextHop ? 'id 1' : '100.96.0.3 nhid 1', isNextHop });
    const touched = (index: number, isNextHop: boolean) =>
      verdict(index, { routeTouches: (host) => (host === 'a' ? [touch(isNextHop)] : []) });
    expect(touched(5, true)).toMatchObject({ ok: false, seen: '1: a: id 1' });
    expect(touched(6, true)).toMatchObject({ ok: true, seen: '0' });
    expect(touched(6, false)).toMatchObject({ ok: false });
  });

  it('paths that are missing or longer at the end', () => {
    expect(verdict(4)).toMatchObject({ ok: false, seen: expect.stringContaining('6 are not') });
  });
});

it('the optimum goes round, but never through a host that may not forward', () => {
  const delayMs: Record<string, number> = { 'a>b': 50, 'b>a': 50, 'a>c': 4, 'c>a': 4, 'b>c': 2.5, 'c>b': 2.5 };
  const shape = (from: string, to: string) => ({
    ...PERFECT_LINK,
    oneWayDelayUs: (delayMs[`${from}>${to}`] ?? 0) * 1_000,
  });
  const hosts = (transit: boolean) => ['a', 'b', 'c'].map((name) => ({ name, transit: name !== 'c' || transit }));
  expect(optimumPaths(hosts(true), shape).get('a>b')).toEqual({ rttUs: 13_000, path: ['a', 'c', 'b'] });
  expect(optimumPaths(hosts(false), shape).get('a>b')).toEqual({ rttUs: 100_000, path: ['a', 'b'] });
});

it('kernel tables are followed from hop to hop', () => {
  const hops = parseNextHops(`id 1 dev tw0 scope link proto 84
id 2  encap ip id 7 src 0.0.0.0 dst 100.112.0.3 ttl 0 tos 0 dev twx-a scope host proto 84
id 3 group 2,3/1 proto 84
`);
  const source = parseRoutes(
    '100.96.0.2 nhid 3 table 8400 proto 84 \n\tnexthop dev tw0 weight 1\n100.96.0.3 nhid 1 dev tw0 proto 84\n',
    hops,
  );
  expect(source.get('100.96.0.2')?.[0]).toEqual({ device: 'twx-a', via: '100.112.0.3' });
  const toB = parseRoutes(
    '100.96.0.2 nhid 9 encap ip id 7 src 0.0.0.0 dst 100.112.0.2 ttl 0 tos 0 dev twx-a proto 84\n',
    new Map(),
  );
  const node = (name: string, n: number) =>
    ({ name, node4: `100.96.0.${n}`, tunnelAddress: `100.112.0.${n}` }) as NodeView;
  const nodes = [node('a', 1), node('b', 2), node('c', 3)];
  const table = (entries: [string, typeof source][]) => ({ routes: new Map(entries) });
  const tables = new Map([
    ['a', table([['8400', source]])],
    ['c', table([['8401', toB]])],
  ]);
  const core = (path: string[]) =>
    disagreements(tables, nodes, (from, to) => (from === 'a' && to === 'c' ? ['a', 'c'] : path));
  expect(core(['c', '?'])).toEqual([]);
  expect(core(['c', 'a'])).toEqual(['c -> a: kernel c > ?, core c > a']);
  const withB = new Map([...tables, ['b', table([])]]);
  expect(disagreements(withB, nodes, () => ['x']).find((line) => line.startsWith('a -> b'))).toContain(
    'kernel a > c > b,',
  );
});

it('counts what the kernel says about our routes alone', () => {
  expect(parseRouteTouch('[2026-11-22T16:56:34.948057] 100.96.0.3 nhid 1414004739 table 8400 proto 84 ')).toEqual({
    atMs: Date.parse('2026-11-22T16:56:34.948Z'),
    what: '100.96.0.3 nhid 1414004739 table 8400 proto 84',
    isNextHop: false,
  });
  const nextHop = 'id 1414014880 dev tw0 scope host proto 84';
  expect(parseRouteTouch(`[2026-11-22T16:56:34.948057] ${nextHop}`)?.isNextHop).toBe(true);
  expect(parseRouteTouch(`[2026-11-22T16:56:34.948057] Deleted ${nextHop}`)?.isNextHop).toBe(true);
  expect(parseRouteTouch('[2026-11-22T16:56:34.948057] 8401:	from all iif twx-a lookup 8401')).not.toBeNull();
  expect(parseRouteTouch('[2026-11-22T16:56:34.948057] 192.0.2.0/24 dev eth0 proto kernel')).toBeNull();
  expect(parseRouteTouch('	nexthop dev tw0 weight 1')).toBeNull();
});
