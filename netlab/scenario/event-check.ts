/** Events of a scenario, those of the file and of churn, as one checked timeline. */
import { CORE_HOST } from '../lab-spec.ts';
import { type ChurnKind, churnEvents } from './churn.ts';
import { formatMs } from './quantity.ts';
import {
  type Direction,
  HOST_ACTIONS,
  orderedPairs,
  type ScenarioAction,
  type ScenarioEvent,
  type ScenarioHost,
} from './scenario.ts';
import type { Report } from './scenario-check.ts';
import { CHURN_KINDS, EVENT_KINDS, type RawEvent, type RawScenario, SCENARIO_LIMITS } from './scenario-schema.ts';
import { checkHost, directionsOf, shapeChange } from './underlay-shapes.ts';

/** In the order of the file: `3s after event 2` counts these. */
export function fileEvents(raw: RawScenario, hosts: readonly ScenarioHost[], report: Report): ScenarioEvent[] {
  const names = hosts.map((host) => host.name);
  const taken = new Set<string>();
  return raw.events.flatMap((event, i) => {
    const path = ['events', i];
    if (event.at > raw.duration) {
      report(
        [...path, 'at'],
        `the event is at ${formatMs(event.at)}, after the end of the scenario at ${formatMs(raw.duration)}`,
      );
    }
    if (event.name !== undefined) {
      if (taken.has(event.name) || /^\d+$/.test(event.name)) {
        report([...path, 'name'], `the event name ${event.name} is there twice or is a number`);
      }
      taken.add(event.name);
    }
    const given = EVENT_KINDS.filter((kind) => event[kind] !== undefined);
    if (given.length !== 1) {
      const what = given.length === 0 ? 'says nothing that happens' : `says ${given.join(' and ')}`;
      report(path, `the event ${what}: exactly one of ${EVENT_KINDS.join(', ')} per event`);
      return [];
    }
    const action = actionOf(event, names, path, report);
    if (action === null) return [];
    const first = { atMs: event.at, name: event.name ?? null, action, what: describeAction(action) };
    const { every, times } = event;
    if (every === undefined && times === undefined) return [first];
    if (every === undefined || times === undefined || every < 100) {
      report(path, 'an event that comes back needs every (at least 100ms) and times');
      return [];
    }
    const lastMs = event.at + (times - 1) * every;
    if (lastMs > raw.duration) report([...path, 'times'], `the last of them is at ${formatMs(lastMs)}, after the end`);
    return Array.from({ length: times }, (_, n) => ({ ...first, atMs: event.at + n * every }));
  });
}

function actionOf(
  event: RawEvent,
  names: string[],
  path: readonly PropertyKey[],
  report: Report,
): ScenarioAction | null {
  const endpoints = [...names, CORE_HOST];
  if (event.degrade !== undefined) {
    const where = [...path, 'degrade'];
    const change = shapeChange(event.degrade, where, report);
    if (Object.keys(change).length === 0) report(where, 'nothing is degraded: give rtt, delay, jitter, loss or rate');
    return { kind: 'degrade', links: directionsOf(event.degrade, endpoints, where, report), change };
  }
  if (event.cut !== undefined)
    return { kind: 'cut', links: directionsOf(event.cut, endpoints, [...path, 'cut'], report) };
  if (event.heal !== undefined) {
    const links = event.heal.all
      ? orderedPairs(endpoints)
      : directionsOf(event.heal, endpoints, [...path, 'heal'], report);
    return { kind: 'heal', links };
  }
  if (event.partition !== undefined) {
    return {
      kind: 'partition',
      links: partitionLinks(event.partition.groups, names, [...path, 'partition', 'groups'], report),
    };
  }
  for (const kind of HOST_ACTIONS) {
    const host = event[kind];
    if (host !== undefined) return checkHost(host, names, [...path, kind], report) ? { kind, host } : null;
  }
  return { kind: event['core-kill'] ? 'core-kill' : 'core-start' };
}

/** Links between hosts of different groups. A host in no group keeps all its links. */
function partitionLinks(
  groups: string[][],
  names: string[],
  path: readonly PropertyKey[],
  report: Report,
): Direction[] {
  const group = new Map<string, number>();
  for (const [g, members] of groups.entries()) {
    for (const [m, host] of members.entries()) {
      checkHost(host, names, [...path, g, m], report);
      if (group.has(host)) report([...path, g, m], `host ${host} is in two groups`);
      group.set(host, g);
    }
  }
  return orderedPairs([...group.keys()]).filter(({ from, to }) => group.get(from) !== group.get(to));
}

