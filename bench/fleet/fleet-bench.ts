/**
 * `bench -- fleet`: a fleet of one core. Loading it, the first tables of all nodes, then reports at a fixed rate whatever
 * the engine does (open loop), with what it takes from a report to the last delta that it causes; then table sizes.
 *
 *   latency   from when a report was due to the end of the step that took it, when all deltas of the step were out;
 *             of a transit link's (apart as well) to the end of the step after which no changed next hop was left
 *   delta     from when the oldest report of its step was due to when the delta was handed over
 *   Moves that have to win for a while first (leaf/leaf-homes.ts) wait for that besides.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { quantile } from '../quantile.ts';
import { type Values, whole } from '../values.ts';
import { type LoadedFleet, loadFleet, reportRandomLink } from './fleet-load.ts';
import { FleetModel } from './fleet-model.ts';
import { moveUntil, type TableSizes, tableSizes } from './table-sizes.ts';

export const FLEET_KEYS = [
  'transit',
  'leaves',
  'links',
  'degree',
  'demands',
  'rate',
  'seconds',
  'interval',
  'transit-percent',
  'seed',
];

export interface FleetBenchOptions {
  readonly transit: number;
  readonly leaves: number;
  readonly links: number;
  readonly degree: number;
  readonly demands: number;
  /** Reports each second, for how long, how often the engine steps; and how many are of links between transit nodes: 1 %
   * is about their share of all links. */
  readonly rate: number;
  readonly seconds: number;
  readonly intervalMs: number;
  readonly transitPercent: number;
  readonly seed: number;
}

export function fleetOptionsOf(values: Values): FleetBenchOptions {
  return {
    transit: whole(values, 'transit', { otherwise: 2_000, least: 3 }),
    leaves: whole(values, 'leaves', { otherwise: 1_000_000, most: 1_046_000 }),
    links: whole(values, 'links', { otherwise: 3, most: 4 }),
    degree: whole(values, 'degree', { otherwise: 16, least: 2, most: 64 }),
    demands: whole(values, 'demands', { otherwise: 4, least: 0, most: 4 }),
    rate: whole(values, 'rate', { otherwise: 1_000, most: 1_000_000 }),
    seconds: whole(values, 'seconds', { otherwise: 35, least: 0 }),
    intervalMs: whole(values, 'interval', { otherwise: 25 }),
    transitPercent: whole(values, 'transit-percent', { otherwise: 1, least: 0, most: 100 }),
    seed: whole(values, 'seed', { otherwise: 1 }),
  };
}

