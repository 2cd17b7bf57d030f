/** Names and numbers of everything of ours in a kernel: what is recognised as ours, and nothing else is. */
import type { PlaneName } from '../protocol/route-table.ts';

/** The WireGuard device. */
export const TUNNEL_DEVICE = 'tw0';

/** VXLAN-GPE device of each plane (IANA gives 4790 to VXLAN-GPE; 4791 is ours alone inside the tunnel). */
export const PLANE_DEVICES: Readonly<Record<PlaneName, { readonly device: string; readonly port: number }>> = {
  a: { device: 'twx-a', port: 4790 },
  b: { device: 'twx-b', port: 4791 },
};

export const OWN_DEVICES: readonly string[] = [TUNNEL_DEVICE, PLANE_DEVICES.a.device, PLANE_DEVICES.b.device];

/** Tables: routes of packets this node sends, and of packets that arrived on plane a and plane b. */
export const TABLE_NUMBERS = { source: 8400, transitA: 8401, transitB: 8402 } as const;

/**
 * Rules, lowest preference first. A rule without `iif` matches forwarded packets too, so those of the planes stand
 * before it: what arrived encapsulated must never be looked up among the routes of this node's own packets.
 */
export const OWN_RULES: readonly {
  readonly preference: number;
  readonly iif: string | null;
  readonly table: number;
}[] = [
  { preference: 8398, iif: PLANE_DEVICES.a.device, table: TABLE_NUMBERS.transitA },
  { preference: 8399, iif: PLANE_DEVICES.b.device, table: TABLE_NUMBERS.transitB },
  { preference: 8400, iif: null, table: TABLE_NUMBERS.source },
];

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
