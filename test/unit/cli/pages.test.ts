import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeList, nodePage } from '../../../cli/print/node-page.ts';
import { Paint } from '../../../cli/print/paint.ts';
import type { CostTerms, LinkView, NodeView, PathExplanation, StatusView, TokenView } from '../../../protocol/api.ts';
import { type FakeCore, NOW_MS, runInProcess, startFakeCore } from './cli-harness.ts';

const cost = (rttUs: number, transitUs = 0, lossUs = 0): CostTerms => ({
  rttUs,
  lossUs,
  jitterUs: 120,
  loadUs: 0,
  transitUs,
  totalUs: rttUs + lossUs + 120 + transitUs,
});

const node: NodeView = {
  id: 'n-aaaaaaaaaaaaaaaaaaaa',
  name: 'aws',
  index: 1,
  publicKey: `${'A'.repeat(43)}=`,
  tunnelAddress: '100.112.0.1',
  node4: '100.96.0.1',
  node6: 'fd74:6861:6c77::1',
  labels: { site: 'dublin' },
  transit: true,
  drained: false,
  home: null,
  leaves: null,
  leafCapacity: null,
  online: true,
  joinedAtMs: NOW_MS - 86_400_000 * 3,
  sinceMs: NOW_MS - 180_000,
  endpoints: ['192.0.2.1:51820'],
  software: '0.1.0',
  wireguardBackend: 'wireguard-go',
  tableGeneration: '41',
  wantedGeneration: '41',
  policy: null,
  clockSkewMs: 3,
  certificateExpiresAtMs: NOW_MS + 3_600_000 * 20,
};

const link: LinkView = {
  from: 'aws',
  to: 'onprem',
  role: 'planned',
  health: 'up',
  rttUs: 104_000,
  minRttUs: 99_800,
  jitterUs: 310,
  lossOutPpm: 0,
  lossInPpm: 1200,
  handshakeAgeS: 65,
  cost: cost(104_000),
  updatedAtMs: NOW_MS - 900,
  demandBps: 10_000_000,
  carriedBps: 12_000_000,
  capacityBps: 16_000_000,
  utilisation: 0.75,
};

const path: PathExplanation = {
  from: 'aws',
  to: 'onprem',
  path: ['aws', 'azure', 'onprem'],
  kind: 'detour',
  rttUs: 13_200,
  directRttUs: 104_000,
  cost: cost(13_200, 500),
  sinceMs: NOW_MS - 42_000,
  reason: 'the direct link degraded',
  installed: true,
  hops: [
    { from: 'aws', to: 'azure', cost: cost(8_100) },
    { from: 'azure', to: 'onprem', cost: cost(5_100) },
  ],
  runnerUp: {
    path: ['aws', 'onprem'],
    cost: cost(104_000),
    behindUs: 90_300,
    whyNot: 'its RTT is 90.8 ms longer',
  },
  split: {
    demandBps: 12_000_000,
    loadAware: true,
    members: [
      {
        path: ['aws', 'azure', 'onprem'],
        share: 0.75,
        cost: cost(13_200, 500),
        utilisation: 0.88,
        limit: 'uplink of azure',
      },
      { path: ['aws', 'onprem'], share: 0.25, cost: cost(104_000), utilisation: null, limit: null },
    ],
    atTwice: { utilisation: 1.76, limit: 'uplink of azure', fitting: 0.568, steeredUtilisation: 1.1 },
  },
  recentChanges: [
    {
      seq: 7,
      atMs: NOW_MS - 42_000,
      from: 'aws',
      to: 'onprem',
      before: ['aws', 'onprem'],
      after: ['aws', 'azure', 'onprem'],
      reason: 'link_degraded',
      detail: '104 ms against 13.2 ms',
      beforeCostUs: 104_120,
      afterCostUs: 13_820,
    },
  ],
};

const status: StatusView = {
  version: '0.1.0',
  startedAtMs: NOW_MS - 3_600_000 * 5,
  nodes: { total: 3, online: 2, transit: 3 },
  links: { up: 4, down: 2, unmeasured: 0 },
  paths: { direct: 1, detour: 1, unreachable: 4 },
  generation: '41',
  converged: 2,
  addressPlan: { tunnel: '100.112.0.0/12', node4: '100.96.0.0/12', node6: 'fd74:6861:6c77::/64' },
  agentAddresses: ['192.0.2.9:8470'],
  policy: {
    active: false,
    rules: 0,
    appliedAtMs: null,
    enforcement: { enforced: 0, pending: 0, refused: 0, too_old: 0, offline: 0 },
    deniedPackets: 0,
  },
};

