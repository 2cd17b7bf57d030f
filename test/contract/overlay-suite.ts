/** What every Overlay must do, whatever kernel is behind it. Disturbances are commands that both kernels take. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DesiredOverlay, Overlay, OverlayNextHop, OverlayPolicy, Standby } from '../../overlay/overlay-state.ts';
import { standbyHop } from '../../overlay/route/standby-hop.ts';
import { DEFAULT_ADDRESS_PLAN } from '../../protocol/address-plan.ts';
import type { PublicKey } from '../../protocol/identifier.ts';

export interface OverlayHarness {
  readonly overlay: Overlay;
  /** Runs a command on the kernel under test. */
  run(...argv: string[]): Promise<string>;
  close(): Promise<void>;
}

/** Public keys of no importance. */
export const peerKeys = ['k2', 'k3', 'k4'].map(
  (seed) => Buffer.from(seed.padEnd(32, 'x')).toString('base64') as PublicKey,
);

export function desiredOverlay(changes: Partial<DesiredOverlay> = {}): DesiredOverlay {
  const direct: OverlayNextHop = { kind: 'direct', weight: 1 };
  const viaA: OverlayNextHop = { kind: 'detour', plane: 'a', via: '100.112.0.2', weight: 3 };
  return {
    addresses: { tunnel: '100.112.0.1', node4: '100.96.0.1', node6: 'fd74:6861:6c77::1' },
    ranges: DEFAULT_ADDRESS_PLAN,
    listenPort: 51820,
    tunnelMtuBytes: 1420,
    transit: true,
    uplink: false,
    stampPort: 862,
    peers: peerKeys.map((publicKey, i) => ({
      publicKey,
      allowedIps: [`100.112.0.${i + 2}/32`, `100.96.0.${i + 2}/32`, `fd74:6861:6c77::${i + 2}/128`],
      endpoint: { address: `192.0.2.${i + 2}`, port: 51820 },
      forceEndpoint: false,
      // the last one forwards for nobody
      wrapsOnly: i < 2 ? null : { tunnel: '100.112.0.4', node4: '100.96.0.4', node6: 'fd74:6861:6c77::4' },
    })),
    routes: [
      { table: 'source', prefix: '100.96.0.2/32', nextHops: [direct] },
      { table: 'source', prefix: 'fd74:6861:6c77::2/128', nextHops: [direct] },
      { table: 'source', prefix: '100.96.0.3/32', nextHops: [direct, viaA] },
      { table: 'source', prefix: 'fd74:6861:6c77::3/128', nextHops: [direct, viaA] },
      { table: 'transitA', prefix: '100.96.0.3/32', nextHops: [{ ...viaA, via: '100.112.0.3' }] },
      { table: 'transitB', prefix: 'fd74:6861:6c77::3/128', nextHops: [{ ...viaA, plane: 'b', via: '100.112.0.3' }] },
    ],
    policy: null,
    ...changes,
  };
}

/** Lets those nodes open some ports, and everybody others. */
export function aPolicy(...indexes: readonly number[]): OverlayPolicy {
  const node4 = new Set(indexes.map((index) => `100.96.0.${index}`));
  const node6 = new Set(indexes.map((index) => `fd74:6861:6c77::${index}`));
  const ranges: [number, number][] = [
    [22, 22],
    [8000, 8100],
  ];
  return {
    rules: [
      { senders: { name: '1f', node4, node6 }, services: [{ protocol: 'tcp', ports: ranges }, { protocol: 'icmp', ports: [] }] }, // biome-ignore format: one thing a line
      { senders: null, services: [{ protocol: 'udp', ports: [[0, 65_535]] }] },
      { senders: { name: '2e', node4, node6 }, services: [{ protocol: 'any', ports: [] }] },
    ],
  };
}

