import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { CommandRunner } from '../../../../overlay/command-runner.ts';
import { KernelOverlay } from '../../../../overlay/kernel-overlay.ts';
import type { DesiredOverlay, OverlayNextHop, OverlayRoute } from '../../../../overlay/overlay-state.ts';
import type { KernelSnapshot } from '../../../../overlay/route/kernel-snapshot.ts';
import { computeRoutePlan } from '../../../../overlay/route/route-plan.ts';
import { CommandSysctls } from '../../../../overlay/sysctl/sysctl-store.ts';
import { systemClock } from '../../../../protocol/clock.ts';
import type { PublicKey } from '../../../../protocol/identifier.ts';
import { silentLogger } from '../../../../protocol/log.ts';
import { desiredOverlay } from '../../../contract/overlay-suite.ts';
import { FakeKernel } from '../../../fake/kernel.ts';

const EMPTY: KernelSnapshot = { links: [], addresses: [], rules: [], nextHops: [], routes: [] };
const dir = mkdtempSync(join(tmpdir(), 'ovl-unit-'));
const privateKeyFile = join(dir, 'wireguard.key');
writeFileSync(privateKeyFile, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function onFake(): { kernel: FakeKernel; overlay: KernelOverlay } {
  const kernel = new FakeKernel();
  const deps = { runner: kernel, sysctls: new CommandSysctls(kernel), clock: systemClock, log: silentLogger };
  return { kernel, overlay: new KernelOverlay(deps, { stateDir: dir, privateKeyFile }) };
}

describe('computeRoutePlan', () => {
  it('makes plain groups on a kernel that knows no resilient ones, and agrees with them afterwards', async () => {
    const { kernel, overlay } = onFake();
    kernel.knowsResilientGroups = false;
    const { changes } = await overlay.apply(desiredOverlay());
    expect(changes.some((change) => change.includes(' group '))).toBe(true);
    expect((await overlay.apply(desiredOverlay())).changes).toEqual([]);
    expect([...kernel.nextHops.values()].filter(({ members }) => members !== null)).toHaveLength(2);
  });

  it('orders: next hops, groups, routes, rules', () => {
    const { main, sixNextHops, sixRules } = computeRoutePlan(desiredOverlay(), EMPTY);
    const kinds = main.map((command) => command.split(' ').slice(0, 2).join(' '));
    expect([...new Set(kinds)]).toEqual(['nexthop add', 'route replace', 'rule add']);
    const firstGroup = main.findIndex((command) => command.includes(' group '));
    expect(main.slice(0, firstGroup).every((command) => command.startsWith('nexthop add'))).toBe(true);
    expect(sixNextHops.every((command) => command.startsWith('nexthop add') && !command.includes('group'))).toBe(true);
    expect(sixRules).toHaveLength(3);
  });

  it('gives the same ids for the same desired state, in any order of routes', () => {
    const desired = desiredOverlay();
    const plan = computeRoutePlan(desired, EMPTY);
    const nextHopIds = (commands: readonly string[]) =>
      commands.filter((command) => command.startsWith('nexthop')).sort();
    const reversed = computeRoutePlan({ ...desired, routes: [...desired.routes].reverse() }, EMPTY);
    expect(nextHopIds(reversed.main)).toEqual(nextHopIds(plan.main));
    for (const command of nextHopIds(plan.main)) {
      const id = Number(command.split(' ')[3]);
      expect(id).toBeGreaterThanOrEqual(0x54480000);
      expect(id).toBeLessThanOrEqual(0x5448ffff);
    }
  });

  it("makes the uplink's device, rule and table where there is a leaf, and takes them away again", async () => {
    const { kernel, overlay } = onFake();
    const plain = desiredOverlay();
    await overlay.apply(plain);
    const state = () => [
      [...kernel.routes].map((r) => JSON.stringify(r)).sort(),
      [...kernel.rules].map((r) => JSON.stringify(r)).sort(),
      [...kernel.links.keys()].sort(),
      kernel.nftScript,
    ];
    const before = state();
    const route: OverlayRoute = {
      table: 'uplink',
      prefix: '100.96.0.3/32',
      nextHops: [{ kind: 'detour', plane: 'a', via: '100.112.0.3', weight: 1 }],
    };
    const home = { ...plain, uplink: true, routes: [...plain.routes, route] };
    const { changes } = await overlay.apply(home);
    expect(changes).toContain('link add twx-l type vxlan dstport 4792 external gpe');
    expect(changes).toContain('rule add preference 8397 iif twx-l lookup 8403 protocol 84');
    expect(changes.findIndex((line) => line.startsWith('rule add'))).toBeGreaterThan(
      changes.findIndex((line) => line.startsWith('route replace 100.96.0.3/32') && line.includes('table 8403')),
    );
    expect((await overlay.apply(home)).changes).toEqual([]);
    await overlay.apply(plain);
    expect(state()).toEqual(before);
  });

  it('goes past an id that a foreign object has', () => {
    const direct: OverlayRoute = {
      table: 'source',
      prefix: '100.96.0.2/32',
      nextHops: [{ kind: 'direct', weight: 1 }],
    };
    const desired = desiredOverlay({ routes: [direct] });
    const id = Number(computeRoutePlan(desired, EMPTY).main[0]?.split(' ')[3]);
    const foreign = {
      id,
      protocol: 99,
      family: 4,
      device: 'eth0',
      outerDst: null,
      members: null,
      resilient: false,
    } as const;
    const plan = computeRoutePlan(desired, { ...EMPTY, nextHops: [foreign] });
    expect(plan.main[0]).toBe(`nexthop add id ${id + 1} dev tw0 protocol 84`);
    expect(plan.main.join()).not.toContain('nexthop del');
  });

  it('refuses a direct next hop for packets that arrived encapsulated, and a route without next hop', () => {
    const plan = (table: OverlayRoute['table'], nextHops: OverlayNextHop[]) => () =>
      computeRoutePlan(desiredOverlay({ routes: [{ table, prefix: '100.96.0.2/32', nextHops }] }), EMPTY);
    expect(plan('transitA', [{ kind: 'direct', weight: 1 }])).toThrow(/takes detours only/);
    expect(plan('source', [])).toThrow(/no next hop/);
  });
});

const nextHop: fc.Arbitrary<OverlayNextHop> = fc.oneof(
  fc.record({ kind: fc.constant('direct' as const), weight: fc.integer({ min: 1, max: 256 }) }),
  fc.record({
    kind: fc.constant('detour' as const),
    plane: fc.constantFrom('a' as const, 'b' as const),
    via: fc.integer({ min: 2, max: 6 }).map((i) => `100.112.0.${i}`),
    weight: fc.integer({ min: 1, max: 256 }),
  }),
);
const route: fc.Arbitrary<OverlayRoute> = fc
  .record({
    table: fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const),
    prefix: fc
      .tuple(fc.integer({ min: 2, max: 6 }), fc.boolean())
      .map(([i, six]) => (six ? `fd74:6861:6c77::${i}/128` : `100.96.0.${i}/32`)),
    nextHops: fc.array(nextHop, { minLength: 1, maxLength: 4 }),
  })
  .map((r) => ({
    ...r,
    nextHops:
      r.table === 'source'
        ? r.nextHops
        : r.nextHops.map((n) =>
            n.kind === 'direct' ? { kind: 'detour', plane: 'a', via: '100.112.0.2', weight: 1 } : n,
          ),
  }));
