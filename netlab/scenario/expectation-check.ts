/** What a scenario expects: that its flows, pings, hosts and times exist, and that each bound is one. */
import type { Direction, ScenarioExpectation, ScenarioFlow, ScenarioPing, TimeWindow } from './scenario.ts';
import type { MomentResolver, Report } from './scenario-check.ts';
import { EXPECTATION_KINDS, type Moment, type RawExpectation, type RawScenario } from './scenario-schema.ts';
import { suggest } from './suggestion.ts';
import { checkHost, directionsOf } from './underlay-shapes.ts';

export interface ExpectationContext {
  readonly raw: RawScenario;
  readonly names: readonly string[];
  readonly flows: readonly ScenarioFlow[];
  readonly pings: readonly ScenarioPing[];
  readonly resolve: MomentResolver;
  readonly report: Report;
}

type Path = readonly PropertyKey[];

/** What a program may have grown by where the file gives no bound: caches warm up, nothing more. */
const DEFAULT_LEAK_BOUNDS = { memoryBytes: 64 * 1024 ** 2, descriptors: 16, processes: 0 };

export function checkExpectations(context: ExpectationContext): ScenarioExpectation[] {
  return context.raw.expect.flatMap((expectation, i) => {
    const path = ['expect', i];
    const given = EXPECTATION_KINDS.filter((kind) => expectation[kind] !== undefined);
    const kind = given[0];
    if (kind === undefined || given.length > 1) {
      context.report(path, `exactly one of ${EXPECTATION_KINDS.join(', ')} per expectation, not ${given.length}`);
      return [];
    }
    return checkOne(expectation, [...path, kind], context);
  });
}

function checkOne(raw: RawExpectation, path: Path, context: ExpectationContext): ScenarioExpectation[] {
  const { report, resolve, names } = context;
  const endMs = context.raw.duration;
  if (raw.rtt !== undefined) return checkRtt(raw.rtt, path, context);
  for (const kind of ['lost', 'duplicated', 'reordered'] as const) {
    const bound = raw[kind];
    if (bound === undefined) continue;
    checkFlow(bound.flow, path, context);
    return [{ kind, flow: bound.flow, atMost: bound['at-most'], window: windowOf(bound.window, path, context) }];
  }
  if (raw.outage !== undefined) {
    checkFlow(raw.outage.flow, path, context);
    const atMostUs = raw.outage['at-most'] * 1_000;
    return [{ kind: 'outage', flow: raw.outage.flow, atMostUs, window: windowOf(raw.outage.window, path, context) }];
  }
  if (raw.path !== undefined) return checkPath(raw.path, path, context);
  if (raw['path-changes'] !== undefined) {
    const { exactly, 'at-most': atMost, 'at-least': atLeast, window, ...direction } = raw['path-changes'];
    if ((exactly === undefined) === (atMost === undefined && atLeast === undefined)) {
      report(path, 'give either exactly, or at-most and/or at-least');
    }
    const named = Object.keys(direction).length > 0;
    const pairs = named ? directionsOf(direction, names, path, report) : null;
    const bound = { atMost: exactly ?? atMost ?? null, atLeast: exactly ?? atLeast ?? null };
    return [
      { kind: 'path-changes', pairs, bound, window: windowOf(window, path, context) ?? { fromMs: 0, toMs: endMs } },
    ];
  }
  if (raw.converged !== undefined) {
    return [{ kind: 'converged', byMs: resolve(raw.converged.by, endMs, [...path, 'by']) }];
  }
  for (const kind of ['joined', 'steered'] as const) {
    const bound = raw[kind];
    if (bound !== undefined) return [{ kind, withinMs: bound.within }];
  }
  if (raw['routes-touched'] !== undefined) {
    const { between, hosts, 'at-most': atMost, 'next-hops': nextHops } = raw['routes-touched'];
    for (const [i, host] of (hosts ?? []).entries()) checkHost(host, names, [...path, 'hosts', i], report);
    const window = windowOf({ from: between[0], to: between[1] }, path, context) ?? { fromMs: 0, toMs: endMs };
    return [{ kind: 'routes-touched', hosts: hosts ?? names, atMost, nextHops: nextHops ?? true, window }];
  }
  if (raw['optimal-paths'] !== undefined) {
    const { plus, percent, hosts } = raw['optimal-paths'];
    for (const [i, host] of (hosts ?? []).entries()) checkHost(host, names, [...path, 'hosts', i], report);
    return [{ kind: 'optimal-paths', bound: { plusUs: plus ?? 0, percent: percent ?? 0 }, hosts: hosts ?? names }];
  }
  if (raw['kernel-tables'] !== undefined) return [{ kind: 'kernel-tables' }];
  const bounds = raw.leaks ?? {};
  return [
    {
      kind: 'leaks',
      memoryBytes: bounds.memory ?? DEFAULT_LEAK_BOUNDS.memoryBytes,
      descriptors: bounds.descriptors ?? DEFAULT_LEAK_BOUNDS.descriptors,
      processes: bounds.processes ?? DEFAULT_LEAK_BOUNDS.processes,
    },
  ];
}

