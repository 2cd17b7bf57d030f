/** Names and numbers of everything of ours in a kernel: what is recognised as ours, and nothing else is. */
import type { RowPlane } from '../protocol/route-table.ts';

/** The WireGuard device. */
export const TUNNEL_DEVICE = 'tw0';

export interface DetourDevice {
  readonly device: string;
  readonly port: number;
}

/** VXLAN-GPE device of each plane (IANA gives 4790 to VXLAN-GPE; the others are ours alone inside the tunnel). */
export const PLANE_DEVICES: Readonly<Record<RowPlane, DetourDevice>> = {
  a: { device: 'twx-a', port: 4790 },
  b: { device: 'twx-b', port: 4791 },
  uplink: { device: 'twx-l', port: 4792 },
};

/** Devices that a host has: the uplink between leaves and their homes only where there is one of them. */
export function detourDevices(uplink: boolean): readonly DetourDevice[] {
  const { a, b, uplink: leaf } = PLANE_DEVICES;
  return uplink ? [a, b, leaf] : [a, b];
}

/** Every name that is ours, whether or not the host needs it now. */
export const OWN_DEVICES: readonly string[] = [TUNNEL_DEVICE, ...detourDevices(true).map(({ device }) => device)];

/** Tables: routes of packets this node sends, and of packets that arrived on plane a, on plane b, from a leaf. */
export const TABLE_NUMBERS = { source: 8400, transitA: 8401, transitB: 8402, uplink: 8403 } as const;

/**
 * A rule of ours, lowest preference first. A rule without `iif` matches forwarded packets too, so those of the planes stand
 * before it: what arrived encapsulated must never be looked up among the routes of this node's own packets.
 */
export interface OwnRule {
  readonly preference: number;
  readonly iif: string | null;
  readonly table: number;
}

const PLANE_RULES: readonly OwnRule[] = [
  { preference: 8398, iif: PLANE_DEVICES.a.device, table: TABLE_NUMBERS.transitA },
  { preference: 8399, iif: PLANE_DEVICES.b.device, table: TABLE_NUMBERS.transitB },
  { preference: 8400, iif: null, table: TABLE_NUMBERS.source },
];

const UPLINK_RULE: OwnRule = { preference: 8397, iif: PLANE_DEVICES.uplink.device, table: TABLE_NUMBERS.uplink };

export function ownRules(uplink: boolean): readonly OwnRule[] {
  return uplink ? [UPLINK_RULE, ...PLANE_RULES] : PLANE_RULES;
}

/** Routing protocol number of our routes, rules and next hops ('T'); free in iproute2's rt_protos. */
export const ROUTE_PROTOCOL = 84;

/** Ids of next-hop objects and groups: 'TH' in the upper half. */
export const NEXT_HOP_ID_FIRST = 0x54480000;
export const NEXT_HOP_ID_COUNT = 0x10000;

/** VXLAN network identifier on every plane: the port tells the planes apart. */
export const VXLAN_VNI = 1;

/** Outer IPv4 (20), UDP (8) and VXLAN-GPE (8) headers of a detour. */
export const DETOUR_OVERHEAD_BYTES = 36;

/** IPv6 (40), UDP (8), WireGuard's data header (16) and tag (16): fits either underlay family. */
export const TUNNEL_OVERHEAD_BYTES = 80;

/** Least MTU of a link that carries IPv6 (RFC 8200 section 5). */
export const MIN_NODE_MTU_BYTES = 1280;

/** Table name in nftables, family inet. */
export const NFT_TABLE = 'thalweg';

/**
 * Groups hold 256 buckets, each with a next hop: as fine as the weights. After a change of weights a bucket moves once no packet has met it
 * for 1 s (a flow that pauses longer than any path is long is not reordered by moving), and after 5 s those that are
 * still too many move all the same: load that has to go somewhere else cannot wait for flows to end. Seconds.
 */
export const GROUP_TYPE = 'type resilient buckets 256 idle_timer 1 unbalanced_timer 5';
