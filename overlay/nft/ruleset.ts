/**
 * The one nft table, as text for `nft -f -`: one transaction that replaces the table whole.
 *
 *   input        VXLAN only out of the tunnel, and from peers that forward for nobody only their own packets inside; the
 *                tunnel address only over the tunnel; no redirects
 *   forward      plane or uplink to plane on a transit node; nothing else into, out of or through the overlay
 *   output       no redirects
 *   postrouting  TCP MSS; bytes and packets per node address (demand4, demand6)
 *   admit        with a policy: what the mesh may open here; input jumps to it (policy-rules.ts)
 */
import { createHash } from 'node:crypto';
import { detourDevices, NFT_TABLE, TUNNEL_DEVICE } from '../overlay-names.ts';
import type { DesiredOverlay } from '../overlay-state.ts';
import { filterSets, filterSetTypes, setScript } from './filter-sets.ts';
import { hasEnds, INNER_PROTOCOL, INNER_SOURCE_4, INNER_SOURCE_6 } from './origin-sets.ts';
import { POLICY_CHAINS, type PolicyChainName, policyRules } from './policy-rules.ts';

export interface NftRule {
  readonly chain: NftChainName | PolicyChainName;
  readonly expression: string;
}

export type NftChainName = 'input' | 'forward' | 'output' | 'postrouting';

/** Hook and priority of each chain. Postrouting runs before a host's masquerading (srcnat, 100). */
export const NFT_CHAINS: Readonly<Record<NftChainName, { readonly hook: string; readonly priority: number }>> = {
  input: { hook: 'input', priority: 0 },
  forward: { hook: 'forward', priority: 0 },
  output: { hook: 'output', priority: 0 },
  postrouting: { hook: 'postrouting', priority: -150 },
};

/** Elements per demand set: over the 10,000 nodes of one mesh, and 65,536 counters are about 10 MB of kernel memory. */
const DEMAND_SET_SIZE = 65_536;

export interface NftChain {
  readonly name: string;
  /** Null: it is jumped to. */
  readonly base: { readonly hook: string; readonly priority: number } | null;
  /** Comments that the rules carry, in order: what a kernel that holds this table lists. */
  readonly comments: readonly string[];
}

export interface NftRuleset {
  /** Script for `nft -f -`. */
  readonly script: string;
  readonly chains: readonly NftChain[];
  /** Names of the sets. */
  readonly sets: readonly string[];
}

export function renderRuleset(desired: DesiredOverlay): NftRuleset {
  const rules = ruleList(desired);
  const mark = markOf(rules);
  // What is jumped to stands before who jumps.
  const named = { ...(desired.policy === null ? {} : POLICY_CHAINS), ...NFT_CHAINS };
  const lines: string[] = [];
  const chains = Object.entries(named).map(([name, base]): NftChain => {
    const own = rules.filter((rule) => rule.chain === name);
    const comments = own.map((_, index) => `${mark} ${index}`);
    lines.push(`  chain ${name} {`);
    if (base !== null) lines.push(`    type filter hook ${base.hook} priority ${base.priority}; policy accept;`);
    own.forEach(({ expression }, index) => {
      lines.push(`    ${expression} comment "${comments[index]}"`);
    });
    lines.push('  }');
    return { name, base, comments };
  });
  const sets = new Map([
    ['demand4', `type ipv4_addr; size ${DEMAND_SET_SIZE}; flags dynamic; counter;`],
    ['demand6', `type ipv6_addr; size ${DEMAND_SET_SIZE}; flags dynamic; counter;`],
    ...filterSetTypes(desired),
  ]);
  // `add` so that `delete` finds a table also the first time.
  const script = [
    `add table inet ${NFT_TABLE}`,
    `delete table inet ${NFT_TABLE}`,
    `table inet ${NFT_TABLE} {`,
    ...[...sets].map(([name, type]) => `  set ${name} { ${type} }`),
    ...lines,
    '}',
    ...setScript(new Map(), filterSets(desired)),
    '',
  ].join('\n');
  return { script, chains, sets: [...sets.keys()] };
}

