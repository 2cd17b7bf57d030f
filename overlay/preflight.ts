/** Checks that a host can carry the overlay. Leaves nothing behind. */
import { parsePrefix } from '../protocol/address-plan.ts';
import { ThalwegError } from '../protocol/error.ts';
import { type CommandRunner, commandFailure, missingProgram } from './command-runner.ts';
import { detourDevices, OWN_DEVICES, TABLE_NUMBERS, TUNNEL_DEVICE } from './overlay-names.ts';
import type { DesiredOverlay } from './overlay-state.ts';
import type { KernelSnapshot } from './route/kernel-snapshot.ts';
import { assertOurs } from './route/link-plan.ts';
import { rangeOf } from './underlay.ts';
import { saysUnknownType, type WireGuardBackend } from './wireguard/wireguard-device.ts';

/** Name of the device that is made and removed to learn what the kernel can do. */
const PROBE_DEVICE = 'tw-check';

/** Throws missing_program for the first program that is not there. */
export async function checkPrograms(runner: CommandRunner): Promise<void> {
  for (const argv of [
    ['ip', '-V'],
    ['wg', '--version'],
    ['nft', '--version'],
  ]) {
    await runner.run(argv);
  }
}

/** Which WireGuard there is. Throws missing_program (wireguard-go), missing_privilege. */
export async function findWireGuard(runner: CommandRunner, snapshot: KernelSnapshot): Promise<WireGuardBackend> {
  const device = snapshot.links.find((link) => link.name === TUNNEL_DEVICE);
  if (device !== undefined) {
    assertOurs(device, 'wireguard', 'tun');
    return device.kind === 'wireguard' ? 'kernel' : 'wireguard-go';
  }
  if (await kernelMakes(runner, ['type', 'wireguard'])) return 'kernel';
  try {
    await runner.run(['wireguard-go', '--version']);
  } catch (error) {
    if (error instanceof ThalwegError && error.code === 'missing_program') throw missingProgram('wireguard-go');
    throw error;
  }
  return 'wireguard-go';
}

/** Throws missing_kernel_feature when the kernel refuses VXLAN-GPE devices. */
export async function checkDetours(runner: CommandRunner, snapshot: KernelSnapshot): Promise<void> {
  for (const { device, port } of detourDevices(false)) {
    const link = snapshot.links.find((candidate) => candidate.name === device);
    if (link !== undefined) {
      assertOurs(link, 'vxlan');
      continue;
    }
    const taken = snapshot.links.find((candidate) => candidate.vxlan?.port === port && candidate.name !== device);
    if (taken !== undefined) {
      throw new ThalwegError(
        'port_in_use',
        `the VXLAN interface ${taken.name} uses UDP port ${port}, which detours need`,
        {
          fields: { interface: taken.name, port },
          nextStep: `give ${taken.name} another dstport`,
        },
      );
    }
    if (await kernelMakes(runner, ['type', 'vxlan', 'dstport', String(port), 'external', 'gpe'])) return;
    throw new ThalwegError('missing_kernel_feature', 'the kernel refuses VXLAN-GPE devices, on which detours ride', {
      fields: { feature: 'vxlan' },
      nextStep: 'load it (modprobe vxlan) or use a kernel with CONFIG_VXLAN',
    });
  }
}

/** Throws address_range_collision when a route or an address that is not ours meets a range. `snapshot` holds all routes. */
export function checkRanges(snapshot: KernelSnapshot, ranges: DesiredOverlay['ranges']): void {
  const ownTables: readonly number[] = Object.values(TABLE_NUMBERS);
  for (const address of snapshot.addresses) {
    if (OWN_DEVICES.includes(address.device)) continue;
    const range = rangeOf(address.address, ranges);
    if (range !== undefined) {
      throw collision(`the address ${address.address} of ${address.device}`, range, {
        address: address.address,
        interface: address.device,
        range,
      });
    }
  }
  for (const route of snapshot.routes) {
    if (ownTables.includes(route.table) || (route.device !== null && OWN_DEVICES.includes(route.device))) continue;
    const prefix = parsePrefix(route.prefix);
    // A default route, or one so wide that it is one, gives way to ours; so does what a host keeps away on purpose.
    if (!prefix.ok || prefix.value.length < 8 || route.type === 6 || route.type === 7) continue;
    const range = rangeOf(route.prefix, ranges);
    if (range !== undefined) {
      const by = route.device === null ? `in table ${route.table}` : `by ${route.device}`;
      throw collision(`the route ${route.prefix} ${by}`, range, { route: route.prefix, table: route.table, range });
    }
  }
}

function collision(what: string, range: string, fields: Record<string, string | number>): ThalwegError {
  return new ThalwegError('address_range_collision', `${what} lies in the mesh's range ${range}`, {
    fields,
    nextStep:
      'start the core with other ranges (--tunnel-range, --node4-range, --node6-range), or remove what is in the way',
  });
}

/** True when the kernel makes such a device; it is removed again. False when it does not know the type. */
async function kernelMakes(runner: CommandRunner, type: readonly string[]): Promise<boolean> {
  const argv = ['ip', 'link', 'add', PROBE_DEVICE, ...type];
  let result = await runner.run(argv);
  if (/File exists/i.test(result.stderr)) {
    // Left by a run that was killed between the two commands.
    await runner.run(['ip', 'link', 'del', PROBE_DEVICE]);
    result = await runner.run(argv);
  }
  if (result.exitCode === 0) {
    await runner.run(['ip', 'link', 'del', PROBE_DEVICE]);
    return true;
  }
  if (saysUnknownType(result.stderr)) return false;
  throw commandFailure(argv, result);
}
