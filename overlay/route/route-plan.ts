/**
 * Computes the commands that make a kernel's rules, next hops and routes agree with a desired overlay. Pure.
 *
 * Order, so that at no moment a packet finds less than a whole table:
 *   1. next hops and groups that are missing       (nothing points at them yet)
 *   2. `route replace`, one atomic change each     (old and new target both exist)
 *   3. rules                                       (their tables are complete)
 *   4. routes, groups and next hops no longer wanted
 */
import { ThalwegError } from '../../protocol/error.ts';
import {
  DETOUR_OVERHEAD_BYTES,
  type OwnRule,
  ownRules,
  ROUTE_PROTOCOL,
  TABLE_NUMBERS,
  TUNNEL_DEVICE,
} from '../overlay-names.ts';
import type { DesiredOverlay, OverlayNextHop, OverlayRoute, Standby } from '../overlay-state.ts';
import {
  canonicalAddress,
  canonicalPrefix,
  type Family,
  type KernelRoute,
  type KernelRule,
  type KernelSnapshot,
} from './kernel-snapshot.ts';
import { NextHopSet } from './next-hop-set.ts';
import { standbyKey } from './standby-hop.ts';

/** Batches to run in this order: IPv6 next hops, everything of no or either family, IPv6 rules. Empty ones are not run. */
export interface RoutePlan {
  readonly sixNextHops: readonly string[];
  readonly main: readonly string[];
  readonly sixRules: readonly string[];
}

/** A plan, and what the kernel holds once it has run. */
export interface RouteUpdate extends RoutePlan {
  readonly after: Pick<KernelSnapshot, 'rules' | 'nextHops' | 'routes'>;
  /** The objects that can be repaired by themselves, each once. */
  readonly standbys: readonly StandbyObject[];
}

/** A next-hop object of routes with this standby. */
export interface StandbyObject {
  readonly id: number;
  readonly family: Family;
  readonly standby: Standby;
}

const OWN_TABLES: ReadonlySet<number> = new Set(Object.values(TABLE_NUMBERS));

/** RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE of linux/rtnetlink.h. */
const UNICAST = 1;
const BLACKHOLE = 6;
const UNREACHABLE = 7;
/** What the kernel gives an IPv6 route for which no metric was asked. */
const DEFAULT_METRIC: Record<Family, number> = { 4: 0, 6: 1024 };

/** The metric is the kernel's default of the family. */
type WantedRoute = Omit<KernelRoute, 'metric'>;

/** `resilientGroups`: the kernel knows them. */
export function computeRoutePlan(
  desired: DesiredOverlay,
  snapshot: KernelSnapshot,
  resilientGroups = true,
): RouteUpdate {
  const nextHops = new NextHopSet(snapshot.nextHops, resilientGroups);
  const wanted = new Map<string, WantedRoute>();
  for (const route of standingRoutes(desired)) wanted.set(routeKey(route), route);
  const groups = desired.routes.filter((route) => route.nextHops.length > 1);
  // before anybody else is given what these objects hold
  const standbys = claimStandbys(desired.routes, snapshot, nextHops);
  for (const route of groups) nextHops.expect(familyOf(route), route.nextHops);
  const heldIds = groups.length === 0 ? NOTHING_HELD : new Map(snapshot.routes.map((r) => [routeKey(r), r.nextHopId]));
  for (const route of desired.routes) {
    const steered = steeredRoute(desired, route, nextHops, heldIds, standbys);
    wanted.set(routeKey(steered), steered);
  }

  const replace: string[] = [];
  const remove: string[] = [];
  const agreed = new Set<string>();
  for (const held of snapshot.routes) {
    if (!isOwnTable(held.table)) continue;
    const key = routeKey(held);
    const want = wanted.get(key);
    if (want !== undefined && held.metric === DEFAULT_METRIC[held.family]) {
      if (routesEqual(want, held)) agreed.add(key);
    } else {
      remove.push(deleteCommand(held));
    }
  }
  for (const [key, route] of wanted) if (!agreed.has(key)) replace.push(replaceCommand(route));

  const rules = ownRules(desired.uplink);
  const rules4 = ruleCommands(snapshot.rules, 4, rules);
  const rules6 = ruleCommands(snapshot.rules, 6, rules);
  return {
    sixNextHops: nextHops.addSix,
    main: [...nextHops.add, ...replace, ...rules4, ...remove, ...nextHops.deletions()],
    sixRules: rules6,
    standbys: [...standbys.values()],
    after: {
      rules: ([4, 6] as const).flatMap((family) =>
        rules.map(({ preference, iif, table }) => ({ family, preference, iif, table, protocol: ROUTE_PROTOCOL })),
      ),
      nextHops: nextHops.wanted(),
      routes: [...wanted.values()].map((route) => ({ ...route, metric: DEFAULT_METRIC[route.family] })),
    },
  };
}

