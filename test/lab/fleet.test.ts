/**
 * Leaves on real packets: l1 - t1 - t2 - l2, with real agents, WireGuard and kernels, through moves, a restart of the core, a
 * transit node that leaves and one that dies.
 *
 *    l1 --2-- t1 --8-- t2 --2-- l2          one-way delays in ms
 *      '-15-- t3 --8-- t1, t2               l2 - t3: 15; leaves and transit nodes that are not drawn: 40
 */
import { expect, it } from 'vitest';
import type { Lab } from '../../netlab/lab.ts';
import { PERFECT_LINK } from '../../netlab/link-shape.ts';
import { HostProgram, pause } from '../../netlab/scenario/run-lab.ts';
import type { SinkReport, SourceReport } from '../../netlab/traffic/traffic-report.ts';
import type { NodeView, PathExplanation, PathView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { systemClock } from '../../protocol/clock.ts';
import { distDir, isRoot, specOf, withLab } from './fabric-lab.ts';

const TRANSIT = ['t1', 't2', 't3'];
const LEAVES = ['l1', 'l2'];
const DELAYS_US: Readonly<Record<string, number>> = { l1t1: 2000, l2t2: 2000, l1t3: 15_000, l2t3: 15_000 };

it.skipIf(!isRoot)(
  'leaves: packets by home and home, lossless moves, a core that restarts',
  async () => {
    const links = (from: string, to: string) => {
      const key = from < to ? `${from}${to}` : `${to}${from}`;
      const isLeafLink = [from, to].some((host) => LEAVES.includes(host));
      return { ...PERFECT_LINK, oneWayDelayUs: DELAYS_US[key] ?? (isLeafLink ? 40_000 : 8000) };
    };
    const hosts = [...TRANSIT, ...LEAVES].map((name) => ({ name, transit: TRANSIT.includes(name) }));
    const spec = specOf('fleet', [], {}, { links, hosts, delaysLater: true, core: { engine: 'fleet' } });
    await withLab(spec, async (lab) => {
      await lab.startCore();
      const api = new ApiClient(lab.apiTarget);
      for (const { name } of hosts) {
        await lab.join(name);
        await lab.startAgent(name);
      }
      const explain = () => api.get<PathExplanation>('/v1/paths/l1/l2');
      const pathIs = async (wanted: string): Promise<boolean> => {
        const paths = await api.get<PathView[]>('/v1/paths');
        const found = paths.find(({ from, to }) => from === 'l1' && to === 'l2');
        return found?.installed === true && found.path.join(' ') === wanted;
      };
      await until('the path by both homes', () => pathIs('l1 t1 t2 l2'));

      const nodes = await api.get<NodeView[]>('/v1/nodes');
      expect(nodes.map(({ name, transit, home }) => [name, transit, home])).toEqual([
        ['t1', true, null],
        ['t2', true, null],
        ['t3', true, null],
        ['l1', false, 't1'],
        ['l2', false, 't2'],
      ]);
      // a leaf talks to transit nodes alone, and has a default and a few exceptions
      const peers = (await lab.exec('l1', ['wg', 'show', 'tw0', 'peers'])).stdout.trim().split('\n');
      expect(peers).toHaveLength(3);
      const table = (await lab.exec('l1', ['ip', '-4', 'route', 'show', 'table', '8400'])).stdout;
      const id = /^100\.96\.0\.0\/12 nhid (\d+)/m.exec(table)?.[1] ?? '0';
      expect((await lab.exec('l1', ['ip', 'nexthop', 'show', 'id', id])).stdout).toMatch(/encap ip id 1 .*dev twx-l/);

      // planned: the home gets worse, the leaf moves, and no packet is lost
      const moved = await flow(lab, nodes, async () => {
        await lab.setLink('l1', 't1', { oneWayDelayUs: 40_000 });
        await lab.setLink('t1', 'l1', { oneWayDelayUs: 40_000 });
        await until('the path by t3', () => pathIs('l1 t3 t2 l2'));
      });
      expect(moved, 'lost while a leaf moved').toBe(0);
      expect((await explain()).recentChanges[0]?.detail).toContain('home of l1 is t3');

      // the core restarts: kernels keep every route, and packets flow
      const before = await routesOf(lab);
      const restarted = await flow(lab, nodes, async () => {
        await lab.stopCore('SIGKILL');
        await lab.startCore();
      });
      expect(restarted, 'lost while the core restarted').toBe(0);
      await until('all are back', async () => (await api.get<NodeView[]>('/v1/nodes')).every((node) => node.online));
      await until('the same path', () => pathIs('l1 t3 t2 l2'));
      expect(await routesOf(lab)).toEqual(before);

      // the home of l1 leaves for good
      const left = await flow(lab, nodes, async () => {
        const argv = ['agent', 'down', '--forget', '--state-dir', `${lab.hostDir('t3')}/state`];
        const down = await lab.exec('t3', [process.execPath, `${distDir}/cli/main.js`, ...argv]);
        expect(down.exitCode, down.stderr).toBe(0);
        await until(
          'the path without t3',
          async () => !(await explain()).path.includes('t3') && (await explain()).installed,
        );
      });
      expect(left, 'lost while a home left').toBe(0);

      // and what remains of t1 and t2: l1 hangs off one of them; kill that agent and its kernel
      const home = (await explain()).path[1] ?? '';
      await lab.powerOff(home);
      await until(
        'packets by the other home',
        async () => (await lab.exec('l1', ping(addressOf(nodes, 'l2')))).exitCode === 0,
      );
    });
  },
  120_000,
);

/** Sends 500 packets/s from l1 to l2 while `act` runs and for a drain longer, and gives how many were lost. */
async function flow(lab: Lab, nodes: readonly NodeView[], act: () => Promise<void>): Promise<number> {
  const program = (host: string, what: string, argv: string[]) =>
    new HostProgram(lab, systemClock, host, [
      process.execPath,
      `${distDir}/netlab/traffic/traffic-${what}-program.js`,
      ...['--port', '9000', '--flow', '1', ...argv],
    ]);
  const sink = program('l2', 'sink', ['--family', '4']);
  expect(await sink.json('ready', 20_000)).toBe(true);
  const rate = ['--rate', '500', '--size', '100', '--total', `${100 * 500}`];
  const source = program('l1', 'source', ['--to', addressOf(nodes, 'l2'), ...rate]);
  await act();
  await pause(systemClock, 1500);
  expect(source.lines, 'the flow outlasts what happens').toEqual([]);
  await source.stop('SIGTERM', 20_000);
  const sent = await source.json<SourceReport>('report', 0);
  await sink.stop('SIGTERM', 20_000);
  const received = await sink.json<SinkReport>('report', 0);
  expect(sent?.refused).toEqual({});
  return (sent?.sent ?? 0) - (received?.received ?? 0) - (received?.sinkDropped ?? 0);
}

function addressOf(nodes: readonly NodeView[], name: string): string {
  return nodes.find((node) => node.name === name)?.node4 ?? '';
}

function ping(address: string): string[] {
  return ['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', address];
}

/** All routes of ours, next hops written out, by host. */
async function routesOf(lab: Lab): Promise<Record<string, string>> {
  const routes: Record<string, string> = {};
  for (const host of [...TRANSIT, ...LEAVES]) {
    routes[host] = (await lab.exec(host, ['ip', 'route', 'show', 'table', 'all', 'protocol', '84'])).stdout;
  }
  return routes;
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 40_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within 40 s: ${what}`);
    await pause(systemClock, 100);
  }
}
