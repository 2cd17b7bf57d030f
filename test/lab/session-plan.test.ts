/**
 * A mesh above its limit, on real packets: fourteen hosts of which each may hold six planned sessions. All pairs talk, no
 * packet is lost while the plan learns and changes, and what it ends with is near the optimum over all links. Takes minutes,
 * so it runs where THALWEG_LAB_PLAN=14,6 (hosts, peers) is in the environment.
 *
 *   hosts in a square of 20 ms; every third pair twice as far apart by its own link as it need be
 */
import { describe, expect, it } from 'vitest';
import { PERFECT_LINK } from '../../netlab/link-shape.ts';
import { pause } from '../../netlab/pause.ts';
import type { LinkView, NodeView, PathView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { hashOf, pairHash } from '../../steering/session-plan/seeded.ts';
import { isRoot, specOf, tracesOf, withLab } from './fabric-lab.ts';

const [COUNT = 14, MAX_PEERS = 6] = (process.env['THALWEG_LAB_PLAN'] ?? '14,6').split(',').map(Number);
const NAME = `plan-${process.pid}`;
const HOSTS = Array.from({ length: COUNT }, (_, i) => `h${i + 1}`);
const LEARN_MS = 60_000;

/** One way, in microseconds. The core is 1 ms from everybody. */
function delayUs(from: string, to: string): number {
  if (from === 'core' || to === 'core') return 1_000;
  const [a, b] = [Number(from.slice(1)), Number(to.slice(1))];
  const at = (node: number, axis: number) => hashOf(7, node, axis) % 20_000;
  const apart = Math.hypot(at(a, 0) - at(b, 0), at(a, 1) - at(b, 1)) + 1_000;
  return Math.round(pairHash(7, a, b) % 3 === 0 ? 2 * apart : apart);
}

/** Least RTT in milliseconds over any links, by `from to`. */
function optimum(): Map<string, number> {
  const rtt = new Map(HOSTS.flatMap((a) => HOSTS.map((b) => [`${a} ${b}`, a === b ? 0 : delayUs(a, b) / 500])));
  for (const k of HOSTS) {
    for (const a of HOSTS) {
      for (const b of HOSTS) {
        const through = (rtt.get(`${a} ${k}`) ?? 0) + (rtt.get(`${k} ${b}`) ?? 0);
        if (through < (rtt.get(`${a} ${b}`) ?? 0)) rtt.set(`${a} ${b}`, through);
      }
    }
  }
  return rtt;
}

async function until(what: string, ms: number, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await pause(500);
  }
}

const isAsked = process.env['THALWEG_LAB_PLAN'] !== undefined;
if (!isAsked) process.stderr.write('SKIPPED: the lab of the session plan needs THALWEG_LAB_PLAN=14,6\n');

describe.skipIf(!isRoot || !isAsked)('a mesh with a session plan', () => {
  it('reaches everybody over a bounded number of sessions, loses nothing while it learns, and finds good ways', async () => {
    const core = {
      probeIntervalMs: 500,
      deadAfterMs: 3_000,
      sessionPlan: { maxPeers: MAX_PEERS, explorePeers: 3, roundMs: 15_000 },
    };
    const links = (from: string, to: string) => ({ ...PERFECT_LINK, oneWayDelayUs: delayUs(from, to) });
    await withLab(specOf(NAME, HOSTS, {}, { links, core }), async (lab) => {
      await lab.startCore();
      const api = new ApiClient(lab.apiTarget);
      for (const host of HOSTS) {
        await lab.join(host);
        await lab.startAgent(host);
      }
      await until('every pair has a path in place', 60_000, async () => {
        const paths = await api.get<PathView[]>('/v1/paths');
        return paths.length === COUNT * (COUNT - 1) && paths.every(({ installed, cost }) => installed && cost !== null);
      });
      const nodes = await api.get<NodeView[]>('/v1/nodes');
      const address = new Map(nodes.map(({ name, node4 }) => [name, node4]));
      const ping = async (from: string, to: string, count: number, intervalS: number) => {
        const argv = ['ping', '-n', '-q', '-c', `${count}`, '-i', `${intervalS}`, '-W', '3', address.get(to) ?? ''];
        const { stdout } = await lab.exec(from, argv, { timeoutMs: 120_000 });
        const [, received] = /(\d+) received/.exec(stdout) ?? [];
        const [, least] = /= ([\d.]+)\//.exec(stdout) ?? [];
        return { lost: count - Number(received ?? 0), leastMs: Number(least ?? Number.NaN) };
      };
      const flows = await Promise.all(
        HOSTS.map((host, i) => ping(host, HOSTS[(i + 5) % COUNT] ?? '', LEARN_MS / 200, 0.2)),
      );
      const roles = await api.get<LinkView[]>('/v1/links');
      for (const host of HOSTS) {
        const planned = roles.filter(({ from, role }) => from === host && role === 'planned').length;
        expect(planned, host).toBeGreaterThan(1);
        expect(planned, host).toBeLessThanOrEqual(MAX_PEERS);
      }
      const best = optimum();
      const stretches: number[] = [];
      for (const from of HOSTS) {
        const others = HOSTS.filter((to) => to !== from);
        const results = await Promise.all(others.map((to) => ping(from, to, 3, 0.2)));
        for (const [i, { lost, leastMs }] of results.entries()) {
          expect(lost, `${from} to ${others[i]}`).toBeLessThan(3);
          stretches.push((leastMs - 1) / (best.get(`${from} ${others[i]}`) ?? Number.NaN));
        }
      }
      stretches.sort((x, y) => x - y);
      const mean = stretches.reduce((sum, s) => sum + s, 0) / stretches.length;
      const lost = flows.reduce((sum, flow) => sum + flow.lost, 0);
      const said = `lost ${lost}, stretch mean ${mean.toFixed(3)}, p90 ${stretches[Math.floor(stretches.length * 0.9)]?.toFixed(3)}`;
      process.stderr.write(`session plan in the lab: ${said}\n`);
      expect(lost, said).toBe(0);
      expect(mean, said).toBeLessThan(1.2);
    });
    expect(tracesOf(NAME)).toEqual([]);
  }, 400_000);
});
