/**
 * Numbers and names of the peers' tunnels: one plain WireGuard tunnel per link, every pair of hosts. Pure.
 *
 *   host n (from 1)        node address 100.64.0.n/32 on lo
 *   link of hosts i < j    198.19.x.y/31: the even address is i's; UDP port 52000 + link number at both ends
 *   interface              w-<peer>, with link-local fe80::n
 *
 * Each interface has one peer, which may send anything (AllowedIPs 0.0.0.0/0, ::/0): so multicast reaches it, and routing
 * alone decides.
 */
import { ThalwegError } from '../../protocol/error.ts';

const FIRST_PORT = 52_000;
/** Each host runs a process per tunnel: 32 hosts are a thousand of them already. */
const MAX_HOSTS = 32;
/** The kernel's 15 characters of an interface name, less `w-`. */
const MAX_NAME = 13;

export interface Tunnel {
  readonly peer: string;
  readonly interface: string;
  readonly port: number;
  /** Own address on the tunnel, as `address/31`. */
  readonly linkAddress: string;
}

export interface TunnelHost {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly address: string;
  readonly tunnels: readonly Tunnel[];
}

/** Throws invalid_argument for fewer than two or too many hosts, and for a name that no interface can bear. */
export function planTunnels(hosts: readonly string[]): TunnelHost[] {
  if (hosts.length < 2 || hosts.length > MAX_HOSTS) {
    throw new ThalwegError('invalid_argument', `${hosts.length} hosts: the peers run on 2 to ${MAX_HOSTS}`);
  }
  for (const name of hosts) {
    if (name.length > MAX_NAME)
      throw new ThalwegError('invalid_argument', `host name ${name} is longer than ${MAX_NAME}`);
  }
  return hosts.map((name, i) => ({
    name,
    number: i + 1,
    address: `100.64.0.${i + 1}`,
    tunnels: hosts.flatMap((peer, j) => (j === i ? [] : [tunnelTo(peer, i, j, hosts.length)])),
  }));
}

function tunnelTo(peer: string, own: number, other: number, count: number): Tunnel {
  const [low, high] = [Math.min(own, other), Math.max(own, other)];
  // pairs before (low, high) in the order (0,1), (0,2), ..., (1,2), ...
  const link = low * count - (low * (low + 1)) / 2 + (high - low - 1);
  const even = 2 * link;
  const last = even + (own === low ? 0 : 1);
  return {
    peer,
    interface: `w-${peer}`,
    port: FIRST_PORT + link,
    linkAddress: `198.19.${last >> 8}.${last & 255}/31`,
  };
}

/** What `wg setconf` reads. */
export function wireGuardConfig(tunnel: Tunnel, privateKey: string, publicKey: string, endpoint: string): string {
  return [
    '[Interface]',
    `PrivateKey = ${privateKey}`,
    `ListenPort = ${tunnel.port}`,
    '[Peer]',
    `PublicKey = ${publicKey}`,
    `Endpoint = ${endpoint}:${tunnel.port}`,
    'AllowedIPs = 0.0.0.0/0, ::/0',
    '',
  ].join('\n');
}
