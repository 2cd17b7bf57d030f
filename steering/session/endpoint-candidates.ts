/**
 * Under which underlay addresses a node may be reached, best first: what it reported and the address from which the
 * core sees its session (its NAT's outside, when there is one). Pure.
 */
import { type AddressPlan, type Prefix, parsePrefix } from '../../protocol/address-plan.ts';
import { addressToBytes, formatEndpoint, type HostPort } from '../../protocol/endpoint.ts';
import { MAX_ENDPOINTS } from '../../protocol/frame-codec.ts';

/** Addresses under which nobody else can reach a host: unspecified, loopback, link-local, multicast, broadcast. */
const UNUSABLE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'];

/** Tells which addresses can be candidates; made once per address plan. */
export class EndpointFilter {
  readonly #excluded: readonly Prefix[];

  /** Overlay ranges are excluded: a tunnel that runs through itself looks up and carries nothing. */
  constructor(plan: AddressPlan) {
    this.#excluded = [...UNUSABLE, plan.tunnel, plan.node4, plan.node6].flatMap((text) => {
      const prefix = parsePrefix(text);
      return prefix.ok ? [prefix.value] : [];
    });
  }

  usable(address: string): boolean {
    const bytes = addressToBytes(address);
    const family = bytes.length === 4 ? 4 : 6;
    const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return !this.#excluded.some(
      (p) => p.family === family && value >> BigInt(p.bits - p.length) === p.base >> BigInt(p.bits - p.length),
    );
  }

  /**
   * `reported` in the node's order, with the reflexive address first when the node does not have it itself (so there
   * is a NAT between); without duplicates and unusable addresses, at most MAX_ENDPOINTS.
   */
  candidates(reported: readonly HostPort[], remoteAddress: string | null, listenPort: number): HostPort[] {
    const own = reported.filter(({ address }) => this.usable(address));
    const behindNat =
      remoteAddress !== null && this.usable(remoteAddress) && !own.some(({ address }) => address === remoteAddress);
    const all = behindNat ? [{ address: remoteAddress, port: listenPort }, ...own] : own;
    const unique = new Map(all.map((endpoint) => [formatEndpoint(endpoint), endpoint]));
    return [...unique.values()].slice(0, MAX_ENDPOINTS);
  }
}

/** A socket's remote address as we write addresses: IPv4 out of its IPv6-mapped form, no zone. */
export function plainAddress(remote: string | undefined): string | null {
  if (remote === undefined) return null;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remote);
  return mapped?.[1] ?? remote.replace(/%.*$/, '');
}