export async function benchFleet(options: FleetBenchOptions): Promise<unknown> {
  const model = new FleetModel(options);
  const begunAt = performance.now();
  const fleet = loadFleet(model, options.demands);
  const loadedAt = performance.now();
  const { engine } = fleet;
  engine.start(0, () => undefined);
  const startedAt = performance.now();
  const { deltas, rows, bytes } = engine.stream;
  const sizes: TableSizes[] = [tableSizes(fleet)];
  const first = {
    loadS: seconds(loadedAt - begunAt),
    tablesS: seconds(startedAt - loadedAt),
    deltas,
    rows,
    megabytes: Math.round(bytes / 1e6),
    blocks: [...fleet.graph.slots()].reduce((sum, slot) => sum + engine.blocks.countOf(slot), 0),
    leafRows: leafRows(fleet),
  };
  const sustained = options.seconds === 0 ? null : await sustain(fleet, options);
  const later = 10 ** 7;
  for (const percent of [1, 10]) {
    moveUntil(fleet, Math.round((options.leaves * percent) / 100), later * percent);
    sizes.push(tableSizes(fleet));
  }
  return {
    bench: 'fleet',
    ...options,
    transitLinks: model.pairs.length,
    first,
    sustained,
    tables: sizes,
    peakMB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

async function sustain(fleet: LoadedFleet, options: FleetBenchOptions): Promise<unknown> {
  const { engine } = fleet;
  const { rate, intervalMs, transitPercent } = options;
  const total = rate * options.seconds;
  const latencies: number[] = [];
  const transitLatencies: number[] = [];
  /** Reports on transit links whose deltas are not all out, by when they were due. */
  const open: number[] = [];
  const deltaLatencies: number[] = [];
  const steps: number[] = [];
  const ways = { link: 0, batch: 0, fresh: 0 };
  const nextHops: number[] = [];
  const before = { deltas: engine.stream.deltas, rows: engine.stream.rows, bytes: engine.stream.bytes };
  const movedBefore = engine.transitTables.movedCount;
  let [backlog, taken, oldestMs] = [0, 0, 0];
  const cpuBefore = process.cpuUsage();
  const begunMs = performance.now();
  const sink = () => {
    deltaLatencies.push(performance.now() - begunMs - oldestMs);
  };
  while (taken < total) {
    const atMs = performance.now() - begunMs;
    const due = Math.min(total, Math.floor((atMs / 1_000) * rate));
    backlog = Math.max(backlog, due - taken);
    oldestMs = ((taken + 1) / rate) * 1_000;
    const from = taken;
    const { version } = fleet.trees;
    const isTransit: boolean[] = [];
    // the engine's clock starts well after the load, so that no link is young
    for (; taken < due; taken++) {
      const ofTransit = reportRandomLink(fleet, transitPercent / 100, 60_000 + atMs);
      isTransit.push(ofTransit);
      if (ofTransit) open.push(((taken + 1) / rate) * 1_000);
    }
    engine.step(60_000 + atMs, sink);
    const doneMs = performance.now() - begunMs;
    const { way, changes } = fleet.trees;
    if (fleet.trees.version !== version && way !== 'none') {
      ways[way]++;
      if (way !== 'fresh') nextHops.push(changes.count);
    }
    for (let i = from; i < due; i++)
      if (!(isTransit[i - from] ?? false)) latencies.push(doneMs - ((i + 1) / rate) * 1_000);
    if (!engine.isBehind) {
      for (const dueMs of open.splice(0)) {
        transitLatencies.push(doneMs - dueMs);
        latencies.push(doneMs - dueMs);
      }
    }
    steps.push(doneMs - atMs);
    const waitMs = atMs + intervalMs - doneMs;
    // also when late: others of the process get their turn
    await pause(Math.max(0, waitMs));
  }
  const tookS = (performance.now() - begunMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    seconds: seconds(tookS * 1_000),
    reportsPerS: Math.round(total / tookS),
    latencyMs: summary(latencies),
    transitLatencyMs: { ...summary(transitLatencies), unfinished: open.length },
    deltaMs: summary(deltaLatencies),
    stepMs: summary(steps),
    treeRefreshes: ways,
    changedNextHops: summary(nextHops),
    largestBacklog: backlog,
    deltasPerS: Math.round((engine.stream.deltas - before.deltas) / tookS),
    rowsPerS: Math.round((engine.stream.rows - before.rows) / tookS),
    megabytesPerS: Math.round((engine.stream.bytes - before.bytes) / tookS / 1e5) / 10,
    movedLeaves: engine.transitTables.movedCount - movedBefore,
    cpuPercent: Math.round((user + system) / 1e4 / tookS),
  };
}

/** Rows of the leaves' own tables: how many leaves have an exception, and the mean number of rows. */
function leafRows({ engine, leaf }: LoadedFleet): { mean: number; withExceptions: number } {
  let [rows, excepted] = [0, 0];
  for (const index of leaf) {
    const size = engine.leafTables.size(index);
    rows += size;
    if (size > 1) excepted++;
  }
  return { mean: Math.round((100 * rows) / leaf.length) / 100, withExceptions: excepted };
}

function summary(values: readonly number[]): { p50: number; p99: number; most: number } {
  const rounded = (share: number) => Math.round(quantile(values, share) * 10) / 10;
  return { p50: rounded(0.5), p99: rounded(0.99), most: rounded(1) };
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
