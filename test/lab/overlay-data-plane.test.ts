/**
 * The data plane on real packets. Three hosts on one switch; a detour goes a -> r -> d.
 *
 *      a ----- r ----- d        every pair has a WireGuard session
 *       \_____________/
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  detour,
  eventually,
  isRoot,
  type OverlayHost,
  OverlayLab,
  ping,
  received,
  sourceRoutes,
} from './overlay-hosts.ts';

describe.skipIf(!isRoot)('data plane between three hosts', () => {
  let lab: OverlayLab;
  let a: OverlayHost;
  let r: OverlayHost;
  let d: OverlayHost;

  beforeAll(async () => {
    lab = await OverlayLab.open(['a', 'r', 'd']);
    [a, r, d] = [lab.host('a'), lab.host('r'), lab.host('d')];
    for (const host of lab.hosts) {
      await host.overlay.preflight(lab.desiredOf(host).ranges);
      await host.overlay.apply(lab.desiredOf(host));
    }
  }, 60_000);

  afterAll(() => lab?.close());

  it('carries IPv4 and IPv6 directly', async () => {
    await eventually('a reaches d over IPv4', () => ping(a, d.node4, 1) === 1);
    expect(ping(a, d.node4)).toBe(3);
    expect(ping(a, d.node6)).toBe(3);
    expect(received(r, 'twx-a')).toBe(0);
  });

  it('changes nothing the second time', async () => {
    for (const host of lab.hosts) expect((await host.overlay.apply(lab.desiredOf(host))).changes).toEqual([]);
  });

  it('carries IPv4 and IPv6 through a transit node, without global ip_forward', async () => {
    const before = received(r, 'twx-a');
    await a.overlay.apply(lab.desiredOf(a, { routes: sourceRoutes(d, [detour('a', r)]) }));
    expect(ping(a, d.node4)).toBe(3);
    expect(ping(a, d.node6)).toBe(3);
    expect(received(r, 'twx-a') - before).toBe(6);
    expect(r.run('sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding').trim()).toBe('0\n0');
    await a.overlay.apply(lab.desiredOf(a));
  });
});
