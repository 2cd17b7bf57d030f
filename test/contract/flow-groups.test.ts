/**
 * What a real kernel does with flows when a group changes. Flows are asked for with `ip route get`: no packet is sent.
 *
 *      a --- r (detour)           100.96.0.4: direct, by r, by s, with weights
 *        \-- s (detour)
 *         \- d
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OverlayNextHop } from '../../overlay/overlay-state.ts';
import { detour, eventually, isRoot, type OverlayHost, OverlayLab, sourceRoutes } from '../lab/overlay-hosts.ts';

const FLOWS = 400;

describe.skipIf(!isRoot)('groups on the real kernel', { timeout: 60_000 }, () => {
  let lab: OverlayLab;
  beforeAll(async () => {
    lab = await OverlayLab.open(['a', 'r', 's', 'd']);
  }, 30_000);
  afterAll(() => lab?.close());

  const apply = (nextHops: readonly OverlayNextHop[]) => {
    const a = lab.host('a');
    return a.overlay.apply(lab.desiredOf(a, { routes: sourceRoutes(lab.host('d'), nextHops) }));
  };
  const direct = (weight: number): OverlayNextHop => ({ kind: 'direct', weight });

  /** Next hop of each flow: the outer destination, or `direct`. */
  const flows = (host: OverlayHost, family: 4 | 6): string[] => {
    const to = family === 4 ? lab.host('d').node4 : lab.host('d').node6;
    const lines = Array.from({ length: FLOWS }, (_, i) => `route get ${to} ipproto tcp sport ${10_000 + i} dport 443`);
    const script = `printf '${lines.join('\\n')}\\n' | ip -o ${family === 6 ? '-6' : '-4'} -batch -`;
    const answers = host.run('sh', '-c', script).trim().split('\n');
    expect(answers).toHaveLength(FLOWS);
    return answers.map((line) => /encap ip id 1 src \S+ dst (\S+)/.exec(line)?.[1] ?? 'direct');
  };
  const share = (members: readonly string[], member: string) =>
    members.filter((flow) => flow === member).length / FLOWS;
  const moved = (before: readonly string[], after: readonly string[]) =>
    before.filter((flow, i) => flow !== after[i]).length / FLOWS;

  it.each([4, 6] as const)('IPv%d: shares flows by the weights, 1 to 256', async (family) => {
    const { tunnel } = lab.host('r');
    await apply([direct(1)]);
    await apply([direct(256), detour('a', lab.host('r'), 64)]);
    expect(share(flows(lab.host('a'), family), tunnel)).toBeGreaterThan(0.13);
    expect(share(flows(lab.host('a'), family), tunnel)).toBeLessThan(0.27);
    await apply([direct(256), detour('a', lab.host('r'), 1)]);
    await eventually('nearly all is direct', () => share(flows(lab.host('a'), family), 'direct') > 0.98, 15_000);
  });

  it.each([4, 6] as const)('IPv%d: a change of weights moves the flows it asks for, and no others', async (family) => {
    const a = lab.host('a');
    const [r, s] = [lab.host('r'), lab.host('s')];
    // a fresh group is filled at once, whatever stood there before
    await apply([direct(1)]);
    await apply([direct(100), detour('a', r, 100), detour('a', s, 100)]);
    await eventually('a third each', () => Math.abs(share(flows(a, family), s.tunnel) - 1 / 3) < 0.1, 15_000);
    const before = flows(a, family);
    await apply([direct(100), detour('a', r, 100), detour('a', s, 50)]);
    const fewer = share(before, s.tunnel) - 0.06;
    await eventually('fewer by s', () => share(flows(a, family), s.tunnel) < fewer, 15_000);
    const after = flows(a, family);
    // a share of 1/3 - 1/5 of the buckets has to leave s; nothing has to leave direct and r
    const left = before.filter((flow, i) => flow !== after[i]);
    expect(left.filter((flow) => flow !== s.tunnel)).toEqual([]);
    expect(moved(before, after)).toBeLessThan(0.2);
  });

  it.each([4, 6] as const)('IPv%d: the loss of a member moves its flows, and no others', async (family) => {
    const a = lab.host('a');
    const [r, s] = [lab.host('r'), lab.host('s')];
    await apply([direct(1)]);
    await apply([direct(80), detour('a', r, 80), detour('a', s, 80)]);
    const before = flows(a, family);
    expect(share(before, r.tunnel)).toBeGreaterThan(0.2);
    await apply([direct(80), detour('a', s, 80)]);
    const after = flows(a, family);
    expect(share(after, r.tunnel)).toBe(0);
    expect(before.filter((flow, i) => flow !== after[i]).every((flow) => flow === r.tunnel)).toBe(true);
  });

  it.each([4, 6] as const)('IPv%d: another plane sends flows to the neighbours they had', async (family) => {
    const a = lab.host('a');
    const [r, s] = [lab.host('r'), lab.host('s')];
    await apply([direct(1)]);
    await apply([direct(60), detour('a', r, 30), detour('a', s, 90)]);
    const before = flows(a, family);
    await apply([direct(60), detour('b', r, 30), detour('b', s, 90)]);
    expect(moved(before, flows(a, family))).toBe(0);
  });

  it('hosts that share a kernel split the same flows differently: each has its own seed', async () => {
    const [a, r] = [lab.host('a'), lab.host('r')];
    const split = [direct(1), detour('a', lab.host('s'), 1)];
    await apply(split);
    await r.overlay.apply(lab.desiredOf(r, { routes: sourceRoutes(lab.host('d'), split) }));
    const seeds = [a, r].map((host) => host.run('sysctl', '-n', 'net.ipv4.fib_multipath_hash_seed').trim());
    expect(new Set(seeds).size).toBe(2);
    const [first, second] = [flows(a, 4), flows(r, 4)];
    // of the flows that a sends by s, r must send about half by s
    const by = first.flatMap((flow, i) => (flow === lab.host('s').tunnel ? [second[i]] : []));
    const again = by.filter((flow) => flow === lab.host('s').tunnel).length / by.length;
    expect(again).toBeGreaterThan(0.3);
    expect(again).toBeLessThan(0.7);
  });
});
