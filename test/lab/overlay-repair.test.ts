/**
 * Deletions by hand, foreign objects and removal, on a real kernel. Two hosts on one switch:
 *
 *      a ----- b
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DesiredOverlay } from '../../overlay/overlay-state.ts';
import { RECEIVE_BUFFER_BYTES } from '../../overlay/wireguard/receive-buffers.ts';
import { detour, eventually, isRoot, type OverlayHost, OverlayLab, ping } from './overlay-hosts.ts';

describe.skipIf(!isRoot)('a kernel that others change too', () => {
  let lab: OverlayLab;
  let a: OverlayHost;
  let b: OverlayHost;
  let desired: DesiredOverlay;

  beforeAll(async () => {
    lab = await OverlayLab.open(['a', 'b']);
    [a, b] = [lab.host('a'), lab.host('b')];
    desired = lab.desiredOf(a, {
      routes: [
        { table: 'source', prefix: `${b.node4}/32`, nextHops: [{ kind: 'direct', weight: 2 }, detour('a', b)] },
        { table: 'source', prefix: `${b.node6}/128`, nextHops: [{ kind: 'direct', weight: 2 }, detour('a', b)] },
      ],
    });
    await b.overlay.apply(lab.desiredOf(b));
    await a.overlay.apply(desired);
    await eventually('a reaches b', () => ping(a, b.node4, 1) === 1);
  }, 60_000);

  afterAll(() => lab?.close());

  const groupId = () => {
    const groups = JSON.parse(a.run('ip', '-j', 'nexthop', 'show')).filter((n: { group?: unknown }) => n.group);
    return String(groups[0].id);
  };

  it.each<[string, () => void]>([
    ['the WireGuard device', () => a.run('ip', 'link', 'del', 'tw0')],
    ['a detour device', () => a.run('ip', 'link', 'del', 'twx-a')],
    ['a device set down', () => a.run('ip', 'link', 'set', 'tw0', 'down')],
    [
      'a detour device of another port',
      () => {
        a.run('ip', 'link', 'del', 'twx-b');
        a.run('ip', 'link', 'add', 'twx-b', 'type', 'vxlan', 'dstport', '4799', 'external', 'gpe');
      },
    ],
    ['the MTU', () => a.run('ip', 'link', 'set', 'twx-a', 'mtu', '1300')],
    ['an address', () => a.run('ip', 'address', 'del', `${a.node4}/32`, 'dev', 'tw0')],
    ['all IPv6 addresses', () => a.run('ip', '-6', 'address', 'flush', 'dev', 'tw0')],
    ['a route', () => a.run('ip', 'route', 'del', `${b.node4}/32`, 'table', '8400')],
    ['the blackhole of a transit table', () => a.run('ip', 'route', 'del', 'blackhole', 'default', 'table', '8401')],
    ['a rule', () => a.run('ip', 'rule', 'del', 'pref', '8398')],
    ['an IPv6 rule', () => a.run('ip', '-6', 'rule', 'del', 'pref', '8400')],
    ['a next-hop group', () => a.run('ip', 'nexthop', 'del', 'id', groupId())],
    ['all next hops', () => a.run('ip', 'nexthop', 'flush', 'protocol', '84')],
    ['the nft table', () => a.run('nft', 'delete', 'table', 'inet', 'thalweg')],
    ['the rules of a chain', () => a.run('nft', 'flush', 'chain', 'inet', 'thalweg', 'forward')],
    ['a rule more', () => a.run('nft', 'insert', 'rule', 'inet', 'thalweg', 'forward', 'accept')],
    ['a WireGuard peer', () => a.run('wg', 'set', 'tw0', 'peer', b.publicKey ?? '', 'remove')],
    ['the AllowedIPs of a peer', () => a.run('wg', 'set', 'tw0', 'peer', b.publicKey ?? '', 'allowed-ips', '')],
    ['the listen port', () => a.run('wg', 'set', 'tw0', 'listen-port', '51999')],
    ['wireguard-go', () => killWireGuard(a)],
    ['the forwarding of a plane', () => a.run('sysctl', '-q', '-w', 'net.ipv4.conf.twx-a.forwarding=0')],
    ['the flow hash policy', () => a.run('sysctl', '-q', '-w', 'net.ipv4.fib_multipath_hash_policy=0')],
  ])(
    'comes back with the next apply: %s',
    async (_what, break_) => {
      break_();
      expect((await a.overlay.apply(desired)).changes).not.toEqual([]);
      expect((await a.overlay.apply(desired)).changes).toEqual([]);
      await eventually('a reaches b over IPv4', () => ping(a, b.node4, 1) === 1);
      await eventually('a reaches b over IPv6', () => ping(a, b.node6, 1) === 1);
    },
    30_000,
  );

  it('calls back when something of ours or the underlay changes, and not for what is not ours', async () => {
    let calls = 0;
    const watch = a.overlay.watch(() => calls++);
    try {
      // The monitors need a moment to subscribe: change until one is seen.
      await eventually('a change is seen', () => {
        a.tryRun('ip', 'route', 'replace', 'blackhole', '100.96.9.9/32', 'table', '8400', 'protocol', '84');
        a.tryRun('ip', 'route', 'del', 'blackhole', '100.96.9.9/32', 'table', '8400');
        return calls > 0;
      });
      for (const change of [
        ['nft', 'flush', 'chain', 'inet', 'thalweg', 'forward'],
        ['ip', 'address', 'add', '192.0.2.201/24', 'dev', 'eth0'],
        ['ip', 'rule', 'del', 'pref', '8399'],
      ]) {
        await quiet(() => calls);
        const before = calls;
        a.run(...change);
        await eventually(`seen: ${change.join(' ')}`, () => calls > before, 3_000);
      }
      await quiet(() => calls);
      const before = calls;
      a.run('ip', 'route', 'add', '203.0.113.0/24', 'via', '192.0.2.2');
      await quiet(() => calls);
      expect(calls).toBe(before);
    } finally {
      await watch.stop();
      a.tryRun('ip', 'address', 'del', '192.0.2.201/24', 'dev', 'eth0');
      a.tryRun('ip', 'route', 'del', '203.0.113.0/24');
    }
    await a.overlay.apply(desired);
  }, 30_000);

  it('leaves what others made alone, and removes everything of its own', async () => {
    const foreign = [
      'ip link add dummy-x type bridge',
      'ip address add 203.0.113.1/24 dev eth0',
      'ip route add 198.51.100.0/24 via 192.0.2.2 protocol 99',
      'ip route add 198.51.101.0/24 via 192.0.2.2 table 8500',
      'ip rule add pref 8500 lookup 8500',
      'ip rule add pref 8401 from 198.51.100.7 lookup 8500',
      'ip nexthop add id 7 dev eth0',
      'ip nexthop add id 1414004700 dev eth0 protocol 99',
      'ip -6 nexthop add id 8 dev eth0',
      'nft add table inet others',
      'nft add chain inet others c { type filter hook forward priority 5 ; }',
      'nft add table ip thalweg',
      'sysctl -q -w net.ipv6.fib_multipath_hash_policy=2',
    ];
    for (const command of foreign) a.run(...command.split(' '));
    const look = () =>
      [
        'ip route show table all protocol 99',
        'ip route show table 8500',
        'ip address show dev eth0',
        'ip link show dummy-x',
        'nft list table inet others',
        'nft list table ip thalweg',
      ]
        .map((command) => a.run(...command.split(' ')))
        .concat(
          a
            .run('ip', 'nexthop', 'show')
            .split('\n')
            .filter((line) => / (7|8|1414004700) /.test(line))
            .join(),
        )
        .concat(
          a
            .run('ip', 'rule', 'show')
            .split('\n')
            .filter((line) => /8500/.test(line))
            .join(),
        )
        .join('\n');
    const before = look();
    expect(before).toContain('id 1414004700');
    await a.overlay.apply(desired);
    expect(look()).toBe(before);
    // From a half-built state.
    a.run('ip', 'link', 'del', 'twx-a');
    a.run('ip', 'rule', 'del', 'pref', '8399');
    await a.overlay.remove();
    expect(look()).toBe(before);
    expect(a.run('ip', '-j', 'link')).not.toMatch(/"(tw0|twx-a|twx-b)"/);
    expect(a.run('ip', 'rule') + a.run('ip', '-6', 'rule')).not.toMatch(/lookup 840|proto 84\b/);
    expect(
      a.run('ip', 'route', 'show', 'table', 'all') + a.run('ip', '-6', 'route', 'show', 'table', 'all'),
    ).not.toMatch(/proto 84\b|table 840/);
    expect(a.run('ip', 'nexthop')).not.toMatch(/proto 84\b/);
    expect(a.run('nft', 'list', 'tables')).not.toContain('inet thalweg');
    const settings = ['net.ipv4.fib_multipath_hash_policy', 'net.ipv6.fib_multipath_hash_policy'];
    expect(a.run('sysctl', '-n', ...settings).trim()).toBe('0\n2');
    expect(existsSync(join(a.stateDir, 'host-settings.json'))).toBe(false);
    await eventually('wireguard-go has ended', () => !processes(a).includes('wireguard-go'));
    expect((await a.overlay.remove()).changes).toEqual([]);
  }, 30_000);

  it('refuses ranges that meet a foreign route or address', async () => {
    a.run('ip', 'route', 'add', '100.100.0.0/16', 'via', '192.0.2.2');
    await expect(a.overlay.preflight(desired.ranges)).rejects.toMatchObject({
      code: 'address_range_collision',
      message: expect.stringContaining('100.100.0.0/16'),
      fields: { range: '100.96.0.0/12' },
    });
    a.run('ip', 'route', 'del', '100.100.0.0/16');
    a.run('ip', 'address', 'add', 'fd74:6861:6c77::99/128', 'dev', 'eth0');
    await expect(a.overlay.preflight(desired.ranges)).rejects.toMatchObject({ code: 'address_range_collision' });
    a.run('ip', 'address', 'del', 'fd74:6861:6c77::99/128', 'dev', 'eth0');
    await a.overlay.preflight(desired.ranges);
  });

  it('refuses an interface of its name that is somebody else’s', async () => {
    a.run('ip', 'link', 'add', 'tw0', 'type', 'bridge');
    await expect(a.overlay.apply(desired)).rejects.toMatchObject({ code: 'conflict', fields: { interface: 'tw0' } });
    expect(a.run('ip', '-d', 'link', 'show', 'tw0')).toContain('bridge');
    a.run('ip', 'link', 'del', 'tw0');
    await a.overlay.apply(desired);
    await eventually('a reaches b', () => ping(a, b.node4, 1) === 1);
  });

  it('says which port is taken', async () => {
    const other = a.spawn('socat', 'UDP4-RECV:51820,reuseaddr=0', 'STDOUT');
    try {
      await a.overlay.remove();
      await eventually('the port is free of wireguard-go', () => !processes(a).includes('wireguard-go'));
      const holder = a.spawn('socat', 'UDP4-RECV:51820', 'STDOUT');
      try {
        await eventually('socat holds the port', () => a.run('ss', '-ulnp').includes('socat'));
        await expect(a.overlay.apply(desired)).rejects.toMatchObject({ code: 'port_in_use' });
      } finally {
        holder.kill();
      }
    } finally {
      other.kill();
    }
    await eventually('apply completes what was begun', async () => {
      await a.overlay.apply(desired).catch(() => undefined);
      return ping(a, b.node4, 1) === 1;
    });
  }, 30_000);

  it('has receive buffers that a burst fits in, also after the sockets were opened anew', async () => {
    // -n: no names, -u: UDP, -a: all, -m: memory; `rb` is twice what was asked for
    const buffers = () =>
      [...a.run('ss', '-nuamO', 'sport', '=', ':51820').matchAll(/skmem:\(r\d+,rb(\d+),/g)].map(([, rb]) => Number(rb));
    expect(buffers().length).toBeGreaterThan(0);
    for (const bytes of buffers()) expect(bytes).toBe(2 * RECEIVE_BUFFER_BYTES);
    for (const disturb of [
      ['ip', 'link', 'set', 'tw0', 'down'],
      ['wg', 'set', 'tw0', 'listen-port', '51999'],
    ]) {
      a.run(...disturb);
      await a.overlay.apply({ ...desired });
      expect(buffers().length).toBeGreaterThan(0);
      for (const bytes of buffers()) expect(bytes).toBe(2 * RECEIVE_BUFFER_BYTES);
    }
    expect(a.run('ip', 'link', 'show', 'tw0')).toContain('qlen 2000');
  });

  it('knows the underlay', async () => {
    expect(await a.overlay.underlayMtuBytes()).toBe(1500);
    expect((await a.overlay.underlayAddresses())[0]).toBe('192.0.2.1');
    expect((await a.overlay.underlayAddresses()).some((address) => address.startsWith('100.'))).toBe(false);
    const [peer] = await a.overlay.peerStatus();
    expect(peer?.publicKey).toBe(b.publicKey);
    expect(peer?.lastHandshakeAtMs).toBeGreaterThan(0);
    expect(peer?.endpoint).toEqual({ address: '192.0.2.2', port: 51820 });
  });
});

/** Names of the processes in a host's namespace. */
function processes(host: OverlayHost): string {
  return host.tryRun('sh', '-c', `for p in $(ip netns pids ${host.namespace}); do cat /proc/$p/comm; done`);
}

function killWireGuard(host: OverlayHost): void {
  host.tryRun(
    'sh',
    '-c',
    `for p in $(ip netns pids ${host.namespace}); do grep -q wireguard-go /proc/$p/comm && kill -9 $p; done`,
  );
}

/** Waits until a count has stood still for longer than the debouncing. */
async function quiet(count: () => number): Promise<void> {
  let last = -1;
  await eventually('no more changes', async () => {
    const now = count();
    const still = now === last;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 600));
    return still;
  });
}
