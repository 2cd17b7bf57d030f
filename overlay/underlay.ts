/** What the host's own network offers the tunnel: MTU and addresses. Pure. */
import { parsePrefix, prefixesOverlap } from '../protocol/address-plan.ts';
import { ThalwegError } from '../protocol/error.ts';
import { DETOUR_OVERHEAD_BYTES, MIN_NODE_MTU_BYTES, OWN_DEVICES, TUNNEL_OVERHEAD_BYTES } from './overlay-names.ts';
import type { DesiredOverlay } from './overlay-state.ts';
import type { KernelSnapshot } from './route/kernel-snapshot.ts';

/**
 * MTU for tw0 over an underlay. Throws mtu_too_small when node addresses would get less than IPv6 needs: the underlay
 * then has less than 1280 + 36 + 80 = 1396 bytes.
 */
export function tunnelMtuBytes(underlayMtuBytes: number): number {
  const mtu = underlayMtuBytes - TUNNEL_OVERHEAD_BYTES;
  assertTunnelMtu(mtu);
  return mtu;
}

/** Throws mtu_too_small. */
export function assertTunnelMtu(tunnelMtu: number): void {
  if (tunnelMtu - DETOUR_OVERHEAD_BYTES >= MIN_NODE_MTU_BYTES) return;
  const least = MIN_NODE_MTU_BYTES + DETOUR_OVERHEAD_BYTES + TUNNEL_OVERHEAD_BYTES;
  throw new ThalwegError(
    'mtu_too_small',
    `a tunnel MTU of ${tunnelMtu} leaves ${tunnelMtu - DETOUR_OVERHEAD_BYTES} bytes for node addresses; IPv6 needs ${MIN_NODE_MTU_BYTES}`,
    {
      fields: { tunnelMtuBytes: tunnelMtu, leastUnderlayMtuBytes: least },
      nextStep: `use an underlay with an MTU of at least ${least}`,
    },
  );
}

/** Interfaces of the default routes of either family, those in use first. `routes` must be of all tables. */
function defaultDevices({ routes }: KernelSnapshot): string[] {
  const defaults = routes.filter(
    (route) =>
      (route.prefix === '0.0.0.0/0' || route.prefix === '::/0') &&
      route.type === 1 &&
      route.table === 254 &&
      route.device !== null &&
      route.device !== 'lo' &&
      !OWN_DEVICES.includes(route.device),
  );
  return [...new Set(defaults.sort((a, b) => a.metric - b.metric).map((route) => route.device ?? ''))];
}

/**
 * MTU towards the rest of the mesh: the least of the default routes' interfaces, or without a default route that of
 * the widest interface with a usable address. Throws unreachable when there is none.
 */
export function underlayMtu(snapshot: KernelSnapshot): number {
  const up = snapshot.links.filter((link) => link.up && !link.loopback && !OWN_DEVICES.includes(link.name));
  const towardsDefault = defaultDevices(snapshot);
  const mtus = up.filter((link) => towardsDefault.includes(link.name)).map((link) => link.mtuBytes);
  if (mtus.length > 0) return Math.min(...mtus);
  const addressed = new Set(snapshot.addresses.filter((address) => address.global).map((address) => address.device));
  const others = up.filter((link) => addressed.has(link.name)).map((link) => link.mtuBytes);
  if (others.length > 0) return Math.max(...others);
  throw new ThalwegError('unreachable', 'this host has no interface that is up and has an address', {
    nextStep: 'bring the network up: ip address',
  });
}

/** Usable addresses, those of the default routes' interfaces first. `ranges`: the mesh's own, never an endpoint. */
export function underlayAddressList(snapshot: KernelSnapshot, ranges: DesiredOverlay['ranges'] | undefined): string[] {
  const towardsDefault = defaultDevices(snapshot);
  const rank = (device: string) => {
    const index = towardsDefault.indexOf(device);
    return index < 0 ? towardsDefault.length : index;
  };
  const up = new Set(snapshot.links.filter((link) => link.up && !link.loopback).map((link) => link.name));
  return snapshot.addresses
    .filter(
      (address) =>
        address.global &&
        !address.temporary &&
        up.has(address.device) &&
        !OWN_DEVICES.includes(address.device) &&
        !(ranges !== undefined && rangeOf(address.address, ranges) !== undefined),
    )
    .sort((a, b) => rank(a.device) - rank(b.device) || a.family - b.family)
    .map((address) => address.address);
}

/** The range of the mesh that meets a prefix or an address, or undefined. */
export function rangeOf(prefix: string, ranges: DesiredOverlay['ranges']): string | undefined {
  const text = prefix.includes('/') ? prefix : `${prefix}/${prefix.includes(':') ? 128 : 32}`;
  const own = parsePrefix(text);
  return Object.values(ranges).find((range) => {
    const parsed = parsePrefix(range);
    return own.ok && parsed.ok && prefixesOverlap(own.value, parsed.value);
  });
}
