/** Checks of a scenario that need more than one value at once; makes the Scenario that the runner works from. */
import { CORE_HOST } from '../lab-spec.ts';
import { fileEvents, timeline } from './event-check.ts';
import { checkExpectations } from './expectation-check.ts';
import { formatMs } from './quantity.ts';
import type { Scenario, ScenarioEvent, ScenarioFlow, ScenarioHost, ScenarioPing, TimeWindow } from './scenario.ts';
import { type Moment, type RawScenario, SCENARIO_LIMITS } from './scenario-schema.ts';
import type { ScenarioProblem } from './scenario-source.ts';
import { suggest } from './suggestion.ts';
import { checkHost, underlayShapes } from './underlay-shapes.ts';

export type Report = (path: readonly PropertyKey[], message: string) => void;

/** Turns a moment into milliseconds after t = 0; undefined: `fallback`. */
export type MomentResolver = (moment: Moment | undefined, fallback: number, path: readonly PropertyKey[]) => number;

/** How long to wait at most for a mesh to be steered where the file does not say. */
const DEFAULT_SETTLE_MS = 60_000;
/** ping's own lower bound for an ordinary user's flood-free series, and the default of the probes. */
const MIN_PING_INTERVAL_MS = 20;
const DEFAULT_PING_INTERVAL_MS = 200;
/** Enough replies for a median that one late reply does not move. */
const DEFAULT_PAIR_COUNT = 10;

/** `scenario` is null exactly when there are problems. */
export function resolveScenario(
  file: string,
  raw: RawScenario,
): { readonly scenario: Scenario | null; readonly problems: readonly ScenarioProblem[] } {
  const problems: ScenarioProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  const hosts = checkHosts(raw, report);
  const names = hosts.map((host) => host.name);
  if (raw.duration < 1_000 || raw.duration > SCENARIO_LIMITS.durationMs) {
    report(['duration'], `a scenario lasts 1s to 2h, not ${formatMs(raw.duration)}`);
  }
  const inFile = fileEvents(raw, hosts, report);
  const resolve = momentResolver(raw, inFile, report);
  const churnToMs = resolve(raw.churn?.to, raw.duration, ['churn', 'to']);
  const events = timeline(raw, hosts, inFile, churnToMs, report);
  const flows = checkFlows(raw, names, resolve, report);
  const pings = checkPings(raw, names, resolve, report);
  const expectations = checkExpectations({ raw, names, flows, pings, resolve, report });
  const shapes = underlayShapes(raw, names, report);
  const probes = checkProbes(raw, report);
  if (problems.length > 0) return { scenario: null, problems };
  const scenario: Scenario = {
    file,
    name: raw.name,
    description: raw.description.trim(),
    driver: raw.driver,
    hosts,
    probes,
    detect: raw.probes?.detect ?? null,
    shapes,
    durationMs: raw.duration,
    settleMs: raw.settle ?? DEFAULT_SETTLE_MS,
    flows,
    pings,
    events,
    expectations,
  };
  return { scenario, problems };
}

/** Probes that a link's death needs in order to be no accident. */
const PROBES_UNTIL_DEAD = 5;
/** The core's own default. */
const DEFAULT_PROBE_INTERVAL_MS = 250;

function checkProbes({ probes }: RawScenario, report: Report): Scenario['probes'] {
  if (probes === undefined || (probes.interval === undefined && probes['dead-after'] === undefined)) return null;
  const { interval = DEFAULT_PROBE_INTERVAL_MS, 'dead-after': deadAfter = PROBES_UNTIL_DEAD * interval } = probes;
  if (interval < 20 || interval > 60_000) report(['probes', 'interval'], 'links are probed every 20ms to every 60s');
  if (deadAfter < 2 * interval || deadAfter < 100 || deadAfter > 300_000) {
    report(['probes', 'dead-after'], 'a link is dead after 100ms to 5m, and not before two intervals');
  }
  return { probeIntervalMs: interval, deadAfterMs: deadAfter };
}

function checkHosts(raw: RawScenario, report: Report): ScenarioHost[] {
  const taken = new Set<string>();
  for (const [i, { name }] of raw.hosts.entries()) {
    if (taken.has(name)) report(['hosts', i], `host ${name} is there twice`);
    if (name === CORE_HOST || name === 'net') report(['hosts', i], `the name ${name} is the lab's own`);
    if (name.length > 40) report(['hosts', i], 'a host name has at most 40 characters');
    taken.add(name);
  }
  if (raw.hosts.every((host) => host.joins === 'later')) report(['hosts'], 'no host joins at the start');
  return raw.hosts;
}

