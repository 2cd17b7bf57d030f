/** One table of what was measured, in Markdown; runs in pieces are put together by their samples. Pure but for reading files. */
import { readFileSync } from 'node:fs';
import { ThalwegError } from '../../protocol/error.ts';
import type { ContestantResult, PeersResult } from './peers-bench.ts';
import { type Row, rowOf, type Sample } from './sample.ts';

export interface MergedRow {
  readonly contestant: string;
  readonly scenario: string;
  readonly packetsPerSecond: number;
  readonly row: Row;
}

/** Samples of the same contestant, scenario and rate as one row, in the order in which they first appear. */
export function mergeRows(results: readonly ContestantResult[]): MergedRow[] {
  const groups = new Map<string, { first: ContestantResult; samples: Sample[] }>();
  for (const result of results) {
    if (result.samples === undefined || result.samples.length === 0) continue;
    const key = `${result.scenario}|${result.contestant}|${result.packetsPerSecond}`;
    const group = groups.get(key) ?? { first: result, samples: [] };
    group.samples.push(...result.samples);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ first, samples }) => ({
    contestant: first.contestant,
    scenario: first.scenario,
    packetsPerSecond: first.packetsPerSecond,
    row: rowOf(samples),
  }));
}

export function renderTable(results: readonly ContestantResult[]): string {
  const lines: string[] = [];
  const rows = mergeRows(results);
  for (const scenario of new Set(rows.map((row) => row.scenario))) {
    lines.push(
      '',
      `| ${scenario} | repetitions | outage p50 ms | p99 | worst | lossy for ms, p50 | lost | lost on the way back (in) | interruptions, worst |`,
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    );
    for (const { contestant, packetsPerSecond, row } of rows.filter((one) => one.scenario === scenario)) {
      const { outageMs, lossyForMs, lost, backLost, backLostIn, worstInterruptions, repetitions } = row;
      const name = packetsPerSecond === 1_000 ? contestant : `${contestant} (${packetsPerSecond} packets/s)`;
      const notes = [
        row.notRecovered > 0 ? `${row.notRecovered} not repaired` : '',
        row.notReturned > 0 ? `${row.notReturned} not taken back` : '',
      ].filter((note) => note !== '');
      const count = [`${repetitions}`, ...notes].join(', ');
      const cells = [name, count, outageMs.p50, outageMs.p99, outageMs.worst, lossyForMs.p50, lost];
      lines.push(
        `| ${[...cells, `${backLost} (${backLostIn})`, worstInterruptions].map((cell) => cell ?? '-').join(' | ')} |`,
      );
    }
  }
  lines.push(...steadyTable(results), ...stretchTable(results));
  return lines.join('\n');
}

function steadyTable(results: readonly ContestantResult[]): string[] {
  const steady = results.flatMap(({ contestant, steady: one }) => (one === undefined ? [] : [{ contestant, ...one }]));
  if (steady.length === 0) return [];
  return [
    '',
    '| steady state | control packets/s, sending node | idle node | CPU % of a node: daemon | core |',
    '| --- | --- | --- | --- | --- |',
    ...steady.map(
      (one) =>
        `| ${one.contestant} | ${one.busyControlPps} | ${one.idleControlPps} | ${one.meanDaemonCpuPercent} | ${one.coreCpuPercent} |`,
    ),
  ];
}

function stretchTable(results: readonly ContestantResult[]): string[] {
  const all = results.flatMap(({ contestant, stretch }) => (stretch === undefined ? [] : [{ contestant, ...stretch }]));
  if (all.length === 0) return [];
  return [
    '',
    '| RTT over the best possible | mean | worst | pairs over 1.1 | pairs | direct links: mean |',
    '| --- | --- | --- | --- | --- | --- |',
    ...all.map(
      (one) =>
        `| ${one.contestant} | ${one.mean} | ${one.worst} | ${one.overTenPercent} | ${one.pairs} | ${one.meanOfDirect} |`,
    ),
  ];
}

/** Results of files that `bench -- peers --json` wrote. Throws not_found, invalid_argument. */
export function readResults(files: readonly string[]): ContestantResult[] {
  return files.flatMap((file) => {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (cause) {
      throw new ThalwegError('not_found', `${file} cannot be read`, { cause });
    }
    try {
      return (JSON.parse(text) as PeersResult).results;
    } catch (cause) {
      throw new ThalwegError('invalid_argument', `${file} is not what the benchmark peers writes`, { cause });
    }
  });
}
