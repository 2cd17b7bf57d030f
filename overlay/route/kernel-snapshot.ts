/** What a kernel holds, as `ip -j` says it, taken apart. Pure: text in, values out. */

import { IPv6 } from 'ip-num';
import { LRUCache } from 'lru-cache';
import { formatIPv6 } from '../../protocol/address-plan.ts';
import type { Parsed } from '../../protocol/error.ts';

export type Family = 4 | 6;

export interface KernelLink {
  readonly name: string;
  readonly mtuBytes: number;
  /** Packets that wait for who takes them; 0: the device has no such queue. */
  readonly queuePackets: number;
  readonly up: boolean;
  readonly loopback: boolean;
  /** `wireguard`, `tun`, `vxlan`, ...; null: a physical device. */
  readonly kind: string | null;
  readonly vxlan: { readonly port: number; readonly external: boolean; readonly gpe: boolean } | null;
}

export interface KernelAddress {
  readonly device: string;
  readonly family: Family;
  readonly address: string;
  readonly prefixLength: number;
  /** Scope `global` (0), and usable: neither tentative, failed nor deprecated. */
  readonly global: boolean;
  /** A temporary address (RFC 8981): good for going out, not for being found. */
  readonly temporary: boolean;
}

export interface KernelRule {
  readonly family: Family;
  readonly preference: number;
  readonly iif: string | null;
  readonly table: number;
  readonly protocol: number | null;
}

export interface KernelNextHop {
  readonly id: number;
  readonly protocol: number;
  /** Null for a group. */
  readonly family: Family | null;
  readonly device: string | null;
  /** Outer destination of an encapsulated one. */
  readonly outerDst: string | null;
  readonly members: readonly { readonly id: number; readonly weight: number }[] | null;
  /** A group of buckets, which keeps flows where they are when its weights change. */
  readonly resilient: boolean;
}

export interface KernelRoute {
  readonly family: Family;
  readonly table: number;
  /** CIDR notation. */
  readonly prefix: string;
  /** RTN_* of linux/rtnetlink.h: 1 unicast, 6 blackhole, 7 unreachable. */
  readonly type: number;
  readonly nextHopId: number | null;
  readonly device: string | null;
  readonly source: string | null;
  readonly mtuBytes: number | null;
  readonly metric: number;
}

