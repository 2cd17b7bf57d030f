import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KernelOverlay } from '../../../../overlay/kernel-overlay.ts';
import { CommandSysctls } from '../../../../overlay/sysctl/sysctl-store.ts';
import { tunnelMtuBytes } from '../../../../overlay/underlay.ts';
import { DEFAULT_ADDRESS_PLAN } from '../../../../protocol/address-plan.ts';
import { systemClock } from '../../../../protocol/clock.ts';
import { silentLogger } from '../../../../protocol/log.ts';
import { FakeKernel } from '../../../fake/kernel.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovl-preflight-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function overlayOn(kernel: FakeKernel): KernelOverlay {
  return new KernelOverlay(
    { runner: kernel, sysctls: new CommandSysctls(kernel), clock: systemClock, log: silentLogger },
    { stateDir: dir, privateKeyFile: join(dir, 'key') },
  );
}

const preflight = (kernel: FakeKernel) => overlayOn(kernel).preflight(DEFAULT_ADDRESS_PLAN);

describe('preflight', () => {
  it.each(['ip', 'wg', 'nft', 'wireguard-go'])('names the package of a missing %s', async (program) => {
    const kernel = new FakeKernel();
    kernel.missing.add(program);
    await expect(preflight(kernel)).rejects.toMatchObject({
      code: 'missing_program',
      nextStep: expect.stringContaining('apt-get install'),
    });
  });

  it('takes kernel WireGuard where there is one, and leaves nothing behind', async () => {
    const kernel = new FakeKernel();
    kernel.unknownTypes.clear();
    kernel.missing.add('wireguard-go');
    expect(await preflight(kernel)).toEqual({ wireguardBackend: 'kernel' });
    expect([...kernel.links.keys()]).toEqual(['lo', 'eth0']);
  });

  it('says that the kernel has no VXLAN', async () => {
    const kernel = new FakeKernel();
    kernel.unknownTypes.add('vxlan');
    await expect(preflight(kernel)).rejects.toMatchObject({
      code: 'missing_kernel_feature',
      fields: { feature: 'vxlan' },
    });
  });

  it('names the route, the range and the way out of a collision', async () => {
    const kernel = new FakeKernel();
    await kernel.run(['ip', 'route', 'replace', '100.64.0.0/10', 'dev', 'eth0', 'table', '52']);
    await expect(preflight(kernel)).rejects.toMatchObject({
      code: 'address_range_collision',
      fields: { route: '100.64.0.0/10', table: 52, range: '100.112.0.0/12' },
      nextStep: expect.stringContaining('--tunnel-range'),
    });
  });

  it('does not mind a default route, nor one split in two halves by a VPN', async () => {
    const kernel = new FakeKernel();
    for (const prefix of ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '::/0']) {
      await kernel.run(['ip', 'route', 'replace', prefix, 'dev', 'eth0']);
    }
    expect(await preflight(kernel)).toEqual({ wireguardBackend: 'wireguard-go' });
  });

  it('minds an address', async () => {
    const kernel = new FakeKernel();
    kernel.addresses.push({ dev: 'eth0', text: '100.100.1.1/24' });
    await expect(preflight(kernel)).rejects.toMatchObject({ code: 'address_range_collision' });
  });
});

describe('the underlay', () => {
  it('has the MTU of the default route’s interface, or of the widest one', async () => {
    const kernel = new FakeKernel();
    kernel.links.set('eth1', { kind: null, mtu: 9000, up: true, queue: 1000, port: 0 });
    kernel.addresses.push({ dev: 'eth1', text: '198.51.100.1/24' });
    const overlay = overlayOn(kernel);
    expect(await overlay.underlayMtuBytes()).toBe(9000);
    await kernel.run(['ip', 'route', 'replace', '0.0.0.0/0', 'dev', 'eth0']);
    expect(await overlay.underlayMtuBytes()).toBe(1500);
    expect(await overlay.underlayAddresses()).toEqual(['192.0.2.1', '198.51.100.1']);
    kernel.links.clear();
    await expect(overlay.underlayMtuBytes()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('needs 1396 bytes', () => {
    expect(tunnelMtuBytes(1500)).toBe(1420);
    expect(tunnelMtuBytes(1396)).toBe(1316);
    expect(() => tunnelMtuBytes(1395)).toThrow(/IPv6 needs 1280/);
  });
});