const token: TokenView = {
  id: 'abcdefghijkl',
  createdAtMs: NOW_MS - 60_000,
  expiresAtMs: NOW_MS + 3_600_000 * 23,
  uses: 10,
  used: 3,
  revoked: false,
  state: 'valid',
  labels: { site: 'berlin' },
};

let core: FakeCore;
beforeAll(async () => {
  core = await startFakeCore({
    'GET /v1/nodes': {
      body: [node, { ...node, name: 'onprem', transit: false, online: false, wantedGeneration: '42' }],
    },
    'GET /v1/nodes/aws': { body: node },
    'DELETE /v1/nodes/aws': { body: {} },
    'GET /v1/links': {
      body: [link, { ...link, from: 'onprem', to: 'aws', health: 'unmeasured', rttUs: null, cost: null }],
    },
    'GET /v1/paths': { body: [path] },
    'GET /v1/paths/aws/onprem': { body: path },
    'GET /v1/status': { body: status },
    'GET /v1/tokens': { body: [token] },
    'POST /v1/tokens': { body: { ...token, token: 'tw1.example.000000' } },
    'DELETE /v1/tokens/abcdefghijkl': { body: {} },
  });
});
afterAll(() => core.stop());

async function page(...argv: string[]): Promise<string> {
  const run = await runInProcess([...argv, '--core', core.target]);
  expect(run.err, 'nothing beside the answer').toBe('');
  expect(run.code).toBe(0);
  return run.out;
}

test('node list', async () =>
  expect(await page('node', 'list')).toMatchInlineSnapshot(`
    "NAME    STATE    SINCE  IPV4        IPV6               KIND     TABLE                    LABELS
    aws     online   3 min  100.96.0.1  fd74:6861:6c77::1  transit  generation 41            site=dublin
    onprem  offline  3 min  100.96.0.1  fd74:6861:6c77::1  leaf     generation 41, wants 42  site=dublin
    "
  `));
test('node list and show, in a mesh with leaves', () => {
  const home: NodeView = { ...node, leaves: 12, leafCapacity: 2000 };
  const leaf: NodeView = { ...node, name: 'till', transit: false, home: 'aws' };
  const kinds = nodeList([home, leaf, { ...leaf, home: null }], NOW_MS, new Paint(false));
  expect([...kinds.matchAll(/:1 +(.*?) {2,}gen/g)].map((match) => match[1])).toEqual([
    'transit, 12 leaves',
    'leaf of aws',
    'leaf',
  ]);
  expect(nodePage(home, NOW_MS, new Paint(false))).toMatch(/leaves +home of 12, room for 2000/);
  expect(nodePage(leaf, NOW_MS, new Paint(false))).toMatch(/home +aws/);
});
test('node show', async () =>
  expect(await page('node', 'show', 'aws')).toMatchInlineSnapshot(`
  "name            aws
  id              n-aaaaaaaaaaaaaaaaaaaa
  state           online for 3 min
  kind            transit: may forward for others
  node addresses  100.96.0.1, fd74:6861:6c77::1
  tunnel address  100.112.0.1 (index 1)
  endpoints       192.0.2.1:51820
  public key      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
  labels          site=dublin
  joined          3 d ago
  table           generation 41
  clock           3 ms off the core's
  certificate     ends in 20 h
  software        0.1.0
  WireGuard       wireguard-go
  "
`));
test('node remove says what happened', async () =>
  expect(await page('node', 'remove', 'aws')).toMatchInlineSnapshot(`
    "Removed aws: its certificate is revoked and its key is being taken off every peer.
    To clean that device: thalweg agent down --forget
    "
  `));
test('link list', async () =>
  expect(await page('link', 'list')).toMatchInlineSnapshot(`
    "FROM    TO      SESSION  HEALTH         RTT    LEAST    JITTER  LOSS OUT  LOSS IN     DEMAND    CARRIES  USED    COST  HANDSHAKE  UPDATED
    aws     onprem  planned  up          104 ms  99.8 ms  0.310 ms       0 %   0.12 %  10 Mbit/s  12 Mbit/s  75 %  104 ms      1 min      0 s
    onprem  aws     planned  unmeasured       -  99.8 ms  0.310 ms       0 %   0.12 %  10 Mbit/s  12 Mbit/s  75 %       -      1 min      0 s
    "
  `));
test('link list of one direction', async () =>
  expect((await page('link', 'list', '--from', 'onprem')).split('\n').length).toBe(3));