function checkRtt(
  raw: NonNullable<RawExpectation['rtt']>,
  path: Path,
  context: ExpectationContext,
): ScenarioExpectation[] {
  const ping = context.pings.find((p) => p.name === raw.ping);
  if (ping === undefined) {
    const known = context.pings.map((p) => p.name);
    context.report([...path, 'ping'], `there is no ping ${JSON.stringify(raw.ping)}${suggest(raw.ping, known)}`);
  }
  const { 'at-most': atMost, 'at-least': atLeast, within, 'mean-within': meanWithin } = raw;
  if (atMost === undefined && atLeast === undefined && within === undefined && meanWithin === undefined) {
    context.report(path, 'no bound: give at-most, at-least, within or mean-within');
  }
  return [
    {
      kind: 'rtt',
      ping: raw.ping,
      statistic: raw.statistic,
      atMostUs: atMost ?? null,
      atLeastUs: atLeast ?? null,
      within: within === undefined ? null : { plusUs: within.plus ?? 0, percent: within.percent ?? 0 },
      meanWithin: meanWithin === undefined ? null : { plusUs: meanWithin.plus ?? 0, percent: meanWithin.percent ?? 0 },
      window: windowOf(raw.window, path, context),
    },
  ];
}

function checkPath(
  raw: NonNullable<RawExpectation['path']>,
  path: Path,
  context: ExpectationContext,
): ScenarioExpectation[] {
  const { report, resolve } = context;
  for (const [i, host] of raw.path.entries()) {
    checkHost(host, context.names, [...path, 'path', i], report);
    if (raw.path.indexOf(host) < i) report([...path, 'path', i], `${host} is on the path twice`);
  }
  if ((raw.by === undefined) === (raw.at === undefined))
    report(path, 'give either by (then or earlier) or at (at that time)');
  if (raw.at !== undefined && raw.until !== undefined) report([...path, 'until'], 'until goes with by, not with at');
  const endMs = context.raw.duration;
  const byMs = resolve(raw.by ?? raw.at, endMs, [...path, raw.by === undefined ? 'at' : 'by']);
  const untilMs =
    raw.at !== undefined ? byMs : raw.until === undefined ? null : resolve(raw.until, endMs, [...path, 'until']);
  if (untilMs !== null && untilMs < byMs) report([...path, 'until'], 'until is before by');
  const ways = raw['both-ways'] ? [raw.path, [...raw.path].reverse()] : [raw.path];
  return ways.map((way) => ({ kind: 'path', from: way[0] ?? '', to: way.at(-1) ?? '', path: way, byMs, untilMs }));
}

function checkFlow(name: string, path: Path, { flows, report }: ExpectationContext): void {
  if (flows.some((flow) => flow.name === name)) return;
  report(
    [...path, 'flow'],
    `there is no flow ${JSON.stringify(name)}${suggest(
      name,
      flows.map((f) => f.name),
    )}`,
  );
}

function windowOf(
  raw: { from?: Moment | undefined; to?: Moment | undefined } | undefined,
  path: Path,
  context: ExpectationContext,
): TimeWindow | null {
  if (raw === undefined) return null;
  const fromMs = context.resolve(raw.from, 0, [...path, 'window', 'from']);
  const toMs = context.resolve(raw.to, context.raw.duration, [...path, 'window', 'to']);
  if (toMs <= fromMs) context.report([...path, 'window'], 'the window ends before it begins');
  return { fromMs, toMs };
}

/** Both directions of a pair in one list, for messages. */
export function pairText(pairs: readonly Direction[]): string {
  return pairs.map(({ from, to }) => `${from} -> ${to}`).join(' and ');
}
