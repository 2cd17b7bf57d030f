/** The underlay of a scenario: from links or a matrix in the file to one shape per ordered pair of hosts. */
import { CORE_HOST } from '../lab-spec.ts';
import { type LinkShape, PERFECT_LINK } from '../link-shape.ts';
import { type Direction, orderedPairs, pairKey, type ShapeChange } from './scenario.ts';
import type { Report } from './scenario-check.ts';
import type { RawDirection, RawScenario, RawShape } from './scenario-schema.ts';
import { suggest } from './suggestion.ts';

/** Checks that a host (or, where links are meant, the core) exists. */
export function checkHost(
  name: string,
  hosts: readonly string[],
  path: readonly PropertyKey[],
  report: Report,
): boolean {
  if (hosts.includes(name)) return true;
  report(path, `there is no host ${JSON.stringify(name)}${suggest(name, hosts)}`);
  return false;
}

/** `between: [a, b]` is both directions, `from` and `to` one. Empty after a problem was reported. */
export function directionsOf(
  raw: RawDirection,
  hosts: readonly string[],
  path: readonly PropertyKey[],
  report: Report,
): Direction[] {
  const { between, from, to } = raw;
  if ((between === undefined) === (from === undefined) || (from === undefined) !== (to === undefined)) {
    report(path, 'name the link either with between: [a, b] for both directions or with from: and to: for one');
    return [];
  }
  const [a, b] = between ?? [from ?? '', to ?? ''];
  const where =
    between === undefined
      ? [
          [...path, 'from'],
          [...path, 'to'],
        ]
      : [
          [...path, 'between', 0],
          [...path, 'between', 1],
        ];
  const known = [checkHost(a, hosts, where[0] ?? path, report), checkHost(b, hosts, where[1] ?? path, report)];
  if (known.includes(false)) return [];
  if (a === b) {
    report(where[1] ?? path, `a link needs two different hosts, not ${a} twice`);
    return [];
  }
  return between === undefined
    ? [{ from: a, to: b }]
    : [
        { from: a, to: b },
        { from: b, to: a },
      ];
}

/** Only the fields that the file names. `rtt` is split evenly over both directions. */
export function shapeChange(raw: RawShape, path: readonly PropertyKey[], report: Report): ShapeChange {
  if (raw.rtt !== undefined && raw.delay !== undefined) {
    report([...path, 'delay'], 'give either rtt (both ways together) or delay (one way), not both');
  }
  const oneWayDelayUs = raw.delay ?? (raw.rtt === undefined ? undefined : raw.rtt / 2);
  return {
    ...(oneWayDelayUs === undefined ? {} : { oneWayDelayUs }),
    ...(raw.jitter === undefined ? {} : { jitterUs: raw.jitter }),
    ...(raw.loss === undefined ? {} : { lossPpm: raw.loss }),
    ...(raw.rate === undefined ? {} : { rateBps: raw.rate }),
  };
}

/** Shape of every ordered pair, the core's pairs included (perfect unless a link names them). */
export function underlayShapes(raw: RawScenario, hosts: readonly string[], report: Report): Map<string, LinkShape> {
  const shapes = new Map<string, LinkShape>();
  const names = [...hosts, CORE_HOST];
  const path = ['underlay'];
  const underlay = raw.underlay ?? {};
  const base = { ...PERFECT_LINK, ...shapeChange(underlay.default ?? {}, [...path, 'default'], report) };
  for (const { from, to } of orderedPairs(names)) {
    shapes.set(pairKey(from, to), from === CORE_HOST || to === CORE_HOST ? PERFECT_LINK : base);
  }
  const matrix = underlay['rtt-matrix'];
  if (matrix !== undefined) {
    if (underlay.links !== undefined || underlay.default !== undefined) {
      report([...path, 'rtt-matrix'], 'give either rtt-matrix or links and default, not both');
    }
    applyMatrix(matrix, hosts, shapes, [...path, 'rtt-matrix'], report);
  }
  const seen = new Set<string>();
  for (const [i, link] of (underlay.links ?? []).entries()) {
    const where = [...path, 'links', i];
    const change = shapeChange(link, where, report);
    for (const { from, to } of directionsOf(link, names, where, report)) {
      const key = pairKey(from, to);
      if (seen.has(key)) report(where, `the link from ${from} to ${to} is there twice`);
      seen.add(key);
      shapes.set(key, { ...(shapes.get(key) ?? base), ...change });
    }
  }
  return shapes;
}

type RawMatrix = NonNullable<NonNullable<RawScenario['underlay']>['rtt-matrix']>;

function applyMatrix(
  matrix: RawMatrix,
  hosts: readonly string[],
  shapes: Map<string, LinkShape>,
  path: readonly PropertyKey[],
  report: Report,
): void {
  const order = matrix.hosts;
  for (const [i, name] of order.entries()) {
    checkHost(name, hosts, [...path, 'hosts', i], report);
    if (order.indexOf(name) < i) report([...path, 'hosts', i], `host ${name} is there twice`);
  }
  for (const name of hosts) if (!order.includes(name)) report([...path, 'hosts'], `host ${name} is missing`);
  if (matrix.rows.length !== order.length) {
    report([...path, 'rows'], `${matrix.rows.length} rows for ${order.length} hosts: the matrix is square`);
  }
  for (const [i, row] of matrix.rows.entries()) {
    if (row.length !== order.length) {
      report([...path, 'rows', i], `${row.length} numbers for ${order.length} hosts: the matrix is square`);
    }
    if (row[i] !== undefined && row[i] !== 0) report([...path, 'rows', i, i], 'the way from a host to itself is 0');
  }
  for (const { from, to } of orderedPairs(order)) {
    const [i, j] = [order.indexOf(from), order.indexOf(to)];
    const there = matrix.rows[i]?.[j];
    const key = pairKey(from, to);
    const shape = shapes.get(key);
    if (there === undefined || shape === undefined) continue;
    shapes.set(key, { ...shape, oneWayDelayUs: Math.round((there * 1_000) / 2) });
  }
}

/**
 * Smallest RTT and its path for every ordered pair over any number of hops (Floyd and Warshall). The RTT of a link is
 * the delay there plus the delay back; hosts that may not forward are never in between; cut links do not exist.
 * Ties go to the path with fewer hops.
 */
export function optimumPaths(
  hosts: readonly { readonly name: string; readonly transit: boolean }[],
  shape: (from: string, to: string) => LinkShape,
): Map<string, { readonly rttUs: number; readonly path: readonly string[] }> {
  const best = new Map<string, { rttUs: number; path: readonly string[] }>();
  const names = hosts.map((h) => h.name);
  for (const { from, to } of orderedPairs(names)) {
    const [there, back] = [shape(from, to), shape(to, from)];
    if (there.cut || back.cut) continue;
    best.set(pairKey(from, to), { rttUs: there.oneWayDelayUs + back.oneWayDelayUs, path: [from, to] });
  }
  for (const { name: via, transit } of hosts) {
    if (!transit) continue;
    for (const { from, to } of orderedPairs(names)) {
      const [first, second] = [best.get(pairKey(from, via)), best.get(pairKey(via, to))];
      if (first === undefined || second === undefined || from === via || to === via) continue;
      const now = best.get(pairKey(from, to));
      const rttUs = first.rttUs + second.rttUs;
      const path = [...first.path, ...second.path.slice(1)];
      if (now === undefined || rttUs < now.rttUs || (rttUs === now.rttUs && path.length < now.path.length)) {
        best.set(pairKey(from, to), { rttUs, path });
      }
    }
  }
  return best;
}