test('path of a pair', async () =>
  expect(await page('path', 'aws', 'onprem')).toMatchInlineSnapshot(`
    "aws -> azure -> onprem  detour, RTT 13.2 ms, direct would be 104 ms
    since 2026-03-04 05:05:25 UTC (42 s): the direct link degraded

    COST OF              RTT  LOSS    JITTER  LOAD   TRANSIT    TOTAL
    aws -> azure     8.10 ms  0 ms  0.120 ms  0 ms      0 ms  8.22 ms
    azure -> onprem  5.10 ms  0 ms  0.120 ms  0 ms      0 ms  5.22 ms
    the path         13.2 ms  0 ms  0.120 ms  0 ms  0.500 ms  13.8 ms

    demand     12 Mbit/s, spread for load
    SHARE  USED     COST  PATH
     75 %  88 %  13.8 ms  aws -> azure -> onprem
     25 %     -   104 ms  aws -> onprem
    at twice   uplink of azure: 176 %, 57 % of it would get through; load-aware steering would hold the mesh at 110 %

    runner-up  aws -> onprem, cost 104 ms (90.3 ms behind)
    why not    its RTT is 90.8 ms longer

    recent changes
      2026-03-04 05:05:25 UTC  aws -> onprem  =>  aws -> azure -> onprem  (link_degraded: 104 ms against 13.2 ms)
    "
  `));
test('path of every pair', async () =>
  expect(await page('path')).toMatchInlineSnapshot(`
  "FROM  TO      DIRECT  STEERED  SINCE  PATH
  aws   onprem  104 ms  13.2 ms   42 s  aws -> azure -> onprem
  "
`));
test('status', async () =>
  expect(await page('status')).toMatchInlineSnapshot(`
    "core       version 0.1.0, up 5 h, agents at 192.0.2.9:8470
    nodes      3: 2 online, 1 offline, 3 transit
    links      4 up, 2 down, 0 unmeasured
    paths      1 direct, 1 detour, 4 unreachable
    tables     generation 41, 2 of 3 nodes up to date
    policy     none: every node may open everything towards every other
    addresses  node 100.96.0.0/12 and fd74:6861:6c77::/64, tunnel 100.112.0.0/12
    "
  `));
test('token list', async () =>
  expect(await page('token', 'list')).toMatchInlineSnapshot(`
  "ID            STATE  USED  EXPIRES  CREATED    LABELS
  abcdefghijkl  valid  3/10  in 23 h  1 min ago  site=berlin
  "
`));
test('token revoke says what happened', async () =>
  expect(await page('token', 'revoke', 'abcdefghijkl')).toMatchInlineSnapshot(`
    "Revoked abcdefghijkl: nobody can join with it any more. Nodes that did are still there.
    "
  `));

test('token create prints the token alone on stdout, and what to do with it on stderr', async () => {
  const argv = ['token', 'create', '--uses', '10', '--expires', '23h', '--label', 'site=berlin', '--label', 'a=b=c'];
  const run = await runInProcess([...argv, '--core', core.target]);
  expect(run).toMatchObject({ code: 0, out: 'tw1.example.000000\n' });
  expect(run.err).toMatchInlineSnapshot(`
    "Token abcdefghijkl for 10 nodes, expires in 23 h. It is shown only now.
    On the device: thalweg join TOKEN, then thalweg agent
    "
  `);
  expect(core.calls.at(-1)).toBe('POST /v1/tokens {"uses":10,"expiresInS":82800,"labels":{"site":"berlin","a":"b=c"}}');
});

test('--json prints what the core answered, unchanged, before or after the command, and nothing on stderr', async () => {
  for (const argv of [
    ['--json', 'node', 'list'],
    ['node', '--json', 'list'],
    ['node', 'list', '--json'],
  ]) {
    const run = await runInProcess([...argv, '--core', core.target]);
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(run.out)).toMatchObject([{ name: 'aws' }, { name: 'onprem' }]);
  }
  const explained = await runInProcess(['path', 'aws', 'onprem', '--json', '--core', core.target]);
  expect(JSON.parse(explained.out)).toEqual(path);
  const created = await runInProcess(['token', 'create', '--json', '--core', core.target]);
  expect(JSON.parse(created.out)).toMatchObject({ token: 'tw1.example.000000' });
  expect(created.err).toBe('');
});

test('an empty mesh says what to do next', async () => {
  const empty = await startFakeCore({
    'GET /v1/nodes': { body: [] },
    'GET /v1/links': { body: [] },
    'GET /v1/paths': { body: [] },
    'GET /v1/tokens': { body: [] },
  });
  try {
    const outputs = [];
    for (const argv of [['node', 'list'], ['link', 'list'], ['path'], ['token', 'list']]) {
      outputs.push((await runInProcess(argv, { env: { THALWEG_CORE: empty.target } })).out);
    }
    expect(outputs).toEqual([
      'No nodes yet. Create a token: thalweg token create\n',
      'No links yet: they appear when two nodes are online. See: thalweg node list\n',
      'No paths yet: it takes two nodes that are online. See: thalweg node list\n',
      'No tokens. Create one: thalweg token create\n',
    ]);
  } finally {
    await empty.stop();
  }
});
