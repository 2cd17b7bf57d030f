/**
 * The paths that packets take by what the kernels hold, read from `ip route` and `ip nexthop` of every host:
 *
 *   source: table 8400    direct -> there     twx-a, dst N -> N's table 8401     twx-b, dst N -> N's table 8402
 *
 * Parsed from text, not JSON: in `ip -j` an encapsulated route has two fields of the name `dst`.
 */
import type { NodeView } from '../../protocol/api.ts';
import type { RunLab } from './run-lab.ts';
import { orderedPairs } from './scenario.ts';

type Hop = { readonly device: string; readonly via: string | null };

export interface KernelTables {
  /** Per table: destination address -> next hops. */
  readonly routes: ReadonlyMap<string, ReadonlyMap<string, readonly Hop[]>>;
}

const SOURCE_TABLE = '8400';
const TRANSIT_TABLES: Readonly<Record<string, string>> = { 'twx-a': '8401', 'twx-b': '8402' };
const TABLES = [SOURCE_TABLE, ...Object.values(TRANSIT_TABLES)];

export async function readKernelTables(lab: RunLab, host: string): Promise<KernelTables> {
  const hops = parseNextHops((await lab.exec(host, ['ip', 'nexthop', 'show'])).stdout);
  const routes = new Map<string, Map<string, readonly Hop[]>>();
  for (const table of TABLES) {
    const text = (await lab.exec(host, ['ip', '-4', 'route', 'show', 'table', table])).stdout;
    routes.set(table, parseRoutes(text, hops));
  }
  return { routes };
}

/** `id 7 encap ip id 1 src 0.0.0.0 dst 100.112.0.3 ... dev twx-a`, or `id 9 group 7,3/8`. */
export function parseNextHops(text: string): Map<string, readonly Hop[]> {
  const hops = new Map<string, readonly Hop[]>();
  const groups = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const id = /^id (\d+)\b/.exec(line)?.[1];
    if (id === undefined) continue;
    const group = / group (\S+)/.exec(line)?.[1];
    if (group !== undefined)
      groups.set(
        id,
        group.split('/').map((member) => member.split(',')[0] ?? ''),
      );
    const hop = parseHop(line);
    if (hop !== null) hops.set(id, [hop]);
  }
  for (const [id, members] of groups)
    hops.set(
      id,
      members.flatMap((member) => hops.get(member) ?? []),
    );
  return hops;
}

/** `100.96.0.3 nhid 9 ...`, or with the next hop in the route itself. IPv4 host routes only. */
export function parseRoutes(text: string, nextHops: ReadonlyMap<string, readonly Hop[]>): Map<string, readonly Hop[]> {
  const routes = new Map<string, readonly Hop[]>();
  for (const line of text.split('\n')) {
    const destination = /^(\d+\.\d+\.\d+\.\d+)(?:\/32)? /.exec(line)?.[1];
    if (destination === undefined) continue;
    const id = / nhid (\d+)/.exec(line)?.[1];
    const own = parseHop(line);
    const hops = id === undefined ? undefined : nextHops.get(id);
    routes.set(destination, hops ?? (own === null ? [] : [own]));
  }
  return routes;
}

function parseHop(line: string): Hop | null {
  const device = / dev (\S+)/.exec(line)?.[1];
  if (device === undefined) return null;
  return { device, via: / encap ip .*?\bdst (\S+)/.exec(line)?.[1] ?? null };
}

/**
 * Walks every ordered pair through the tables. Returns one line for each pair whose kernel path is not the core's:
 * `a -> c: kernel a > b > c, core a > c`.
 */
export function disagreements(
  tables: ReadonlyMap<string, KernelTables>,
  nodes: readonly NodeView[],
  corePath: (from: string, to: string) => readonly string[],
): string[] {
  const byTunnel = new Map(nodes.map((node) => [node.tunnelAddress, node.name]));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const wrong: string[] = [];
  for (const { from, to } of orderedPairs([...tables.keys()])) {
    const destination = byName.get(to)?.node4;
    if (destination === undefined) continue;
    const seen = walk(tables, byTunnel, from, to, destination);
    const wanted = corePath(from, to);
    if (seen.join('>') !== wanted.join('>')) {
      wrong.push(`${from} -> ${to}: kernel ${seen.join(' > ')}, core ${wanted.join(' > ') || 'none'}`);
    }
  }
  return wrong;
}

/** Follows the first member of each group. Ends in `?` where a table has no route, in `loop` when it does not end. */
function walk(
  tables: ReadonlyMap<string, KernelTables>,
  byTunnel: ReadonlyMap<string, string>,
  from: string,
  to: string,
  destination: string,
): string[] {
  const path = [from];
  let table = SOURCE_TABLE;
  for (let at = from; at !== to; ) {
    const hop = tables.get(at)?.routes.get(table)?.get(destination)?.[0];
    if (hop === undefined) return [...path, '?'];
    const next = hop.via === null ? to : (byTunnel.get(hop.via) ?? '?');
    if (path.includes(next)) return [...path, 'loop'];
    path.push(next);
    if (next === '?') return path;
    table = TRANSIT_TABLES[hop.device] ?? SOURCE_TABLE;
    at = next;
  }
  return path;
}