/** What somebody may do to the kernel by hand. */
const disturbances: readonly (readonly string[])[] = [
  ['ip', 'link', 'del', 'tw0'],
  ['ip', 'link', 'del', 'twx-b'],
  ['ip', 'link', 'set', 'twx-a', 'down'],
  ['ip', 'link', 'set', 'tw0', 'mtu', '1400'],
  ['ip', 'address', 'del', '100.96.0.1/32', 'dev', 'tw0'],
  ['ip', 'route', 'del', '100.96.0.2/32', 'table', '8400', 'protocol', '84'],
  ['ip', 'route', 'del', 'blackhole', '::/0', 'table', '8402', 'protocol', '84'],
  ['ip', 'rule', 'del', 'preference', '8399', 'iif', 'twx-b', 'lookup', '8402', 'protocol', '84'],
  ['ip', '-6', 'rule', 'del', 'preference', '8400', 'lookup', '8400', 'protocol', '84'],
  ['nft', 'delete', 'table', 'inet', 'thalweg'],
  ['nft', 'delete', 'element', 'inet', 'thalweg', 'ends', '{ 100.112.0.4 }'],
  ['nft', 'delete', 'element', 'inet', 'thalweg', 'own6', '{ 100.112.0.4 . 0xfd7468616c7700000000000000000004 }'],
  ['nft', 'add', 'element', 'inet', 'thalweg', 'own4', '{ 100.112.0.4 . 0x64600001 }'],
  ['wg', 'set', 'tw0', 'peer', peerKeys[0] ?? '', 'remove'],
  ['wg', 'set', 'tw0', 'peer', peerKeys[1] ?? '', 'allowed-ips', '100.112.0.99/32'],
];

