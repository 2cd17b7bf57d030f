/**
 * Local repair on the fake kernel: whatever the routes, their standbys and the neighbours that are down, each route points
 * at what it should, next-hop objects alone were changed, and the apply that follows finds nothing left to do.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { KernelOverlay } from '../../overlay/kernel-overlay.ts';
import type { DesiredOverlay, NeighbourHop, OverlayRoute, Standby } from '../../overlay/overlay-state.ts';
import { computeRepair } from '../../overlay/route/repair-plan.ts';
import { standbyHop } from '../../overlay/route/standby-hop.ts';
import { CommandSysctls } from '../../overlay/sysctl/sysctl-store.ts';
import { systemClock } from '../../protocol/clock.ts';
import { silentLogger } from '../../protocol/log.ts';
import { desiredOverlay } from '../contract/overlay-suite.ts';
import { FakeKernel } from '../fake/kernel.ts';

const dir = mkdtempSync(join(tmpdir(), 'thalweg-repair-'));
const privateKeyFile = join(dir, 'wireguard.key');
writeFileSync(privateKeyFile, `${'A'.repeat(43)}=\n`, { mode: 0o600 });
afterAll(() => rmSync(dir, { recursive: true }));

function onFake(): { kernel: FakeKernel; overlay: KernelOverlay } {
  const kernel = new FakeKernel();
  const deps = { runner: kernel, sysctls: new CommandSysctls(kernel), clock: systemClock, log: silentLogger };
  return { kernel, overlay: new KernelOverlay(deps, { stateDir: dir, privateKeyFile }) };
}

const NEIGHBOURS = [2, 3, 4, 5, 6].map((index) => `100.112.0.${index}`);
const TABLES = { source: 8400, transitA: 8401, transitB: 8402, uplink: 8403 } as const;

const hopVia = (plane: 'a' | 'b', neighbour: string): NeighbourHop => ({
  neighbour,
  hop: { kind: 'detour', plane, via: neighbour, weight: 1 },
});

/** Routes towards 10 nodes, in both families, some without a standby, some of them groups. */
const routes: fc.Arbitrary<readonly OverlayRoute[]> = fc
  .array(
    fc.record({
      destination: fc.integer({ min: 2, max: 11 }),
      table: fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const),
      direct: fc.boolean(),
      plane: fc.constantFrom('a' as const, 'b' as const),
      hops: fc.shuffledSubarray(NEIGHBOURS, { minLength: 1, maxLength: 3 }),
      kind: fc.constantFrom('standby' as const, 'standby' as const, 'alone' as const, 'group' as const),
    }),
    { maxLength: 14 },
  )
  .map((rows) => {
    const made = new Map<string, OverlayRoute>();
    for (const { destination, table, direct, plane: any, hops, kind } of rows) {
      const plane = table === 'transitA' ? 'a' : table === 'transitB' ? 'b' : any;
      const [first = '', ...rest] = hops;
      const detour = hopVia(plane, first);
      const primary: NeighbourHop =
        direct && table === 'source' ? { neighbour: first, hop: { kind: 'direct', weight: 1 } } : detour;
      const standby: Standby = { primary, backups: rest.map((neighbour) => hopVia(plane, neighbour)) };
      for (const prefix of [`100.96.0.${destination}/32`, `fd74:6861:6c77::${destination.toString(16)}/128`]) {
        const route: OverlayRoute =
          kind === 'group'
            ? { table, prefix, nextHops: hops.map((neighbour) => hopVia(plane, neighbour).hop) }
            : { table, prefix, nextHops: [primary.hop], ...(kind === 'standby' && rest.length > 0 && { standby }) };
        made.set(`${table} ${prefix}`, route);
      }
    }
    return [...made.values()];
  });

const downs = fc.subarray(NEIGHBOURS).map((list) => new Set(list));

/** What the agent would want with these neighbours down. */
function withDown(list: readonly OverlayRoute[], down: ReadonlySet<string>): DesiredOverlay {
  return desiredOverlay({
    routes: list.map((route) =>
      route.standby === undefined
        ? route
        : { ...route, nextHops: [standbyHop(route.standby, (neighbour) => down.has(neighbour))] },
    ),
  });
}

