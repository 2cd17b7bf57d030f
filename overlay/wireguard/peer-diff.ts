/** Computes the arguments of `wg set` that make a device's peers agree with what is wanted. Pure. */
import { formatEndpoint } from '../../protocol/endpoint.ts';
import type { OverlayPeer } from '../overlay-state.ts';
import { canonicalPrefix } from '../route/kernel-snapshot.ts';
import type { WgPeer } from './wg-dump.ts';

/** Seconds. WireGuard's documentation: 25 keeps the mapping of nearly every NAT and stateful firewall. */
export const KEEPALIVE_S = 25;

/** Peers per `wg set`: 400 of about 200 bytes stay far under the 2 MiB that an argument vector may have. */
const PEERS_PER_CALL = 400;

export interface PeerDiff {
  /** Arguments after `wg set <device>`, one array per call, to be run in order. Removals come first: AllowedIPs are exclusive. */
  readonly calls: readonly (readonly string[])[];
  /** One line per peer that is added, changed or removed. */
  readonly changes: readonly string[];
}

export function computePeerDiff(wanted: readonly OverlayPeer[], held: readonly WgPeer[]): PeerDiff {
  const parts: string[][] = [];
  const changes: string[] = [];
  const wantedKeys = new Set(wanted.map((peer) => peer.publicKey));
  for (const peer of held) {
    if (wantedKeys.has(peer.publicKey)) continue;
    parts.push(['peer', peer.publicKey, 'remove']);
    changes.push(`wireguard peer remove ${label(peer.allowedIps)}`);
  }
  const heldByKey = new Map(held.map((peer) => [peer.publicKey, peer]));
  for (const peer of wanted) {
    const have = heldByKey.get(peer.publicKey);
    const allowed = peer.allowedIps.map(canonicalPrefix);
    const words: string[] = [];
    if (have === undefined || !sameSet(allowed, have.allowedIps)) words.push('allowed-ips', allowed.join(','));
    if (have?.keepaliveS !== KEEPALIVE_S) words.push('persistent-keepalive', String(KEEPALIVE_S));
    const endpoint = peer.endpoint === null ? null : formatEndpoint(peer.endpoint);
    const current = have?.endpoint == null ? null : formatEndpoint(have.endpoint);
    if (endpoint !== null && (current === null || (peer.forceEndpoint && current !== endpoint))) {
      words.push('endpoint', endpoint);
    }
    if (words.length === 0) continue;
    parts.push(['peer', peer.publicKey, ...words]);
    changes.push(`wireguard peer ${have === undefined ? 'add' : 'change'} ${label(allowed)}`);
  }
  const calls: string[][] = [];
  for (let i = 0; i < parts.length; i += PEERS_PER_CALL) calls.push(parts.slice(i, i + PEERS_PER_CALL).flat());
  return { calls, changes };
}

/** A peer is named by its first address: a key says nothing to a reader. */
function label(allowedIps: readonly string[]): string {
  return allowedIps[0] ?? 'without addresses';
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(a);
  return set.size === new Set(b).size && b.every((item) => set.has(item));
}
