/**
 * How long packets are lost when something fails: a flow of 1,000 packets/s through a mesh of four hosts on plain links,
 * one WireGuard session per link, the failure silent, as often as asked. An outage is the longest time without a packet
 * around one failure. What is lost when the link comes back is counted by itself. Packets that the hosts send while
 * nothing happens are counted at their underlay interface: probes, replies, WireGuard's own, and the session with the core.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { FlowRun } from '../../netlab/scenario/flow-run.ts';
import type { NodeView, PathView } from '../../protocol/api.ts';
import { systemClock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { type BenchLab, withBenchLab } from '../bench-lab.ts';
import { quantile } from '../quantile.ts';
import { type Values, whole } from '../values.ts';
import { FAILURES, type Failure, HOSTS, SINK, SOURCE } from './failures.ts';

export const OUTAGE_KEYS = ['scenario', 'count', 'detect', 'steady-seconds'];

const RATE = 1000;
/** A session of WireGuard is made, links are measured, all is quiet. */
const QUIET_MS = 6000;
/** After a failure: long enough for the core's new tables, and for what they might lose. */
const BROKEN_MS = 2000;
/** After the path is back: for agents to trust the neighbour again, or they would not be on the link that fails. */
const BACK_MS = 2500;
/** After traffic was moved back: what that might lose. */
const SETTLED_MS = 600;
const READY_MS = 60_000;
/** Links are trusted again soon, or most of the time would be spent waiting. */
const CORE = { steering: { recoverHoldMs: 1000 } };

interface Repetition {
  readonly outageMs: number;
  readonly lost: number;
  /** From the moment that the link is mended until the next failure. */
  readonly lostWhenBack: number;
  readonly pathBefore: string;
  readonly pathAfter: string;
}

export async function benchOutage(values: Values) {
  const names = (values.scenario ?? 'cut').split(',');
  const detect = values.detect ?? 'normal';
  const unknown = names.filter((name) => FAILURES[name] === undefined);
  if (unknown.length > 0 || (detect !== 'normal' && detect !== 'fast')) {
    throw new ThalwegError('invalid_argument', `--scenario ${unknown.join()} --detect ${detect} is not measured`, {
      nextStep: `name some of: ${Object.keys(FAILURES).join(',')}; and detect normal or fast`,
    });
  }
  const count = whole(values, 'count', { otherwise: 20, most: 500 });
  const steadyS = whole(values, 'steady-seconds', { otherwise: 10, most: 600 });
  return withBenchLab(
    HOSTS,
    async (bench) => {
      await pause(QUIET_MS);
      const control = await controlPackets(bench, steadyS);
      const scenarios: Record<string, unknown> = {};
      for (const name of names) {
        const failure = FAILURES[name];
        if (failure !== undefined) scenarios[name] = summary(await repeat(bench, failure, count));
        // what is known so far, should the rest not come to its end
        process.stderr.write(`${JSON.stringify({ detect, control, [name]: scenarios[name] })}\n`);
      }
      return { detect, count, control, scenarios };
    },
    CORE,
    {},
    { detect },
  );
}

function summary(repetitions: readonly Repetition[]) {
  const outages = repetitions.map(({ outageMs }) => outageMs);
  return {
    outageMs: { p50: quantile(outages, 0.5), p99: quantile(outages, 0.99), worst: quantile(outages, 1) },
    lostWhenBack: repetitions.reduce((sum, { lostWhenBack }) => sum + lostWhenBack, 0),
    repetitions,
  };
}

async function repeat(bench: BenchLab, failure: Failure, count: number): Promise<Repetition[]> {
  const { lab, api } = bench;
  await failure.prepare(bench);
  const node = await api.get<NodeView>(`/v1/nodes/${SINK}`);
  const flow = new FlowRun(
    { lab, clock: systemClock },
    {
      name: 'flow',
      from: SOURCE,
      to: SINK,
      packetsPerSecond: RATE,
      sizeBytes: 200,
      fromMs: 0,
      toMs: count * (READY_MS + BROKEN_MS),
      family: 4,
    },
    0,
  );
  const path = async (from: string, to: string): Promise<readonly string[]> => {
    const view = await api.get<PathView>(`/v1/paths/${from}/${to}`);
    return view.installed ? view.path : [];
  };
  const moments: { brokenMs: number; mendedMs: number; endMs: number; before: string; after: string }[] = [];
  try {
    await flow.startSink();
    const startNs = process.hrtime.bigint() + 1_000_000_000n;
    flow.startSource(node.node4, startNs);
    const nowMs = () => Number(process.hrtime.bigint() - startNs) / 1e6;
    await pause(2500);
    for (let i = 0; i < count; i++) {
      await untilReady(() => failure.isReady(path));
      const before = await path(SOURCE, SINK);
      await pause(BACK_MS);
      // no failure in step with the probes
      await pause((i * 0.618_034 * 1000) % 250);
      const brokenMs = nowMs();
      await failure.breaks(lab, before);
      await pause(BROKEN_MS);
      const after = await path(SOURCE, SINK);
      const mendedMs = nowMs();
      await failure.mends(lab);
      await untilReady(() => failure.isReady(path));
      await pause(SETTLED_MS);
      moments.push({ brokenMs, mendedMs, endMs: nowMs(), before: before.join(' '), after: after.join(' ') });
    }
    await flow.finish();
    if (flow.problem !== null) throw new ThalwegError('internal', `the flow failed: ${flow.problem}`);
    return moments.map(({ brokenMs, mendedMs, endMs, before, after }) => {
      const broken = flow.result({ fromMs: brokenMs - 100, toMs: mendedMs - 100 });
      const back = flow.result({ fromMs: mendedMs - 100, toMs: endMs });
      return {
        outageMs: Math.round((broken?.outageUs ?? Number.NaN) / 100) / 10,
        lost: broken?.lost ?? Number.NaN,
        lostWhenBack: back?.lost ?? Number.NaN,
        pathBefore: before,
        pathAfter: after,
      };
    });
  } finally {
    await flow.abandon();
  }
}

async function untilReady(isReady: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  while (!(await isReady())) {
    if (performance.now() > deadlineMs) throw new ThalwegError('timeout', `the mesh is not back after ${READY_MS} ms`);
    await pause(200);
  }
}

/** Packets a second that each host sends on its underlay interface while nothing happens. */
async function controlPackets({ lab }: BenchLab, seconds: number) {
  const read = async (host: string, device: string): Promise<number> => {
    const { stdout } = await lab.exec(host, ['ip', '-json', '-stats', 'link', 'show', 'dev', device]);
    const [link] = JSON.parse(`${stdout}`) as { stats64: { tx: { packets: number } } }[];
    return link?.stats64.tx.packets ?? Number.NaN;
  };
  const all = (device: string) => Promise.all(HOSTS.map((host) => read(host, device)));
  const before = [await all('eth0'), await all('tw0')];
  const begunMs = performance.now();
  await pause(seconds * 1000);
  const after = [await all('eth0'), await all('tw0')];
  const elapsedS = (performance.now() - begunMs) / 1000;
  const [underlay, tunnel] = after.map((counts, device) =>
    counts.map((packets, host) => Math.round(((packets - (before[device]?.[host] ?? 0)) / elapsedS) * 10) / 10),
  );
  return { seconds, underlayPacketsPerSecond: underlay, tunnelPacketsPerSecond: tunnel };
}