export function overlayContract(open: () => Promise<OverlayHarness>): void {
  // Real commands on a machine that may be busy: far more than the second that a test takes.
  vi.setConfig({ testTimeout: 60_000 });
  let harness: OverlayHarness;
  beforeEach(async () => {
    harness = await open();
  }, 30_000);
  afterEach(() => harness?.close());

  it('passes its own preflight, before and after apply', async () => {
    const { ranges } = desiredOverlay();
    const before = await harness.overlay.preflight(ranges);
    await harness.overlay.apply(desiredOverlay());
    expect(await harness.overlay.preflight(ranges)).toEqual(before);
  });

  it('reports changes once: a second apply of the same value changes nothing', async () => {
    expect((await harness.overlay.apply(desiredOverlay())).changes.length).toBeGreaterThan(10);
    expect((await harness.overlay.apply(desiredOverlay())).changes).toEqual([]);
  });

  it('applies calls in the order they came', async () => {
    const last = desiredOverlay({ listenPort: 51822 });
    await Promise.all([51820, 51821].map((listenPort) => harness.overlay.apply(desiredOverlay({ listenPort }))));
    await harness.overlay.apply(last);
    expect((await harness.overlay.apply(last)).changes).toEqual([]);
  });

  it.each(disturbances.map((command) => [command.join(' ').replaceAll(/\S{43}=/g, 'KEY'), command] as const))(
    'repairs: %s',
    async (_name, command) => {
      await harness.overlay.apply(desiredOverlay());
      await harness.run(...command);
      expect((await harness.overlay.apply(desiredOverlay())).changes).not.toEqual([]);
      expect((await harness.overlay.apply(desiredOverlay())).changes).toEqual([]);
    },
  );

  it('follows a change of routes, peers and addresses and takes back what is no longer wanted', async () => {
    const base = desiredOverlay();
    await harness.overlay.apply(base);
    const [first] = base.routes;
    const next = desiredOverlay({
      addresses: { tunnel: '100.112.0.9', node4: '100.96.0.9', node6: 'fd74:6861:6c77::9' },
      peers: base.peers.slice(1),
      routes: first === undefined ? [] : [first],
      transit: false,
      tunnelMtuBytes: 1380,
    });
    await harness.overlay.apply(next);
    expect((await harness.overlay.apply(next)).changes).toEqual([]);
    expect(await harness.overlay.peerStatus()).toHaveLength(2);
    expect((await harness.overlay.underlayAddresses()).some((address) => address.startsWith('100.'))).toBe(false);
  });

  it('follows who forwards for others, and keeps the table of rules where it can', async () => {
    const base = desiredOverlay();
    const forwarding = (count: number) => ({
      ...base,
      peers: base.peers.map((peer, i) => {
        const at = (range: string) => `${range}${i + 2}`;
        const addresses = { tunnel: at('100.112.0.'), node4: at('100.96.0.'), node6: at('fd74:6861:6c77::') };
        return { ...peer, wrapsOnly: i < count ? null : addresses };
      }),
    });
    await harness.overlay.apply(base);
    for (const count of [1, 0, 2]) {
      const { changes } = await harness.overlay.apply(forwarding(count));
      expect(changes).not.toEqual([]);
      expect(changes).not.toContain('nft table inet thalweg');
      expect((await harness.overlay.apply(forwarding(count))).changes).toEqual([]);
    }
    expect((await harness.overlay.apply(forwarding(3))).changes).toEqual(['nft table inet thalweg']);
    expect((await harness.overlay.apply(forwarding(2))).changes).toEqual(['nft table inet thalweg']);
    expect((await harness.overlay.apply(forwarding(2))).changes).toEqual([]);
  });

  it('follows a policy: senders in place, other rules at once, and repairs what somebody makes of it', async () => {
    const [none, web, both] = [aPolicy(), aPolicy(2), aPolicy(2, 3)].map((policy) => desiredOverlay({ policy }));
    if (none === undefined || web === undefined || both === undefined) throw new Error('unreachable');
    await harness.overlay.apply(none);
    expect(await harness.overlay.deniedTraffic()).toEqual({ packets: 0, bytes: 0 });
    for (const wanted of [both, web, both]) {
      const { changes } = await harness.overlay.apply(wanted);
      expect(changes.map((change) => change.split(' ').slice(0, 2).join(' '))).toEqual(
        expect.arrayContaining([expect.stringMatching(/^nft (add|delete)$/)]),
      );
      expect(changes).not.toContain('nft table inet thalweg');
      expect((await harness.overlay.apply(wanted)).changes).toEqual([]);
    }
    for (const command of [
      ['nft', 'add', 'element', 'inet', 'thalweg', 'p4_1f', '{ 100.96.0.9 }'],
      ['nft', 'delete', 'element', 'inet', 'thalweg', 'p6_1f', '{ fd74:6861:6c77::3 }'],
    ]) {
      await harness.run(...command);
      expect((await harness.overlay.apply(both)).changes).toHaveLength(1);
      expect((await harness.overlay.apply(both)).changes).toEqual([]);
    }
    const open = desiredOverlay();
    expect((await harness.overlay.apply(open)).changes).toEqual(['nft table inet thalweg']);
    expect((await harness.overlay.apply(open)).changes).toEqual([]);
    expect(await harness.overlay.deniedTraffic()).toBeNull();
  });

  it('changes the weights of a group in place: same id, no route touched, and reads them back as they are wanted', async () => {
    const weighted = (direct: number, viaR: number) =>
      desiredOverlay({
        routes: desiredOverlay().routes.map((route) =>
          route.nextHops.length < 2
            ? route
            : { ...route, nextHops: route.nextHops.map((hop, i) => ({ ...hop, weight: i === 0 ? direct : viaR })) },
        ),
      });
    await harness.overlay.apply(weighted(1, 256));
    expect((await harness.overlay.apply(weighted(1, 256))).changes).toEqual([]);
    const { changes } = await harness.overlay.apply(weighted(200, 56));
    expect(changes.map((change) => change.split(' ').slice(0, 2).join(' '))).toEqual([
      'nexthop replace',
      'nexthop replace',
    ]);
    const groups = JSON.parse(await harness.run('ip', '-j', '-N', 'nexthop', 'show')) as {
      type?: string;
      group?: { weight: number }[];
    }[];
    const weights = groups.flatMap(({ group, type }) =>
      group === undefined ? [] : [[type, ...group.map((m) => m.weight)]],
    );
    expect(weights).toEqual([
      ['resilient', 200, 56],
      ['resilient', 200, 56],
    ]);
    expect((await harness.overlay.apply(weighted(200, 56))).changes).toEqual([]);
  });

  it('moves routes to their standby by next-hop objects alone, in both families, and back', async () => {
    const detour = (via: string): OverlayNextHop => ({ kind: 'detour', plane: 'a', via, weight: 1 });
    const prefixes = Array.from({ length: 20 }, (_, i) => [
      `100.96.1.${i}/32`,
      `fd74:6861:6c77::1:${i + 1}/128`,
    ]).flat();
    const standby: Standby = {
      primary: { neighbour: '100.112.0.2', hop: { kind: 'direct', weight: 1 } },
      backups: [
        { neighbour: '100.112.0.3', hop: detour('100.112.0.3') },
        { neighbour: '100.112.0.4', hop: detour('100.112.0.4') },
      ],
    };
    const wanted = (...down: string[]) => {
      const hop = standbyHop(standby, (neighbour) => down.includes(neighbour));
      const steered = prefixes.map((prefix) => ({ table: 'source' as const, prefix, nextHops: [hop], standby }));
      return desiredOverlay({ routes: [...desiredOverlay().routes, ...steered] });
    };
    await harness.overlay.apply(wanted());
    const [p, b1, b2] = ['100.112.0.2', '100.112.0.3', '100.112.0.4'];
    for (const [down, sends] of [
      [[p], `dst ${b1}`],
      [[p, b1], `dst ${b2}`],
      [[p, b1, b2], 'dev tw0'],
      [[p], `dst ${b1}`],
      [[], 'dev tw0'],
    ] as const) {
      const { changes } = await harness.overlay.repair(new Set(down));
      expect(changes).toHaveLength(2);
      for (const line of changes) expect(line).toMatch(/^nexthop replace /);
      for (const line of changes) expect(line).toContain(sends);
      // what the kernel says it holds is what is wanted: it is read, since no monitor runs
      expect((await harness.overlay.apply(wanted(...down))).changes).toEqual([]);
    }
    expect((await harness.overlay.repair(new Set(['100.112.0.3']))).changes).toEqual([]);
  });

  it('leaves the endpoint that the device has, unless forced', async () => {
    const base = desiredOverlay();
    await harness.overlay.apply(base);
    const moved = base.peers.map((peer) => ({ ...peer, endpoint: { address: '192.0.2.77', port: 7 } }));
    expect((await harness.overlay.apply({ ...base, peers: moved })).changes).toEqual([]);
    const forced = moved.map((peer) => ({ ...peer, forceEndpoint: true }));
    expect((await harness.overlay.apply({ ...base, peers: forced })).changes).toHaveLength(3);
    expect((await harness.overlay.peerStatus())[0]?.endpoint).toEqual({ address: '192.0.2.77', port: 7 });
  });

  it('removes everything, twice', async () => {
    await harness.overlay.apply(desiredOverlay());
    expect((await harness.overlay.remove()).changes.length).toBeGreaterThan(10);
    expect((await harness.overlay.remove()).changes).toEqual([]);
    expect(await harness.overlay.peerStatus()).toEqual([]);
    expect(await harness.overlay.demandCounters()).toEqual([]);
  });

  it('refuses an MTU that IPv6 cannot live with, and changes nothing', async () => {
    await expect(harness.overlay.apply(desiredOverlay({ tunnelMtuBytes: 1315 }))).rejects.toMatchObject({
      code: 'mtu_too_small',
    });
    expect((await harness.overlay.remove()).changes).toEqual([]);
  });

  it('never shows a key or a secret among its changes', async () => {
    const { changes } = await harness.overlay.apply(desiredOverlay());
    expect(changes.join('\n')).not.toMatch(/[A-Za-z0-9+/]{43}=/);
  });
}
