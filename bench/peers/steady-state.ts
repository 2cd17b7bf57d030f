/** What a contestant costs while nothing happens: control packets and CPU of each node, with a flow from a to b. */
import { setTimeout as pause } from 'node:timers/promises';
import { CORE_HOST } from '../../netlab/lab-spec.ts';
import type { Arena } from './arena.ts';
import { hostCpuTimes, type ProgramKind } from './cpu-time.ts';
import { rateOf } from './host-counters.ts';

export interface NodeCost {
  readonly host: string;
  /** Packets per second that the node sends: see host-counters.ts. */
  readonly controlPps: number;
  readonly tunnelPps: number;
  readonly streamPps: number;
  /** Percent of one CPU. `daemon`: babeld, BIRD or the agent, with the commands that it ran. */
  readonly daemonCpuPercent: number;
  readonly wireguardCpuPercent: number;
}

export interface SteadyState {
  readonly seconds: number;
  readonly nodes: readonly NodeCost[];
  /** The node that sends the flow, and the mean of those that neither send nor receive nor forward. */
  readonly busyControlPps: number;
  readonly idleControlPps: number;
  readonly meanDaemonCpuPercent: number;
  readonly coreCpuPercent: number;
}

export async function measureSteadyState(arena: Arena, seconds: number, ends: readonly string[]): Promise<SteadyState> {
  const hosts = arena.lab.hosts.map(({ name }) => name);
  const started = performance.now();
  const before = await Promise.all(hosts.map((host) => look(arena, host)));
  const coreBefore = hostCpuTimes(arena.lab, CORE_HOST);
  await pause(seconds * 1_000);
  const after = await Promise.all(hosts.map((host) => look(arena, host)));
  const coreAfter = hostCpuTimes(arena.lab, CORE_HOST);
  const took = (performance.now() - started) / 1_000;
  const nodes = hosts.map((host, i): NodeCost => {
    const [was, is] = [before[i], after[i]];
    if (was === undefined || is === undefined) throw new RangeError(host);
    const rate = (name: string) => twoDecimals(rateOf(name, was.counts, is.counts, took));
    return {
      host,
      controlPps: rate('control'),
      tunnelPps: rate('tunnel'),
      streamPps: rate('stream'),
      daemonCpuPercent: cpuPercent(was.times, is.times, 'control', took),
      wireguardCpuPercent: cpuPercent(was.times, is.times, 'tunnel', took),
    };
  });
  const all = ({ controlPps, tunnelPps, streamPps }: NodeCost) => controlPps + tunnelPps + streamPps;
  const mean = (values: readonly number[]) =>
    twoDecimals(values.reduce((sum, value) => sum + value, 0) / values.length);
  return {
    seconds: twoDecimals(took),
    nodes,
    busyControlPps: mean(nodes.filter(({ host }) => host === ends[0]).map(all)),
    idleControlPps: mean(nodes.filter(({ host }) => !ends.includes(host)).map(all)),
    meanDaemonCpuPercent: mean(nodes.map(({ daemonCpuPercent }) => daemonCpuPercent)),
    coreCpuPercent: cpuPercent(coreBefore, coreAfter, 'control', took),
  };
}

async function look(arena: Arena, host: string) {
  return { counts: await arena.counters.read(host), times: hostCpuTimes(arena.lab, host) };
}

type Times = ReturnType<typeof hostCpuTimes>;

/** Of processes that were there both times: those that came and went are in their parent's time. */
export function cpuPercent(before: Times, after: Times, kind: ProgramKind, seconds: number): number {
  let spent = 0;
  for (const [pid, time] of after) {
    const was = before.get(pid);
    if (was !== undefined && time.kind === kind) spent += time.seconds - was.seconds;
  }
  return twoDecimals((100 * spent) / seconds);
}

function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100;
}