/** Commands that remove rules, routes and next hops of ours and nothing else. */
export function computeRouteRemoval(snapshot: KernelSnapshot): RoutePlan {
  const removeRules = (family: Family) =>
    snapshot.rules.filter((rule) => rule.family === family && isOwnRule(rule)).map(deleteRuleCommand);
  return {
    sixNextHops: [],
    main: [
      ...removeRules(4),
      ...snapshot.routes.filter((route) => isOwnTable(route.table)).map(deleteCommand),
      ...new NextHopSet(snapshot.nextHops).deletions(),
    ],
    sixRules: removeRules(6),
  };
}

/** Routes that stand whatever steering says. */
function standingRoutes({ addresses, ranges, uplink }: DesiredOverlay): WantedRoute[] {
  const base = { nextHopId: null, source: null, mtuBytes: null, device: null };
  const source = TABLE_NUMBERS.source;
  return [
    // Outer packets and probes: straight to the session of that address.
    {
      ...base,
      family: 4,
      table: source,
      prefix: canonicalPrefix(ranges.tunnel),
      type: UNICAST,
      device: TUNNEL_DEVICE,
      source: addresses.tunnel,
    },
    // A node address without a route must not leave unencrypted by the default route.
    { ...base, family: 4, table: source, prefix: canonicalPrefix(ranges.node4), type: UNREACHABLE },
    { ...base, family: 6, table: source, prefix: canonicalPrefix(ranges.node6), type: UNREACHABLE },
    // What arrived encapsulated is forwarded by the transit table or not at all.
    ...[TABLE_NUMBERS.transitA, TABLE_NUMBERS.transitB, ...(uplink ? [TABLE_NUMBERS.uplink] : [])].flatMap(
      (table): WantedRoute[] => [
        { ...base, family: 4, table, prefix: '0.0.0.0/0', type: BLACKHOLE },
        { ...base, family: 6, table, prefix: '::/0', type: BLACKHOLE },
      ],
    ),
  ];
}

const NO_STANDBYS: ReadonlyMap<string, StandbyObject> = new Map();

/**
 * The objects of all routes with a standby, by family and standby. An object that such routes have already, and nobody
 * else, stays theirs.
 */
function claimStandbys(
  routes: readonly OverlayRoute[],
  snapshot: KernelSnapshot,
  nextHops: NextHopSet,
): ReadonlyMap<string, StandbyObject> {
  const nameByRoute = new Map<string, string>();
  const first = new Map<string, { family: Family; standby: Standby; live: OverlayNextHop }>();
  for (const { table, prefix, standby, nextHops: hops } of routes) {
    const [live] = hops;
    if (standby === undefined || live === undefined) continue;
    const family = familyOf({ prefix });
    const name = standbyName(family, standby);
    nameByRoute.set(routeKey({ table: TABLE_NUMBERS[table], prefix: canonicalPrefix(prefix) }), name);
    if (!first.has(name)) first.set(name, { family, standby, live });
  }
  if (first.size === 0) return NO_STANDBYS;
  // who points at an object now: routes of one standby, or (null) of several, or others
  const users = new Map<number, string | null>();
  for (const route of snapshot.routes) {
    if (route.nextHopId === null) continue;
    const name = nameByRoute.get(routeKey(route)) ?? null;
    const before = users.get(route.nextHopId);
    users.set(route.nextHopId, before === undefined || before === name ? name : null);
  }
  const held = new Map<string, number>();
  for (const [id, name] of users) if (name !== null && !held.has(name)) held.set(name, id);
  const objects = new Map<string, StandbyObject>();
  for (const [name, { family, standby, live }] of first) {
    const id = nextHops.standbyIdFor(family, standbyKey(standby), live, held.get(name) ?? null);
    objects.set(name, { id, family, standby });
  }
  return objects;
}

function standbyName(family: Family, standby: Standby): string {
  return `${family} ${standbyKey(standby)}`;
}

const NOTHING_HELD: ReadonlyMap<string, number | null> = new Map();

function familyOf(route: Pick<OverlayRoute, 'prefix'>): Family {
  return route.prefix.includes(':') ? 6 : 4;
}