/** Each route of the kernel as `device outer destination`, following its object. */
function pointedAt(kernel: FakeKernel, list: readonly OverlayRoute[]): (string | undefined)[] {
  return list.map(({ table, prefix }) => {
    const route = kernel.routes.find((held) => held.table === TABLES[table] && held.prefix === prefix);
    const object = kernel.nextHops.get(route?.nhid ?? -1);
    return object?.members === null
      ? `${object.family} ${object.dev} ${object.dst}`
      : `group of ${object?.members.length}`;
  });
}

function wanted(desired: DesiredOverlay): string[] {
  return desired.routes.map(({ prefix, nextHops: [hop, ...more] }) => {
    if (more.length > 0) return `group of ${more.length + 1}`;
    const family = prefix.includes(':') ? 6 : 4;
    if (hop?.kind !== 'detour') return `${family} tw0 null`;
    return `${family} twx-${hop.plane} ${hop.via}`;
  });
}

describe('local repair', () => {
  it('points every route at its standby, touches no route, and leaves the next apply nothing to do', async () => {
    await fc.assert(
      fc.asyncProperty(routes, fc.array(downs, { minLength: 1, maxLength: 4 }), async (list, sequence) => {
        const { kernel, overlay } = onFake();
        await overlay.apply(withDown(list, new Set()));
        for (const down of sequence) {
          const { changes } = await overlay.repair(down);
          const desired = withDown(list, down);
          expect(pointedAt(kernel, list)).toEqual(wanted(desired));
          expect(changes.every((line) => line.startsWith('nexthop replace'))).toBe(true);
          expect(changes.length).toBeLessThanOrEqual(
            new Set(list.map((r) => JSON.stringify([r.standby, r.prefix.includes(':')]))).size,
          );
          expect((await overlay.apply(desired)).changes).toEqual([]);
          // also where all is read from the kernel, as after a restart
          const deps = { runner: kernel, sysctls: new CommandSysctls(kernel), clock: systemClock, log: silentLogger };
          const restarted = new KernelOverlay(deps, { stateDir: dir, privateKeyFile });
          expect((await restarted.apply(desired)).changes).toEqual([]);
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  it('holds for tables that change while neighbours are down', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(routes, downs), { minLength: 2, maxLength: 4 }), async (steps) => {
        const { kernel, overlay } = onFake();
        for (const [list, down] of steps) {
          const desired = withDown(list, down);
          await overlay.repair(down);
          await overlay.apply(desired);
          expect(pointedAt(kernel, list)).toEqual(wanted(desired));
          expect((await overlay.apply(desired)).changes).toEqual([]);
        }
        await overlay.remove();
        expect([...kernel.nextHops]).toEqual([]);
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  it('is one change of one object for 3,000 routes behind a neighbour', async () => {
    const { overlay } = onFake();
    const [primary = '', backup = ''] = NEIGHBOURS;
    const standby = { primary: hopVia('a', primary), backups: [hopVia('a', backup)] };
    const list = Array.from({ length: 3000 }, (_, at): OverlayRoute => {
      const prefix = `100.97.${at >> 8}.${at & 255}/32`;
      return { table: 'source', prefix, nextHops: [standby.primary.hop], standby };
    });
    await overlay.apply(withDown(list, new Set()));
    expect((await overlay.repair(new Set([primary]))).changes).toHaveLength(1);
    expect((await overlay.repair(new Set([primary]))).changes).toEqual([]);
    expect((await overlay.repair(new Set())).changes).toHaveLength(1);
  }, 60_000);

  it('changes nothing for a kernel that was not read yet', () => {
    const standby = { primary: hopVia('a', '100.112.0.2'), backups: [hopVia('a', '100.112.0.3')] };
    const object = { id: 7, family: 4, standby } as const;
    expect(computeRepair([object], [], new Set(['100.112.0.2']))).toEqual({
      main: [],
      sixNextHops: [],
      nextHops: undefined,
    });
  });
});