/** File events and churn, by time; checks that what each does to a host is possible then. */
export function timeline(
  raw: RawScenario,
  hosts: readonly ScenarioHost[],
  events: readonly ScenarioEvent[],
  churnToMs: number,
  report: Report,
): ScenarioEvent[] {
  const all = [...events];
  const churn = raw.churn;
  if (churn !== undefined) {
    for (const [i, event] of raw.events.entries()) {
      const kind = HOST_ACTIONS.find((k) => event[k] !== undefined);
      if (kind !== undefined) report(['events', i, kind], 'beside churn, only links and the core have events');
    }
    if (hosts.some((host) => host.joins === 'later')) report(['churn'], 'with churn every host joins at the start');
    if (churn.every < 100) report(['churn', 'every'], 'churn is every 100ms at most often');
    const fromMs = churn.from ?? 0;
    if (churnToMs <= fromMs) report(['churn', 'to'], 'churn ends before it begins');
    if ((churnToMs - fromMs) / Math.max(100, churn.every) > SCENARIO_LIMITS.events) {
      report(['churn', 'every'], `churn makes more than ${SCENARIO_LIMITS.events} events`);
    } else {
      const kinds: readonly ChurnKind[] = churn.kinds ?? CHURN_KINDS;
      const names = hosts.map((host) => host.name);
      const keepHosts = churn['keep-hosts'] ?? Math.min(3, names.length);
      const plan = {
        seed: churn.seed,
        everyMs: Math.max(100, churn.every),
        fromMs,
        toMs: churnToMs,
        kinds,
        keepHosts,
        hosts: names,
      };
      for (const { atMs, action } of churnEvents(plan)) {
        all.push({ atMs, name: null, action, what: describeAction(action) });
      }
    }
  }
  all.sort((a, b) => a.atMs - b.atMs);
  checkHostStates(all, events, hosts, report);
  return all;
}

type HostState = 'absent' | 'running' | 'stopped' | 'off';

const TRANSITIONS: Readonly<
  Record<(typeof HOST_ACTIONS)[number], { readonly needs: HostState[]; readonly becomes: HostState | null }>
> = {
  kill: { needs: ['running'], becomes: 'stopped' },
  'stop-agent': { needs: ['running'], becomes: 'stopped' },
  'start-agent': { needs: ['stopped'], becomes: 'running' },
  leave: { needs: ['running', 'stopped'], becomes: 'absent' },
  join: { needs: ['absent'], becomes: 'running' },
  'power-off': { needs: ['running', 'stopped'], becomes: 'off' },
  'power-on': { needs: ['off'], becomes: 'running' },
  drain: { needs: ['running', 'stopped', 'off'], becomes: null },
  resume: { needs: ['running', 'stopped', 'off'], becomes: null },
};

const STATE_TEXT = {
  absent: 'has not joined',
  running: 'runs',
  stopped: 'has its agent stopped',
  off: 'is off',
} as const;

function checkHostStates(
  all: readonly ScenarioEvent[],
  inFile: readonly ScenarioEvent[],
  hosts: readonly ScenarioHost[],
  report: Report,
): void {
  const states = new Map<string, HostState>(hosts.map((h) => [h.name, h.joins === 'now' ? 'running' : 'absent']));
  let coreRuns = true;
  for (const event of all) {
    const { action } = event;
    const path = ['events', inFile.indexOf(event), action.kind];
    if (action.kind === 'core-kill' || action.kind === 'core-start') {
      if (coreRuns === (action.kind === 'core-start'))
        report(path, `the core ${coreRuns ? 'runs' : 'is down'} already at that time`);
      coreRuns = action.kind === 'core-start';
    }
    if (!('host' in action)) continue;
    const { needs, becomes } = TRANSITIONS[action.kind];
    const state = states.get(action.host) ?? 'absent';
    if (!needs.includes(state)) report(path, `host ${action.host} ${STATE_TEXT[state]} at ${formatMs(event.atMs)}`);
    states.set(action.host, becomes ?? state);
  }
}

/** One line for people. */
export function describeAction(action: ScenarioAction): string {
  switch (action.kind) {
    case 'degrade': {
      const { oneWayDelayUs, jitterUs, lossPpm, rateBps } = action.change;
      const parts = [
        ...(oneWayDelayUs === undefined ? [] : [`delay ${formatMs(oneWayDelayUs / 1_000)} each way`]),
        ...(jitterUs === undefined ? [] : [`jitter ${formatMs(jitterUs / 1_000)}`]),
        ...(lossPpm === undefined ? [] : [`loss ${lossPpm / 10_000} %`]),
        ...(rateBps === undefined || rateBps === null ? [] : [`rate ${rateBps / 1e6} Mbit/s`]),
      ];
      return `degrade ${describeLinks(action.links)}: ${parts.join(', ')}`;
    }
    case 'cut':
    case 'heal':
    case 'partition':
      return `${action.kind} ${describeLinks(action.links)}`;
    case 'core-kill':
      return 'kill the core';
    case 'core-start':
      return 'start the core';
    default:
      return `${action.kind} ${action.host}`;
  }
}

function describeLinks(links: readonly Direction[]): string {
  const [first, second] = links;
  if (first === undefined) return 'nothing';
  if (links.length === 1) return `${first.from} -> ${first.to}`;
  if (links.length === 2 && second?.from === first.to) return `${first.from} <-> ${first.to}`;
  return `${links.length} directions of links`;
}