function steeredRoute(
  desired: DesiredOverlay,
  route: OverlayRoute,
  nextHops: NextHopSet,
  heldIds: ReadonlyMap<string, number | null>,
  standbys: ReadonlyMap<string, StandbyObject>,
): WantedRoute {
  const family = familyOf(route);
  const prefix = canonicalPrefix(route.prefix);
  const heldId = heldIds.get(routeKey({ table: TABLE_NUMBERS[route.table], prefix })) ?? null;
  if (route.nextHops.length === 0) {
    throw new ThalwegError('invalid_argument', `route ${route.prefix}: no next hop`, { fields: { field: 'nextHops' } });
  }
  if (route.table !== 'source' && route.nextHops.some((nextHop) => nextHop.kind === 'direct')) {
    // The receiver's WireGuard would drop it: the inner source is not an address of the peer that sends it.
    throw new ThalwegError('invalid_argument', `route ${route.prefix}: table ${route.table} takes detours only`, {
      fields: { field: 'nextHops', prefix: route.prefix },
    });
  }
  const standby = route.standby === undefined ? undefined : standbys.get(standbyName(family, route.standby));
  return {
    family,
    table: TABLE_NUMBERS[route.table],
    prefix,
    type: UNICAST,
    nextHopId: standby?.id ?? nextHops.idFor(family, route.nextHops, heldId),
    device: null,
    source: family === 4 ? desired.addresses.node4 : canonicalAddress(desired.addresses.node6),
    // On direct routes too: a flow may move to a detour, and its segments must fit then.
    mtuBytes: desired.tunnelMtuBytes - DETOUR_OVERHEAD_BYTES,
  };
}

function routeKey(route: { readonly table: number; readonly prefix: string }): string {
  return `${route.table} ${route.prefix}`;
}

function routesEqual(want: WantedRoute, held: KernelRoute): boolean {
  return (
    want.type === held.type &&
    want.nextHopId === held.nextHopId &&
    want.source === held.source &&
    want.mtuBytes === held.mtuBytes &&
    // iproute2 shows the device behind a next hop, and `lo` for IPv6 routes that lead nowhere.
    (want.device === null || want.device === held.device)
  );
}

function replaceCommand(route: WantedRoute): string {
  const words = ['route replace'];
  if (route.type === BLACKHOLE) words.push('blackhole');
  if (route.type === UNREACHABLE) words.push('unreachable');
  words.push(route.prefix);
  if (route.nextHopId !== null) words.push(`nhid ${route.nextHopId}`);
  if (route.device !== null) words.push(`dev ${route.device} scope link`);
  if (route.source !== null) words.push(`src ${route.source}`);
  if (route.mtuBytes !== null) words.push(`mtu ${route.mtuBytes}`);
  words.push(`table ${route.table} protocol ${ROUTE_PROTOCOL}`);
  return words.join(' ');
}

function deleteCommand(route: KernelRoute): string {
  const type = route.type === BLACKHOLE ? 'blackhole ' : route.type === UNREACHABLE ? 'unreachable ' : '';
  const metric = route.metric === 0 ? '' : ` metric ${route.metric}`;
  return `route del ${type}${route.prefix} table ${route.table} protocol ${ROUTE_PROTOCOL}${metric}`;
}

function ruleCommands(rules: readonly KernelRule[], family: Family, own: readonly OwnRule[]): string[] {
  const commands: string[] = [];
  const held = rules.filter((rule) => rule.family === family && isOwnRule(rule));
  const key = (rule: { preference: number; iif: string | null; table: number }) =>
    `${rule.preference} ${rule.iif} ${rule.table}`;
  const heldKeys = new Set(held.map(key));
  for (const rule of own) {
    if (heldKeys.has(key(rule))) continue;
    const iif = rule.iif === null ? '' : ` iif ${rule.iif}`;
    commands.push(`rule add preference ${rule.preference}${iif} lookup ${rule.table} protocol ${ROUTE_PROTOCOL}`);
  }
  const ownKeys = new Set(own.map(key));
  for (const rule of held) if (!ownKeys.has(key(rule))) commands.push(deleteRuleCommand(rule));
  return commands;
}

function deleteRuleCommand(rule: KernelRule): string {
  const iif = rule.iif === null ? '' : ` iif ${rule.iif}`;
  return `rule del preference ${rule.preference}${iif} lookup ${rule.table} protocol ${ROUTE_PROTOCOL}`;
}

function isOwnRule(rule: KernelRule): boolean {
  return rule.protocol === ROUTE_PROTOCOL && isOwnTable(rule.table);
}

function isOwnTable(table: number): boolean {
  return OWN_TABLES.has(table);
}
