/**
 * What a node's kernel should hold for the overlay, as one value. The agent builds it; `Overlay.apply` makes the
 * kernel agree, touching only what differs and only what is ours:
 *
 *   tw0                WireGuard; the node's three addresses; MTU
 *   twx-a, twx-b       VXLAN-GPE devices for detours (UDP 4790 and 4791); the tunnel address once more, for rp_filter
 *   table 8400         steered routes of packets this node sends (rule at preference 8400), the tunnel range by tw0,
 *                      and `unreachable` for node addresses without a route, so that none leaves unencrypted
 *   table 8401, 8402   transit routes of packets arriving on twx-a, twx-b (rules `iif twx-*` at preference 8398 and
 *                      8399, so before the one of table 8400); ends in a blackhole
 *   twx-l, table 8403  the uplink: from a leaf to its home (UDP 4792, rule at preference 8397), where there is one
 *   next hops, groups  ids 0x54480000 to 0x5448ffff, protocol 84
 *   nft table inet thalweg
 */
import type { HostPort } from '../protocol/endpoint.ts';
import type { PublicKey } from '../protocol/identifier.ts';
import type { RowPlane, TableKind } from '../protocol/route-table.ts';
import type { Service } from '../protocol/service.ts';

/** What one node is reached by: tunnel (IPv4), node4, node6; without prefix length. */
export interface NodeAddresses {
  readonly tunnel: string;
  readonly node4: string;
  readonly node6: string;
}

export interface OverlayPeer {
  readonly publicKey: PublicKey;
  /** Prefixes in CIDR notation: the peer's tunnel address and node addresses. Never change with routes. */
  readonly allowedIps: readonly string[];
  /**
   * Endpoint to set when the peer has none in the device or `forceEndpoint` is true; otherwise what WireGuard learned
   * by roaming stays.
   */
  readonly endpoint: HostPort | null;
  readonly forceEndpoint: boolean;
  /** Of a peer that forwards for nobody: what it wraps in a detour must come from it. Null: it may forward. */
  readonly wrapsOnly: NodeAddresses | null;
}

/** One next hop of a group. `direct`: plain WireGuard. `detour`: VXLAN-GPE on a plane to a neighbour's tunnel address. */
export type OverlayNextHop =
  | { readonly kind: 'direct'; readonly weight: number }
  | { readonly kind: 'detour'; readonly plane: RowPlane; readonly via: string; readonly weight: number };

/** A next hop, and whose failure it shares. */
export interface NeighbourHop {
  /** The neighbour's tunnel address. */
  readonly neighbour: string;
  readonly hop: OverlayNextHop;
}

/**
 * The one next hop of a route, and what to use in its place while that neighbour is down, best first. Routes with equal
 * values share one next-hop object in the kernel, so that one change of it repairs them all.
 */
export interface Standby {
  readonly primary: NeighbourHop;
  readonly backups: readonly NeighbourHop[];
}

export interface OverlayRoute {
  /** Which table: packets this node sends, or that arrive on a plane, or from a leaf. */
  readonly table: TableKind | 'uplink';
  /** IPv4 or IPv6 prefix in CIDR notation. */
  readonly prefix: string;
  readonly nextHops: readonly OverlayNextHop[];
  /** Where there is one, `nextHops` is what `standbyHop` makes of it. */
  readonly standby?: Standby;
}

/** Nodes by their node addresses, in canonical text. Equal names, equal meaning: a set keeps its name as members come and go. */
export interface PolicySenders {
  /** Hexadecimal digits. */
  readonly name: string;
  readonly node4: ReadonlySet<string>;
  readonly node6: ReadonlySet<string>;
}

/** What this host lets in from the mesh; everything else from there is dropped, but what the overlay itself needs. */
export interface OverlayPolicy {
  readonly rules: readonly {
    /** Null: every node of the mesh. */
    readonly senders: PolicySenders | null;
    readonly services: readonly Service[];
  }[];
}

export interface DesiredOverlay {
  readonly addresses: NodeAddresses;
  /** The ranges of the whole mesh, in CIDR notation. */
  readonly ranges: { readonly tunnel: string; readonly node4: string; readonly node6: string };
  readonly listenPort: number;
  /** MTU of tw0; node addresses get 36 bytes less. */
  readonly tunnelMtuBytes: number;
  readonly transit: boolean;
  /** This host is a leaf, or the home of leaves: it has the uplink's device, rule and table. */
  readonly uplink: boolean;
  /** UDP port of the STAMP reflector, let in on tw0. */
  readonly stampPort: number;
  readonly peers: readonly OverlayPeer[];
  readonly routes: readonly OverlayRoute[];
  /** Null: everything is let in. */
  readonly policy: OverlayPolicy | null;
}

export interface TrafficCount {
  readonly packets: number;
  readonly bytes: number;
}

/** What a peer's session looks like in the device. */
export interface PeerStatus {
  readonly publicKey: PublicKey;
  readonly endpoint: HostPort | null;
  /** Milliseconds since 1970; null: never. */
  readonly lastHandshakeAtMs: number | null;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** What `apply` did. Empty `changes`: the kernel agreed already. */
export interface ApplyReport {
  /** One line per change, e.g. `route replace 100.96.0.3/32 table 8400`. Never a key. */
  readonly changes: readonly string[];
}

/** Bytes sent to one node address since the counters were made. */
export interface DemandCounter {
  readonly address: string;
  readonly bytes: number;
  readonly packets: number;
}

/**
 * The overlay of one host. Implemented on the real kernel by `KernelOverlay`; a fake with the same state model is in
 * test/fake. All methods may throw ThalwegError: missing_program, missing_privilege, missing_kernel_feature,
 * command_failed, port_in_use, address_range_collision, mtu_too_small. After a throw the kernel may be partly changed;
 * a later `apply` of the same value completes it.
 */
export interface Overlay {
  /** Checks programs, privilege, kernel features, and that the ranges meet no foreign route or address. Changes nothing. */
  preflight(ranges: DesiredOverlay['ranges']): Promise<{ readonly wireguardBackend: 'kernel' | 'wireguard-go' }>;
  /** Makes the kernel hold `desired`. Idempotent. The private key is read from the file given at construction. */
  apply(desired: DesiredOverlay): Promise<ApplyReport>;
  /** The tunnel device takes the private key that the file holds now, and nothing else is looked at: packets wait. Idempotent. */
  takeKey(): Promise<void>;
  /**
   * Moves every route whose neighbour is down (tunnel addresses) to its standby, by changing next-hop objects alone: the
   * time does not depend on how many routes there are. The next `apply` is to want the same.
   */
  repair(down: ReadonlySet<string>): Promise<ApplyReport>;
  /** Sessions of tw0. */
  peerStatus(): Promise<readonly PeerStatus[]>;
  demandCounters(): Promise<readonly DemandCounter[]>;
  /** What the policy dropped since its rules were made; null: there is no policy. Begins anew when its rules change. */
  deniedTraffic(): Promise<TrafficCount | null>;
  /** MTU of the interface towards the default route or the widest underlay, in bytes. */
  underlayMtuBytes(): Promise<number>;
  /** This host's own underlay addresses (never overlay ones, loopback or link-local), usable as endpoints. */
  underlayAddresses(): Promise<readonly string[]>;
  /** Calls back, debounced, when something of ours in the kernel was changed by somebody (also by us), or the underlay did. */
  watch(onChange: () => void): { stop(): Promise<void> };
  /** Removes everything of ours, whatever its state. */
  remove(): Promise<ApplyReport>;
}