const desiredState: fc.Arbitrary<DesiredOverlay> = fc
  .tuple(
    fc.uniqueArray(route, { selector: (r) => `${r.table} ${r.prefix}`, maxLength: 12 }),
    fc.boolean(),
    fc.constantFrom(1420, 1380),
    fc.integer({ min: 0, max: 3 }),
  )
  .map(([routes, transit, tunnelMtuBytes, peers]) =>
    desiredOverlay({ routes, transit, tunnelMtuBytes, peers: desiredOverlay().peers.slice(peers) }),
  );

describe('apply on the fake kernel', () => {
  it('property: from any state to any other, then nothing more; no route that stays is ever missing', async () => {
    await fc.assert(
      fc.asyncProperty(desiredState, desiredState, async (from, to) => {
        const { kernel, overlay } = onFake();
        await overlay.apply(from);
        const keys = (desired: DesiredOverlay) => desired.routes.map((r) => `${r.table} ${r.prefix}`);
        const stay = keys(from).filter((key) => keys(to).includes(key));
        const tables = { source: 8400, transitA: 8401, transitB: 8402 } as const;
        kernel.onCommand = (command) => {
          for (const key of stay) {
            const [table = '', prefix] = key.split(' ');
            const number = tables[table as keyof typeof tables];
            const found = kernel.routes.some((r) => r.table === number && r.prefix === prefix);
            if (!found) throw new Error(`${key} is missing after: ${command}`);
          }
        };
        await overlay.apply(to);
        expect((await overlay.apply(to)).changes).toEqual([]);
        kernel.onCommand = () => {};
        await overlay.remove();
        expect([kernel.routes, kernel.rules, [...kernel.nextHops], kernel.nftScript]).toEqual([[], [], [], null]);
        expect([...kernel.links.keys()]).toEqual(['lo', 'eth0']);
        expect(kernel.sysctls.get('net/ipv4/fib_multipath_hash_policy')).toBe('0');
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it('spawns four processes when there is nothing to do, and one batch for 3,000 routes', async () => {
    const { kernel, overlay } = onFake();
    const routes = Array.from({ length: 3_000 }, (_, i): OverlayRoute => {
      const index = i + 2;
      return {
        table: 'source',
        prefix: `100.96.${index >> 8}.${index & 255}/32`,
        nextHops: [{ kind: 'direct', weight: 1 }],
      };
    });
    await overlay.apply(desiredOverlay({ routes: [] }));
    kernel.programs.length = 0;
    await overlay.apply(desiredOverlay({ routes: [] }));
    // Settings are files of /proc on a real host; here they are read with grep.
    expect(kernel.programs.filter((program) => program !== 'grep').sort()).toEqual(['ip', 'ip', 'nft', 'wg']);
    kernel.programs.length = 0;
    await overlay.apply(desiredOverlay({ routes }));
    // Only routes are others: one batch, nothing read. The same again is compared with what the kernel says.
    expect(kernel.programs).toEqual(['ip']);
    const report = await overlay.apply(desiredOverlay({ routes }));
    expect(report.changes).toEqual([]);
    expect(kernel.programs.filter((program) => program === 'ip')).toHaveLength(3);
  }, 60_000);

  it('reads the device alone when only peers are others, and keeps an endpoint that was learned', async () => {
    const { kernel, overlay } = onFake();
    const peer = (n: number): DesiredOverlay['peers'][number] => ({
      publicKey: `${'A'.repeat(42)}${n}=` as PublicKey,
      allowedIps: [`100.112.0.${n}/32`],
      endpoint: { address: `192.0.2.${n}`, port: 51_820 },
      forceEndpoint: false,
      wrapsOnly: null,
    });
    await overlay.apply(desiredOverlay({ peers: [peer(4)] }));
    kernel.programs.length = 0;
    const { changes } = await overlay.apply(desiredOverlay({ peers: [peer(4), peer(8)] }));
    expect(changes).toEqual(['wireguard peer add 100.112.0.8/32']);
    expect(kernel.programs).toEqual(['wg', 'wg']);
    expect((await overlay.apply(desiredOverlay({ peers: [peer(4), peer(8)] }))).changes).toEqual([]);
  });

  it('reads only what no monitor announces while the monitors are silent', async () => {
    const kernel = new FakeKernel();
    let monoMs = 0;
    const clock = { ...systemClock, monoMs: () => monoMs };
    let say = (_line: string): void => {};
    const stream: CommandRunner['stream'] = (argv, onLine) => {
      if (argv[0] === 'ip') say = onLine;
      return { stop: async () => {} };
    };
    const runner = { run: kernel.run.bind(kernel), stream };
    const deps = { runner, sysctls: new CommandSysctls(kernel), clock, log: silentLogger };
    const overlay = new KernelOverlay(deps, { stateDir: dir, privateKeyFile });
    const programs = async () => {
      kernel.programs.length = 0;
      expect((await overlay.apply(desiredOverlay())).changes).toEqual([]);
      return kernel.programs.filter((program) => program !== 'grep').sort();
    };
    const everything = ['ip', 'ip', 'nft', 'wg'];
    await overlay.apply(desiredOverlay());
    expect(await programs()).toEqual(everything);
    const heard: number[] = [];
    const watch = overlay.watch(() => heard.push(monoMs));
    expect(await programs()).toEqual(everything);
    expect(await programs()).toEqual(['wg']);
    say('Deleted 100.96.0.9 nhid 7 dev tw0 table 8400 proto 84');
    await expect.poll(() => heard.length).toBe(1);
    expect(await programs()).toEqual(everything);
    expect(await programs()).toEqual(['wg']);
    monoMs = 20_000;
    expect(await programs()).toEqual(everything);
    await watch.stop();
    expect(await programs()).toEqual(everything);
  });

  it('reads the kernel when routes are not as they were left, and loses nothing', async () => {
    const { kernel, overlay } = onFake();
    const via = (kind: 'a' | 'b'): OverlayRoute => ({
      table: 'source',
      prefix: '100.96.0.9/32',
      nextHops: [{ kind: 'detour', plane: kind, via: '100.112.0.2', weight: 1 }],
    });
    await overlay.apply(desiredOverlay({ routes: [via('a')] }));
    const before = (await overlay.apply(desiredOverlay({ routes: [via('a')] }))).changes;
    expect(before).toEqual([]);
    // Somebody deletes the next hop, and with it the route, just before the route moves.
    const nhid = kernel.routes.find((route) => route.prefix.startsWith('100.96.0.9'))?.nhid;
    const gone = await kernel.run(['ip', 'nexthop', 'del', 'id', String(nhid)]);
    expect(gone.exitCode).toBe(0);
    kernel.programs.length = 0;
    await overlay.apply(desiredOverlay({ routes: [via('b')] }));
    expect(kernel.programs).toContain('wg'); // the whole of it was compared
    expect(kernel.routes.find((route) => route.prefix.startsWith('100.96.0.9'))?.nhid).not.toBe(nhid);
    expect((await overlay.apply(desiredOverlay({ routes: [via('b')] }))).changes).toEqual([]);
  });
});
