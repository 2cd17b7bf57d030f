/**
 * The three ranges from which every node's addresses follow: base + index.
 *
 *   tunnel  where a node is always reached directly, over its own WireGuard session (probes, encapsulated packets)
 *   node4   what applications use, IPv4; steering moves it
 *   node6   what applications use, IPv6; steering moves it
 *
 * The defaults share the CGNAT block (RFC 6598) in two halves-of-halves and a locally assigned ULA (RFC 4193).
 */
import { IPv4, IPv4CidrRange, IPv6, IPv6CidrRange } from 'ip-num';
import type { Parsed } from './error.ts';
import { MAX_NODE_INDEX, type NodeIndex } from './identifier.ts';

export interface AddressPlan {
  /** IPv4 prefix, e.g. `100.112.0.0/12`. */
  readonly tunnel: string;
  /** IPv4 prefix, e.g. `100.96.0.0/12`. */
  readonly node4: string;
  /** IPv6 prefix, e.g. `fd74:6861:6c77::/64`. */
  readonly node6: string;
}

export const DEFAULT_ADDRESS_PLAN: AddressPlan = {
  tunnel: '100.112.0.0/12',
  node4: '100.96.0.0/12',
  node6: 'fd74:6861:6c77::/64',
};

/** An address plan that has been checked, with arithmetic. */
export class AddressRanges {
  readonly plan: AddressPlan;
  /** Largest index that has an address in all three ranges. */
  readonly maxIndex: number;
  readonly #tunnelBase: number;
  readonly #node4Base: number;
  readonly #node6Base: bigint;

  private constructor(plan: AddressPlan, maxIndex: number, tunnelBase: number, node4Base: number, node6Base: bigint) {
    this.plan = plan;
    this.maxIndex = maxIndex;
    this.#tunnelBase = tunnelBase;
    this.#node4Base = node4Base;
    this.#node6Base = node6Base;
  }

  /** Checks that the three prefixes are well formed, aligned, large enough (at least 2 nodes) and do not overlap. */
  static parse(plan: AddressPlan): Parsed<AddressRanges> {
    const tunnel = parsePrefix(plan.tunnel);
    if (!tunnel.ok || tunnel.value.family !== 4)
      return { ok: false, reason: `tunnel range: ${reason(tunnel, 'IPv4')}` };
    const node4 = parsePrefix(plan.node4);
    if (!node4.ok || node4.value.family !== 4) return { ok: false, reason: `node4 range: ${reason(node4, 'IPv4')}` };
    const node6 = parsePrefix(plan.node6);
    if (!node6.ok || node6.value.family !== 6) return { ok: false, reason: `node6 range: ${reason(node6, 'IPv6')}` };
    if (prefixesOverlap(tunnel.value, node4.value)) {
      return { ok: false, reason: `tunnel range ${plan.tunnel} and node4 range ${plan.node4} overlap` };
    }
    for (const [field, prefix] of [
      ['tunnel', tunnel.value],
      ['node4', node4.value],
      ['node6', node6.value],
    ] as const) {
      if (prefix.bits - prefix.length < 2) return { ok: false, reason: `${field} range ${prefix.text} is too small` };
    }
    const hostBits = Math.min(...[tunnel.value, node4.value, node6.value].map((p) => p.bits - p.length));
    const maxIndex = Math.min(2 ** Math.min(hostBits, 32) - 2, MAX_NODE_INDEX);
    const ranges = new AddressRanges(
      plan,
      maxIndex,
      Number(tunnel.value.base),
      Number(node4.value.base),
      node6.value.base,
    );
    return { ok: true, value: ranges };
  }

  /** `100.112.0.7` for index 7. */
  tunnelAddress(index: NodeIndex): string {
    return formatIPv4(this.#tunnelBase + index);
  }

  node4Address(index: NodeIndex): string {
    return formatIPv4(this.#node4Base + index);
  }

  /** Canonical text (RFC 5952), as `ip` prints it. */
  node6Address(index: NodeIndex): string {
    return formatIPv6(this.#node6Base + BigInt(index));
  }

  /** The index whose node address this is, IPv4 or IPv6 in any spelling; undefined: nobody's in these ranges. */
  indexOfNodeAddress(address: string): number | undefined {
    try {
      const offset = address.includes(':')
        ? new IPv6(address).getValue() - this.#node6Base
        : new IPv4(address).getValue() - BigInt(this.#node4Base);
      return offset >= 1n && offset <= BigInt(this.maxIndex) ? Number(offset) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Prefixes of an aligned block of 2^blockBits nodes, IPv4 and IPv6. blockBits 0: the /32 and /128 of one node. */
  nodePrefixes(index: number, blockBits = 0): readonly [string, string] {
    return [
      `${formatIPv4(this.#node4Base + index)}/${32 - blockBits}`,
      `${formatIPv6(this.#node6Base + BigInt(index))}/${128 - blockBits}`,
    ];
  }
}

/** A prefix taken apart. `base` has no host bits. */
export interface Prefix {
  readonly family: 4 | 6;
  readonly bits: 32 | 128;
  readonly base: bigint;
  readonly length: number;
  readonly text: string;
}

/** Parses CIDR notation of either family; refuses host bits that are set, so that a typo is not silently rounded. */
export function parsePrefix(text: string): Parsed<Prefix> {
  const slash = text.indexOf('/');
  if (slash < 0 || text.length > 49) return { ok: false, reason: `${text.slice(0, 60)} is not in CIDR notation` };
  const family = text.includes(':') ? 6 : 4;
  const bits = family === 4 ? 32 : 128;
  const lengthText = text.slice(slash + 1);
  const length = /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : -1;
  if (length < 0 || length > bits) return { ok: false, reason: `${text}: the prefix length is not 0 to ${bits}` };
  try {
    const range = family === 4 ? IPv4CidrRange.fromCidr(text) : IPv6CidrRange.fromCidr(text);
    const base = range.getFirst().getValue();
    const address = family === 4 ? new IPv4(text.slice(0, slash)) : new IPv6(text.slice(0, slash));
    if (address.getValue() !== base) {
      return { ok: false, reason: `${text} has host bits set; did you mean ${formatPrefix(family, base, length)}?` };
    }
    return { ok: true, value: { family, bits, base, length, text: formatPrefix(family, base, length) } };
  } catch {
    return { ok: false, reason: `${text} is not a valid IPv${family} prefix` };
  }
}

/** True when one of the two contains the other. Different families never overlap. */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  if (a.family !== b.family) return false;
  const shift = BigInt(a.bits - Math.min(a.length, b.length));
  return a.base >> shift === b.base >> shift;
}

function formatPrefix(family: 4 | 6, base: bigint, length: number): string {
  return `${family === 4 ? formatIPv4(Number(base)) : formatIPv6(base)}/${length}`;
}

function formatIPv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`. */
export function formatIPv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}

function reason(parsed: Parsed<Prefix>, wanted: string): string {
  return parsed.ok ? `${parsed.value.text} is not ${wanted}` : parsed.reason;
}