function momentResolver(raw: RawScenario, events: readonly ScenarioEvent[], report: Report): MomentResolver {
  return (moment, fallback, path) => {
    if (moment === undefined) return fallback;
    if (moment.kind === 'end') return raw.duration;
    let ms = moment.ms;
    if (moment.kind === 'after') {
      const event = /^\d+$/.test(moment.event)
        ? raw.events[Number(moment.event) - 1]
        : raw.events.find((e) => e.name === moment.event);
      if (event === undefined) {
        const known = events.flatMap((e) => e.name ?? []);
        report(
          path,
          `there is no event ${moment.event}${suggest(moment.event, known)} (${raw.events.length} in the file)`,
        );
        return fallback;
      }
      ms += event.at;
    }
    if (ms > raw.duration) {
      report(path, `${formatMs(ms)} is after the end of the scenario at ${formatMs(raw.duration)}`);
    }
    return ms;
  };
}

function span(
  start: Moment | undefined,
  stop: Moment | undefined,
  raw: RawScenario,
  resolve: MomentResolver,
  path: readonly PropertyKey[],
  report: Report,
): TimeWindow {
  const fromMs = resolve(start, 0, [...path, 'start']);
  const toMs = resolve(stop, raw.duration, [...path, 'stop']);
  if (toMs <= fromMs) report([...path, 'stop'], 'it stops before it starts');
  return { fromMs, toMs };
}

function checkName(name: string, taken: Set<string>, path: readonly PropertyKey[], report: Report): void {
  if (taken.has(name)) report([...path, 'name'], `the name ${name} is there twice`);
  taken.add(name);
}

function checkFlows(raw: RawScenario, names: string[], resolve: MomentResolver, report: Report): ScenarioFlow[] {
  const taken = new Set<string>();
  let total = 0;
  return raw.traffic.map((flow, i) => {
    const path = ['traffic', i];
    checkName(flow.name, taken, path, report);
    checkHost(flow.from, names, [...path, 'from'], report);
    checkHost(flow.to, names, [...path, 'to'], report);
    if (flow.from === flow.to) report([...path, 'to'], 'a flow needs two different hosts');
    total += flow.rate;
    if (total > SCENARIO_LIMITS.totalPacketsPerSecond) {
      report([...path, 'rate'], `all flows together send more than ${SCENARIO_LIMITS.totalPacketsPerSecond} packets/s`);
    }
    const { name, from, to, family } = flow;
    const times = span(flow.start, flow.stop, raw, resolve, path, report);
    return { name, from, to, family, packetsPerSecond: flow.rate, sizeBytes: flow.size, ...times };
  });
}

function checkPings(raw: RawScenario, names: string[], resolve: MomentResolver, report: Report): ScenarioPing[] {
  const taken = new Set<string>();
  return raw.pings.map((ping, i) => {
    const path = ['pings', i];
    checkName(ping.name, taken, path, report);
    const { name, from, to, family } = ping;
    if ((ping.pairs === undefined) !== (from !== undefined && to !== undefined)) {
      report(path, 'a ping names either from: and to:, or pairs: all');
    }
    if (from !== undefined) checkHost(from, names, [...path, 'from'], report);
    if (to !== undefined) checkHost(to, names, [...path, 'to'], report);
    if (from !== undefined && from === to) report([...path, 'to'], 'a ping needs two different hosts');
    const intervalMs = ping.interval ?? DEFAULT_PING_INTERVAL_MS;
    if (intervalMs < MIN_PING_INTERVAL_MS || intervalMs > 60_000) {
      report([...path, 'interval'], `the interval is ${MIN_PING_INTERVAL_MS}ms to 1m`);
    }
    const times = span(ping.start, ping.stop, raw, resolve, path, report);
    const count = ping.count ?? (ping.pairs === 'all' ? DEFAULT_PAIR_COUNT : null);
    const pairs = ping.pairs === 'all' ? ('all' as const) : { from: from ?? '', to: to ?? '' };
    return { name, pairs, intervalMs, count, family, ...times };
  });
}
