/** What a policy lets in: a protocol and its ports, as rules, frames and the kernel's filter name it. Pure. */
import type { Parsed } from './error.ts';

export const SERVICE_PROTOCOLS = ['tcp', 'udp', 'icmp', 'any'] as const;
/** `icmp`: ICMP and ICMPv6. `any`: every protocol there is. */
export type ServiceProtocol = (typeof SERVICE_PROTOCOLS)[number];

/** First and last port, both meant. */
export type PortRange = readonly [first: number, last: number];

export interface Service {
  readonly protocol: ServiceProtocol;
  /** Of tcp and udp: sorted, apart from each other by a port at least; never empty. Of the others: empty. */
  readonly ports: readonly PortRange[];
}

/** One connection that may be asked for. Port 0 for protocols without ports. */
export interface ServiceProbe {
  readonly protocol: Exclude<ServiceProtocol, 'any'>;
  readonly port: number;
}

export const ALL_PORTS: PortRange = [0, 65_535];

/** Port ranges that one service may have. */
export const MAX_PORT_RANGES = 64;

export function hasPorts(protocol: ServiceProtocol): boolean {
  return protocol === 'tcp' || protocol === 'udp';
}

/** The same services, each protocol once, in the order tcp, udp, icmp; `any` alone where it is one of them. */
export function mergeServices(services: readonly Service[]): readonly Service[] {
  if (services.some(({ protocol }) => protocol === 'any')) return [{ protocol: 'any', ports: [] }];
  return SERVICE_PROTOCOLS.flatMap((protocol): Service[] => {
    const same = services.filter((service) => service.protocol === protocol);
    if (same.length === 0) return [];
    return [{ protocol, ports: hasPorts(protocol) ? mergePorts(same.flatMap(({ ports }) => ports)) : [] }];
  });
}

export function mergePorts(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

export function servesProbe({ protocol, ports }: Service, probe: ServiceProbe): boolean {
  if (protocol === 'any') return true;
  if (protocol !== probe.protocol) return false;
  return !hasPorts(protocol) || ports.some(([first, last]) => first <= probe.port && probe.port <= last);
}

/** `tcp/80,8000-8100`, `udp` for all of its ports, `icmp`, `any`. */
export function formatService({ protocol, ports }: Service): string {
  const [only] = ports;
  if (only === undefined || (ports.length === 1 && only[0] === ALL_PORTS[0] && only[1] === ALL_PORTS[1])) {
    return protocol;
  }
  return `${protocol}/${ports.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(',')}`;
}

export function formatProbe({ protocol, port }: ServiceProbe): string {
  return hasPorts(protocol) ? `${protocol}/${port}` : protocol;
}

/** Never throws. `reason` names what is wrong with the word. */
export function parseService(word: string): Parsed<Service> {
  const slash = word.indexOf('/');
  const name = slash < 0 ? word : word.slice(0, slash);
  const protocol = SERVICE_PROTOCOLS.find((known) => known === name);
  if (protocol === undefined) return { ok: false, reason: `${quote(name)} is none of ${SERVICE_PROTOCOLS.join(', ')}` };
  if (slash < 0) return { ok: true, value: { protocol, ports: hasPorts(protocol) ? [ALL_PORTS] : [] } };
  if (!hasPorts(protocol)) return { ok: false, reason: `${protocol} has no ports` };
  const words = word.slice(slash + 1).split(',');
  if (words.length > MAX_PORT_RANGES) {
    return { ok: false, reason: `${words.length} ports and ranges, at most ${MAX_PORT_RANGES}` };
  }
  const ranges: PortRange[] = [];
  for (const text of words) {
    const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
    const range: PortRange = [Number(first), Number(last)];
    if (first === '') return { ok: false, reason: `${quote(text)} is no port and no range such as 8000-8100` };
    if (range[0] > range[1]) return { ok: false, reason: `${quote(text)} ends before it begins` };
    if (range[0] < 1 || range[1] > 65_535) return { ok: false, reason: `${quote(text)} is not within 1 to 65535` };
    ranges.push(range);
  }
  return { ok: true, value: { protocol, ports: mergePorts(ranges) } };
}

/** One connection, such as `tcp/5432` or `icmp`. Never throws. */
export function parseProbe(word: string): Parsed<ServiceProbe> {
  const service = parseService(word);
  if (!service.ok) return service;
  const { protocol, ports } = service.value;
  if (protocol === 'any') return { ok: false, reason: 'one protocol is tested at a time: tcp, udp or icmp' };
  const [range] = ports;
  if (!hasPorts(protocol)) return { ok: true, value: { protocol, port: 0 } };
  if (range === undefined || ports.length > 1 || range[0] !== range[1]) {
    return { ok: false, reason: `one port is tested at a time, such as ${protocol}/443` };
  }
  return { ok: true, value: { protocol, port: range[0] } };
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