export interface KernelSnapshot {
  readonly links: readonly KernelLink[];
  readonly addresses: readonly KernelAddress[];
  readonly rules: readonly KernelRule[];
  readonly nextHops: readonly KernelNextHop[];
  readonly routes: readonly KernelRoute[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The arrays that `ip -j -batch` prints one after the other, one per command. iproute2 prints the encapsulation's `id`,
 * `src` and `dst` beside the object's own keys of the same names; they are renamed before JSON would drop one of two.
 */
export function parseIpBatch(text: string, count: number): Parsed<readonly (readonly Json[])[]> {
  const arrays: (readonly Json[])[] = [];
  const renamed = text.replace(
    /"encap":"ip6?","id":(\d+),"src":"[^"]*","dst":"([^"]*)"/g,
    '"encap":"ip","vni":$1,"outer_dst":"$2"',
  );
  for (const line of renamed.split('\n')) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return { ok: false, reason: `ip printed what is not JSON: ${line.slice(0, 80)}` };
    }
    if (!Array.isArray(value)) return { ok: false, reason: 'ip printed JSON that is not an array' };
    // A filter that matches nothing leaves empty objects in some commands' output.
    arrays.push(value.filter((item): item is Json => isJson(item) && Object.keys(item).length > 0));
  }
  if (arrays.length !== count) return { ok: false, reason: `ip printed ${arrays.length} arrays, not ${count}` };
  return { ok: true, value: arrays };
}

/** `ip -j -d -N link show`. */
export function parseLinks(items: readonly Json[]): Parsed<readonly KernelLink[]> {
  return parseEach(items, 'link', (item) => {
    const name = text(item['ifname']);
    const mtuBytes = integer(item['mtu']);
    const flags = strings(item['flags']);
    if (name === undefined || mtuBytes === undefined || flags === undefined) return undefined;
    const info = isJson(item['linkinfo']) ? item['linkinfo'] : {};
    const kind = text(info['info_kind']) ?? null;
    const data = isJson(info['info_data']) ? info['info_data'] : {};
    const vxlan =
      kind === 'vxlan'
        ? { port: integer(data['port']) ?? 0, external: data['external'] === true, gpe: data['gpe'] === true }
        : null;
    const queuePackets = integer(item['txqlen']) ?? 0;
    return {
      name,
      mtuBytes,
      queuePackets,
      up: flags.includes('UP'),
      loopback: flags.includes('LOOPBACK'),
      kind,
      vxlan,
    };
  });
}

/** `ip -j -N address show`. */
export function parseAddresses(items: readonly Json[]): Parsed<readonly KernelAddress[]> {
  const found: KernelAddress[] = [];
  for (const item of items) {
    const device = text(item['ifname']);
    if (device === undefined) return { ok: false, reason: `an address entry without ifname` };
    if (!Array.isArray(item['addr_info'])) continue;
    for (const entry of item['addr_info'] as unknown[]) {
      if (!isJson(entry)) continue;
      const family = entry['family'] === 'inet' ? 4 : entry['family'] === 'inet6' ? 6 : undefined;
      const address = text(entry['local']);
      const prefixLength = integer(entry['prefixlen']);
      if (family === undefined || address === undefined || prefixLength === undefined) continue;
      const usable = !['tentative', 'dadfailed', 'deprecated'].some((flag) => flag in entry);
      found.push({
        device,
        family,
        address,
        prefixLength,
        global: (entry['scope'] === '0' || entry['scope'] === 'global') && usable,
        temporary: 'temporary' in entry,
      });
    }
  }
  return { ok: true, value: found };
}

/** `ip -j -N rule show` of one family. */
export function parseRules(items: readonly Json[], family: Family): Parsed<readonly KernelRule[]> {
  return parseEach(items, 'rule', (item) => {
    const preference = integer(item['priority']);
    if (preference === undefined) return undefined;
    const table = numeric(item['table']) ?? 0;
    return { family, preference, iif: text(item['iif']) ?? null, table, protocol: numeric(item['protocol']) ?? null };
  });
}

/** `ip -j -N nexthop show` of all families; `sixIds` are those that `ip -6` listed. */
export function parseNextHops(items: readonly Json[], sixIds: ReadonlySet<number>): Parsed<readonly KernelNextHop[]> {
  return parseEach(items, 'nexthop', (item) => {
    const id = integer(item['id']);
    if (id === undefined) return undefined;
    let members: { id: number; weight: number }[] | null = null;
    if (Array.isArray(item['group'])) {
      members = [];
      for (const member of item['group'] as unknown[]) {
        const memberId = isJson(member) ? integer(member['id']) : undefined;
        if (!isJson(member) || memberId === undefined) return undefined;
        members.push({ id: memberId, weight: integer(member['weight']) ?? 1 });
      }
    }
    return {
      id,
      protocol: numeric(item['protocol']) ?? 0,
      family: members !== null ? null : sixIds.has(id) ? 6 : 4,
      device: text(item['dev']) ?? null,
      outerDst: text(item['outer_dst']) ?? null,
      members,
      resilient: item['type'] === 'resilient',
    };
  });
}

/** `ip -j -N route show table all`: both families. */
export function parseRoutes(items: readonly Json[]): Parsed<readonly KernelRoute[]> {
  return parseEach(items, 'route', (item) => {
    const dst = text(item['dst']);
    if (dst === undefined) return undefined;
    // IPv6 entries always carry `pref` or a metric; a default route has no colon to tell the family by.
    const family: Family = dst.includes(':') || (dst === 'default' && 'pref' in item) ? 6 : 4;
    const prefix = dst === 'default' ? (family === 4 ? '0.0.0.0/0' : '::/0') : canonicalPrefix(dst);
    const metrics = Array.isArray(item['metrics']) ? (item['metrics'] as unknown[])[0] : undefined;
    return {
      family,
      table: numeric(item['table']) ?? 254,
      prefix,
      type: numeric(item['type']) ?? 1,
      nextHopId: integer(item['nhid']) ?? null,
      device: text(item['dev']) ?? null,
      source: text(item['prefsrc']) ?? null,
      mtuBytes: (isJson(metrics) ? integer(metrics['mtu']) : undefined) ?? null,
      metric: integer(item['metric']) ?? 0,
    };
  });
}

/** The text that `ip` and `wg` would print for a prefix, with its length. Text that is no address is returned as it is. */
export function canonicalPrefix(prefix: string): string {
  const [address = '', length] = prefix.split('/');
  if (!address.includes(':')) return `${address}/${length ?? '32'}`;
  return `${canonicalAddress(address)}/${length ?? '128'}`;
}

export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const known = CANONICAL.get(address);
  if (known !== undefined) return known;
  const canonical = canonicalIPv6(address);
  CANONICAL.set(address, canonical);
  return canonical;
}

function canonicalIPv6(address: string): string {
  try {
    return formatIPv6(new IPv6(address).getValue());
  } catch {
    return address;
  }
}

/** The same addresses are read every few seconds: those of a mesh in which everybody knows everybody, and more. */
const CANONICAL = new LRUCache<string, string>({ max: 16_384 });

function parseEach<T>(
  items: readonly Json[],
  noun: string,
  parse: (item: Json) => T | undefined,
): Parsed<readonly T[]> {
  const values: T[] = [];
  for (const item of items) {
    const value = parse(item);
    if (value === undefined) return { ok: false, reason: `${noun}: ${JSON.stringify(item).slice(0, 120)}` };
    values.push(value);
  }
  return { ok: true, value: values };
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function integer(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** With -N iproute2 prints numbers of names as strings of digits. */
function numeric(value: unknown): number | undefined {
  if (typeof value === 'string' && /^\d{1,10}$/.test(value)) return Number(value);
  return integer(value);
}

function strings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? (value as string[]) : undefined;
}
