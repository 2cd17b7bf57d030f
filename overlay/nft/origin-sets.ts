/**
 * Whose packets a peer may wrap. WireGuard vouches for the outer source of a detour's packet alone. A peer that forwards
 * for nobody can only wrap its own, so what it wraps is held against three sets:
 *
 *   ends    tunnel addresses of such peers
 *   own4    tunnel address . IPv4 source inside
 *   own6    tunnel address . IPv6 source inside
 *
 * A peer that forwards wraps everybody's: its own honesty is what the mesh relies on (docs/security.md).
 */
import { IPv4, IPv6 } from 'ip-num';
import type { NodeAddresses, OverlayPeer } from '../overlay-state.ts';

export type OriginSetName = 'ends' | 'own4' | 'own6';

/** Elements of each set, as `nft` takes them. */
export type OriginElements = Readonly<Record<OriginSetName, ReadonlySet<string>>>;

/**
 * The inner header begins after UDP (8 bytes) and VXLAN-GPE (8). Offsets in bits from the UDP header: the protocol inside (1:
 * IPv4, 2: IPv6; draft-ietf-nvo3-vxlan-gpe section 3.1), the source of an IPv4 and of an IPv6 header.
 */
export const INNER_PROTOCOL = '@th,88,8';
export const INNER_SOURCE_4 = '@th,224,32';
export const INNER_SOURCE_6 = '@th,192,128';

export const ORIGIN_SET_TYPES: Readonly<Record<OriginSetName, string>> = {
  ends: 'type ipv4_addr;',
  own4: `typeof ip saddr . ${INNER_SOURCE_4};`,
  own6: `typeof ip saddr . ${INNER_SOURCE_6};`,
};

/** Some peer forwards for nobody. */
export function hasEnds(peers: readonly OverlayPeer[]): boolean {
  return peers.some((peer) => peer.wrapsOnly !== null);
}

export function originElements(peers: readonly OverlayPeer[]): OriginElements {
  const ends = peers.flatMap((peer) => peer.wrapsOnly ?? []);
  const inner = (of: (end: NodeAddresses) => bigint) => new Set(ends.map((end) => originElement(end.tunnel, of(end))));
  return {
    ends: new Set(ends.map(({ tunnel }) => tunnel)),
    own4: inner(({ node4 }) => new IPv4(node4).getValue()),
    own6: inner(({ node6 }) => new IPv6(node6).getValue()),
  };
}

/** `outer . inner`, the inner address as a number: nft knows no type of what lies behind a bare offset. */
export function originElement(outer: string, inner: bigint): string {
  return `${outer} . 0x${inner.toString(16)}`;
}