/** True when both have the same rules, and so the same sets, whatever is in these. */
export function sameRules(a: DesiredOverlay, b: DesiredOverlay): boolean {
  return markOf(ruleList(a)) === markOf(ruleList(b));
}

function markOf(rules: readonly NftRule[]): string {
  return createHash('sha256').update(JSON.stringify(rules)).digest('hex').slice(0, 12);
}

/** Removes the table, also where there is none. */
export const REMOVE_SCRIPT = `add table inet ${NFT_TABLE}\ndelete table inet ${NFT_TABLE}\n`;

/** Each rule asks first what few packets answer: comparing an interface's name is the dearest question. */
function ruleList(desired: DesiredOverlay): NftRule[] {
  const { addresses, ranges, transit, uplink, stampPort, peers, policy } = desired;
  const detours = detourDevices(uplink);
  const own = interfaces([TUNNEL_DEVICE, ...detours.map(({ device }) => device)]);
  const planes = interfaces(detourDevices(false).map(({ device }) => device));
  const arriving = interfaces(detours.map(({ device }) => device));
  const ports = detours.map(({ port }) => port).join(', ');
  const rules: NftRule[] = [
    { chain: 'input', expression: `udp dport { ${ports} } iifname != "${TUNNEL_DEVICE}" counter drop` },
    ...(hasEnds(peers) ? originRules(`udp dport { ${ports} }`) : []).map(
      (expression): NftRule => ({ chain: 'input', expression }),
    ),
    // A neighbour on the underlay could otherwise reach what listens on the tunnel address (weak host model, RFC 1122).
    {
      chain: 'input',
      expression: `ip daddr ${addresses.tunnel} iifname != { "lo", "${TUNNEL_DEVICE}" } counter drop`,
    },
    {
      chain: 'input',
      expression: `ip daddr ${addresses.tunnel} udp dport ${stampPort} iifname "${TUNNEL_DEVICE}" accept`,
    },
  ];
  // A redirect would plant a cached exception that outlives the route. The sysctl is or-ed with the one of `all`,
  // which is not ours to change.
  for (const [chain, direction] of [
    ['input', 'iifname'],
    ['output', 'oifname'],
  ] as const) {
    rules.push({ chain, expression: `icmp type redirect ${direction} ${own} drop` });
    rules.push({ chain, expression: `icmpv6 type nd-redirect ${direction} ${own} drop` });
  }
  if (policy !== null) {
    rules.push({ chain: 'input', expression: `iifname ${own} jump admit` });
    rules.push(...policyRules(desired, policy));
  }
  if (transit) rules.push({ chain: 'forward', expression: `iifname ${arriving} oifname ${planes} accept` });
  rules.push({ chain: 'forward', expression: `iifname ${own} counter drop` });
  rules.push({ chain: 'forward', expression: `oifname ${own} counter drop` });
  rules.push({
    chain: 'postrouting',
    expression: `tcp flags syn / syn,rst oifname ${own} tcp option maxseg size set rt mtu`,
  });
  // Only what this node sends itself: the outer packets have tunnel addresses, and forwarded ones another source.
  rules.push({
    chain: 'postrouting',
    expression: `ip saddr ${addresses.node4} ip daddr ${ranges.node4} oifname ${own} update @demand4 { ip daddr }`,
  });
  rules.push({
    chain: 'postrouting',
    expression: `ip6 saddr ${addresses.node6} ip6 daddr ${ranges.node6} oifname ${own} update @demand6 { ip6 daddr }`,
  });
  return rules;
}

/** For what came wrapped out of the tunnel: from peers that forward for nobody only what is their own. */
function originRules(wrapped: string): string[] {
  return [
    `${wrapped} ip saddr != @ends accept`,
    `${wrapped} ${INNER_PROTOCOL} 1 ip saddr . ${INNER_SOURCE_4} @own4 accept`,
    `${wrapped} ${INNER_PROTOCOL} 2 ip saddr . ${INNER_SOURCE_6} @own6 accept`,
    `${wrapped} counter drop`,
  ];
}

function interfaces(names: readonly string[]): string {
  return `{ ${names.map((name) => `"${name}"`).join(', ')} }`;
}
