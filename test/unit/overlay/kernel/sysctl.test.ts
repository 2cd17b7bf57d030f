import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HostSettings } from '../../../../overlay/sysctl/host-settings.ts';
import { computeSysctls, flowHashSeed } from '../../../../overlay/sysctl/sysctl-plan.ts';
import { CommandSysctls } from '../../../../overlay/sysctl/sysctl-store.ts';
import { desiredOverlay } from '../../../contract/overlay-suite.ts';
import { FakeKernel } from '../../../fake/kernel.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovl-sysctl-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function withDevices(forceForwarding: boolean): Promise<FakeKernel> {
  const kernel = new FakeKernel();
  kernel.forceForwarding = forceForwarding;
  await kernel.run(['wireguard-go', 'tw0']);
  for (const [name, port] of [
    ['twx-a', '4790'],
    ['twx-b', '4791'],
  ]) {
    await kernel.run(['ip', 'link', 'add', name ?? '', 'type', 'vxlan', 'dstport', port ?? '', 'external', 'gpe']);
  }
  return kernel;
}

describe('kernel settings', () => {
  it('forwards on the planes only, where the kernel can', async () => {
    const kernel = await withDevices(true);
    const settings = new HostSettings({ store: new CommandSysctls(kernel) }, { stateDir: dir });
    await settings.apply(desiredOverlay(), ['eth0']);
    expect(kernel.sysctls.get('net/ipv4/conf/twx-a/forwarding')).toBe('1');
    expect(kernel.sysctls.get('net/ipv6/conf/twx-b/force_forwarding')).toBe('1');
    expect(kernel.sysctls.get('net/ipv6/conf/all/forwarding')).toBe('0');
    expect(await settings.apply(desiredOverlay(), ['eth0'])).toEqual([]);
    await settings.apply(desiredOverlay({ transit: false }), ['eth0']);
    expect(kernel.sysctls.get('net/ipv4/conf/twx-a/forwarding')).toBe('0');
    expect(kernel.sysctls.get('net/ipv6/conf/twx-b/force_forwarding')).toBe('0');
    await settings.restore();
  });

  it('on an older kernel keeps router advertisements alive, and puts everything back', async () => {
    const kernel = await withDevices(false);
    const before = new Map(kernel.sysctls);
    const settings = new HostSettings({ store: new CommandSysctls(kernel) }, { stateDir: dir });
    await settings.apply(desiredOverlay(), ['eth0']);
    expect(kernel.sysctls.get('net/ipv6/conf/all/forwarding')).toBe('1');
    expect(kernel.sysctls.get('net/ipv6/conf/eth0/accept_ra')).toBe('2');
    expect(existsSync(join(dir, 'host-settings.json'))).toBe(true);
    // Another process with the same state directory: what was before is known to the file alone.
    await new HostSettings({ store: new CommandSysctls(kernel) }, { stateDir: dir }).restore();
    for (const [key, value] of before) {
      if (!key.includes('/tw')) expect([key, kernel.sysctls.get(key)]).toEqual([key, value]);
    }
    expect(existsSync(join(dir, 'host-settings.json'))).toBe(false);
  });

  it('does not put back what somebody else has changed since', async () => {
    const kernel = await withDevices(true);
    const settings = new HostSettings({ store: new CommandSysctls(kernel) }, { stateDir: dir });
    await settings.apply(desiredOverlay(), []);
    kernel.sysctls.set('net/ipv4/fib_multipath_hash_policy', '2');
    await settings.restore();
    expect(kernel.sysctls.get('net/ipv4/fib_multipath_hash_policy')).toBe('2');
  });

  it('goes loose where the host is strict, since the kernel takes the greater of both', () => {
    const current = new Map([
      ['net/ipv4/conf/all/rp_filter', '1'],
      ['net/ipv4/conf/tw0/rp_filter', '0'],
    ]);
    expect(computeSysctls(desiredOverlay(), current, [])).toEqual([
      { key: 'net/ipv4/conf/tw0/rp_filter', value: '2', host: false },
    ]);
    current.set('net/ipv4/conf/all/rp_filter', '2');
    expect(computeSysctls(desiredOverlay(), current, [])).toEqual([]);
  });

  it('gives nodes different flow hash seeds, and leaves one that is set', () => {
    expect(flowHashSeed('100.112.0.1')).not.toBe(flowHashSeed('100.112.0.2'));
    const current = new Map([['net/ipv4/fib_multipath_hash_seed', '7']]);
    expect(computeSysctls(desiredOverlay(), current, [])).toEqual([]);
  });
});
