/**
 * What the node lets in, as rules: for packets that came out of the mesh to this host itself. Nothing here is asked about
 * packets in transit, about what this host sends, or about other interfaces.
 *
 *   replies to what this host began, and ICMP errors of known connections
 *   the overlay's own, to the tunnel address: STAMP, detours, the sign of life of a kernel, echo requests
 *   what the policy allows, to the node addresses
 *   nothing else: dropped and counted
 *
 * Connections are tracked for that. A connection that somebody else opened is not let through for being established: each
 * of its packets is held against the rules, so that what a policy takes back ends at once. What only passes through
 * is not tracked: it would fill the table of a transit node.
 */
import { ALL_PORTS, type PortRange, type Service } from '../../protocol/service.ts';
import { detourDevices, TUNNEL_DEVICE } from '../overlay-names.ts';
import type { DesiredOverlay, OverlayPolicy } from '../overlay-state.ts';

/** Chains of a table with a policy; without hook: jumped to. */
export type PolicyChainName = 'admit' | 'rawin' | 'rawout';

/** Untracking comes before tracking (priority -200), at raw (-300). */
export const POLICY_CHAINS: Readonly<
  Record<PolicyChainName, { readonly hook: string; readonly priority: number } | null>
> = {
  admit: null,
  rawin: { hook: 'prerouting', priority: -300 },
  rawout: { hook: 'output', priority: -300 },
};

export interface PolicyChainRule {
  readonly chain: PolicyChainName;
  readonly expression: string;
}

interface Family {
  readonly ip: 'ip' | 'ip6';
  readonly icmp: 'icmp' | 'ipv6-icmp';
  readonly set: 'p4_' | 'p6_';
  /** Of all nodes. */
  readonly range: string;
}

export function policySetTypes(policy: OverlayPolicy | null): [string, string][] {
  return senderSets(policy).flatMap(({ name }): [string, string][] => [
    [`p4_${name}`, 'type ipv4_addr;'],
    [`p6_${name}`, 'type ipv6_addr;'],
  ]);
}

export function policyElements(policy: OverlayPolicy | null): [string, ReadonlySet<string>][] {
  return senderSets(policy).flatMap(({ name, node4, node6 }): [string, ReadonlySet<string>][] => [
    [`p4_${name}`, node4],
    [`p6_${name}`, node6],
  ]);
}

export function policyRules(desired: DesiredOverlay, policy: OverlayPolicy): PolicyChainRule[] {
  const { addresses, ranges, stampPort, uplink } = desired;
  const detours = detourDevices(uplink);
  const ports = `{ ${detours.map(({ port }) => port).join(', ')} }`;
  const arriving = `{ ${detours.map(({ device }) => `"${device}"`).join(', ')} }`;
  const families: readonly Family[] = [
    { ip: 'ip', icmp: 'icmp', set: 'p4_', range: ranges.node4 },
    { ip: 'ip6', icmp: 'ipv6-icmp', set: 'p6_', range: ranges.node6 },
  ];
  const accepted = policy.rules.flatMap(({ senders, services }) =>
    families.flatMap((family) => {
      const from = `${family.ip} saddr ${senders === null ? family.range : `@${family.set}${senders.name}`}`;
      return services.map((service) => `${from}${serviceMatch(service, family)} accept`);
    }),
  );
  const { tunnel, node4, node6 } = addresses;
  return [
    ...rules('rawin', [
      `iifname "${TUNNEL_DEVICE}" udp dport ${ports} notrack`,
      `iifname ${arriving} ip daddr != { ${tunnel}, ${node4} } notrack`,
      `iifname ${arriving} ip6 daddr != ${node6} notrack`,
    ]),
    ...rules('rawout', [`oifname "${TUNNEL_DEVICE}" udp dport ${ports} notrack`]),
    ...rules('admit', [
      'ct direction reply ct state established accept',
      'ct state related meta l4proto { icmp, ipv6-icmp } accept',
      `ip daddr ${tunnel} ip saddr ${ranges.tunnel} udp dport { ${stampPort}, ${detours.map(({ port }) => port).join(', ')} } accept`,
      `ip daddr ${tunnel} ip saddr ${ranges.tunnel} tcp dport ${stampPort} accept`,
      `ip daddr ${tunnel} ip saddr ${ranges.tunnel} icmp type echo-request accept`,
      `ip daddr != ${node4} counter drop`,
      `ip6 daddr != ${node6} counter drop`,
      ...accepted,
      'counter drop',
    ]),
  ];
}

function rules(chain: PolicyChainName, expressions: readonly string[]): PolicyChainRule[] {
  return expressions.map((expression) => ({ chain, expression }));
}

function senderSets(policy: OverlayPolicy | null) {
  const byName = new Map(
    (policy?.rules ?? []).flatMap(({ senders }) => (senders === null ? [] : [[senders.name, senders]])),
  );
  return [...byName.values()];
}

function serviceMatch({ protocol, ports }: Service, { icmp }: Family): string {
  if (protocol === 'any') return '';
  if (protocol === 'icmp') return ` meta l4proto ${icmp}`;
  const [only] = ports;
  if (ports.length === 1 && only !== undefined && isAll(only)) return ` meta l4proto ${protocol}`;
  return ` ${protocol} dport { ${ports.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(', ')} }`;
}

function isAll([first, last]: PortRange): boolean {
  return first === ALL_PORTS[0] && last === ALL_PORTS[1];
}
