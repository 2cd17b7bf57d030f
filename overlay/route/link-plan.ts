/** Computes the commands for the devices and their addresses. tw0 itself is made by the WireGuard device. Pure. */
import { parsePrefix, prefixesOverlap } from '../../protocol/address-plan.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { DETOUR_OVERHEAD_BYTES, detourDevices, OWN_DEVICES, PLANE_DEVICES, TUNNEL_DEVICE } from '../overlay-names.ts';
import type { DesiredOverlay } from '../overlay-state.ts';
import { canonicalAddress, type KernelLink, type KernelSnapshot } from './kernel-snapshot.ts';

/** What waits for wireguard-go: 200 ms of 10,000 packets a second. The kernel's 500 are lost to a wait of 50 ms for a processor. */
export const TUN_QUEUE_PACKETS = 2000;

export interface LinkPlan {
  /** Make the devices. The kernel flushes the routes of a device that is made anew: read again after this. */
  readonly devices: readonly string[];
  /** Addresses, MTU, up. Needs the devices. */
  readonly addresses: readonly string[];
}

export function computeLinkPlan(desired: DesiredOverlay, snapshot: KernelSnapshot): LinkPlan {
  const devices: string[] = [];
  const addresses: string[] = [];
  const links = new Map(snapshot.links.map((link) => [link.name, link]));

  const detours = detourDevices(desired.uplink);
  for (const { device, port } of detours) {
    const link = links.get(device);
    const right = link?.vxlan?.port === port && link.vxlan.external && link.vxlan.gpe;
    if (link !== undefined && !right) {
      assertOurs(link, 'vxlan');
      devices.push(`link del ${device}`);
    }
    if (link !== undefined && right) continue;
    devices.push(`link add ${device} type vxlan dstport ${port} external gpe`);
    // Layer 3, known addresses: a link-local address would only add routes and router solicitations.
    devices.push(`link set ${device} addrgenmode none`);
  }

  const leaf = links.get(PLANE_DEVICES.uplink.device);
  if (!desired.uplink && leaf?.kind === 'vxlan') devices.push(`link del ${leaf.name}`);

  const wanted = [
    { device: TUNNEL_DEVICE, text: `${desired.addresses.tunnel}/32` },
    { device: TUNNEL_DEVICE, text: `${desired.addresses.node4}/32` },
    { device: TUNNEL_DEVICE, text: `${canonicalAddress(desired.addresses.node6)}/128` },
    // A loose reverse path filter on a device without an address is a strict one (no_addr in __fib_validate_source),
    // and a host that sets `all` to 1 or 2 makes ours at least loose.
    ...detours.map(({ device }) => ({ device, text: `${desired.addresses.tunnel}/32` })),
  ];
  const held = snapshot.addresses
    .filter(({ device }) => OWN_DEVICES.includes(device) && wanted.some((want) => want.device === device))
    .map(({ device, address, prefixLength }) => ({ device, address, text: `${address}/${prefixLength}` }));
  for (const { device, text } of wanted) {
    if (held.some((have) => have.device === device && have.text === text)) continue;
    addresses.push(`address add ${text} dev ${device}${text.includes(':') ? ' nodad' : ''}`);
  }
  for (const { device, address, text } of held) {
    const right = wanted.some((want) => want.device === device && want.text === text);
    if (!right && inRanges(address, desired)) addresses.push(`address del ${text} dev ${device}`);
  }
  const nodeMtuBytes = desired.tunnelMtuBytes - DETOUR_OVERHEAD_BYTES;
  const mtus: readonly (readonly [string, number])[] = [
    [TUNNEL_DEVICE, desired.tunnelMtuBytes],
    ...detours.map(({ device }) => [device, nodeMtuBytes] as const),
  ];
  for (const [device, mtuBytes] of mtus) {
    const link = links.get(device);
    const made = devices.some((command) => command.startsWith(`link add ${device} `));
    const words: string[] = [];
    if (made || link?.mtuBytes !== mtuBytes) words.push(`mtu ${mtuBytes}`);
    if (link?.kind === 'tun' && link.queuePackets !== TUN_QUEUE_PACKETS) words.push(`txqueuelen ${TUN_QUEUE_PACKETS}`);
    if (made || link?.up !== true) words.push('up');
    if (words.length > 0) addresses.push(`link set ${device} ${words.join(' ')}`);
  }
  return { devices, addresses };
}

/** Throws conflict when a device has our name and somebody else's kind. */
export function assertOurs(link: KernelLink, ...kinds: readonly string[]): void {
  if (link.kind !== null && kinds.includes(link.kind)) return;
  throw new ThalwegError(
    'conflict',
    `the interface ${link.name} exists and is not ours: it is ${link.kind ?? 'a device'}`,
    {
      fields: { interface: link.name, kind: link.kind },
      nextStep: `rename or remove it: ip link show ${link.name}`,
    },
  );
}

/** An address of our devices that the mesh gave out earlier; one that somebody else put there is left alone. */
function inRanges(address: string, { ranges }: DesiredOverlay): boolean {
  const own = parsePrefix(`${address}/${address.includes(':') ? 128 : 32}`);
  return Object.values(ranges).some((range) => {
    const parsed = parsePrefix(range);
    return own.ok && parsed.ok && prefixesOverlap(own.value, parsed.value);
  });
}
