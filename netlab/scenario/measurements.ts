/** Every figure of a run that somebody may want, whether or not the scenario expects something of it. */
import { type SampleSummary, summarise } from '../traffic/percentile.ts';
import { type PairReplies, pairRtts } from './ping-run.ts';
import type { RunRecord } from './run-record.ts';
import { pairKey, RTT_STATISTICS } from './scenario.ts';
import type { Measurement } from './scenario-result.ts';
import { optimumPaths } from './underlay-shapes.ts';

export function measurements(record: RunRecord): Measurement[] {
  const whole = { from: null, to: null };
  return [
    { name: 'joined', ...whole, value: seconds(record.joinedMs), unit: 's' },
    { name: 'steered', ...whole, value: seconds(record.steeredMs), unit: 's' },
    ...record.scenario.pings.flatMap((ping) => pingMeasurements(ping.name, record)),
    ...record.scenario.flows.flatMap((flow) => flowMeasurements(flow.name, flow, record)),
    ...resourceMeasurements(record),
    { name: 'processors idle', ...whole, value: record.processors?.idle ?? null, unit: 'ratio' },
    { name: 'processors stolen', ...whole, value: record.processors?.stolen ?? null, unit: 'ratio' },
  ];
}

/** Optimum of the scenario's own underlay for a pair, microseconds. */
export function optimaUs(record: Pick<RunRecord, 'scenario'>): (from: string, to: string) => number | undefined {
  const { hosts, shapes } = record.scenario;
  const best = optimumPaths(hosts, (from, to) => {
    const shape = shapes.get(pairKey(from, to));
    if (shape === undefined) throw new Error(`no shape for ${from} -> ${to}`);
    return shape;
  });
  return (from, to) => best.get(pairKey(from, to))?.rttUs;
}

/** Statistics of the RTTs of one pair, microseconds. */
export function rttSummary(pair: PairReplies): SampleSummary {
  return summarise(pairRtts(pair));
}

function pingMeasurements(name: string, record: RunRecord): Measurement[] {
  const pairs = record.pairReplies(name);
  const optimum = optimaUs(record);
  const ratios: number[] = [];
  const perPair = pairs.flatMap((pair): Measurement[] => {
    const summary = rttSummary(pair);
    const where = { from: pair.from, to: pair.to };
    const bestUs = optimum(pair.from, pair.to);
    if (summary.p50 !== null && bestUs !== undefined && bestUs > 0) ratios.push(summary.p50 / bestUs);
    return [
      ...RTT_STATISTICS.map((key): Measurement => {
        const value = summary[key];
        return { name: `rtt ${key} (${name})`, ...where, value: value === null ? null : value / 1_000, unit: 'ms' };
      }),
      { name: `rtt optimum (${name})`, ...where, value: bestUs === undefined ? null : bestUs / 1_000, unit: 'ms' },
      { name: `ping sent (${name})`, ...where, value: pair.sent, unit: 'packets' },
      { name: `ping lost (${name})`, ...where, value: Math.max(0, pair.sent - summary.count), unit: 'packets' },
    ];
  });
  const mean = summarise(ratios).mean;
  if (pairs.length < 2) return perPair;
  return [
    ...perPair,
    { name: `rtt p50 / optimum, mean over pairs (${name})`, from: null, to: null, value: mean, unit: 'ratio' },
  ];
}

/** Name of the measurement -> field of the flow's result. */
const PACKET_FIGURES = {
  sent: 'sent',
  received: 'received',
  lost: 'lost',
  refused: 'refused',
  duplicated: 'duplicated',
  reordered: 'reordered',
  sinkDropped: 'sinkDropped',
} as const;
const TIME_FIGURES = {
  outage: 'outageUs',
  'delay p50': 'delayP50Us',
  'delay p99': 'delayP99Us',
  'delay max': 'delayMaxUs',
} as const;

function flowMeasurements(name: string, where: { from: string; to: string }, record: RunRecord): Measurement[] {
  const result = record.flow(name, null);
  if (result === undefined) return [];
  const { from, to } = where;
  const packets = Object.entries(PACKET_FIGURES).map(([label, key]): Measurement => {
    return { name: `${label} (${name})`, from, to, value: result[key], unit: 'packets' };
  });
  const times = Object.entries(TIME_FIGURES).map(([label, key]): Measurement => {
    const us = result[key];
    return { name: `${label} (${name})`, from, to, value: us === null ? null : us / 1_000, unit: 'ms' };
  });
  return [...packets, ...times];
}

function resourceMeasurements(record: RunRecord): Measurement[] {
  const out: Measurement[] = [];
  for (const [when, snapshots] of Object.entries(record.resources ?? {})) {
    for (const [host, snapshot] of snapshots) {
      const add = (name: string, value: number | null, unit: Measurement['unit']) =>
        out.push({ name: `${name} ${when}`, from: host, to: null, value, unit });
      add('memory', snapshot.memoryBytes, 'bytes');
      add('descriptors', snapshot.descriptors, 'count');
      add('processes', snapshot.processes, 'count');
      add('peers', snapshot.peers, 'count');
    }
  }
  return out;
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1_000;
}
