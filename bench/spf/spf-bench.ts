/**
 * `bench -- spf`: implementations of one shortest-path task on one graph, each in a process of its own, taking turns
 * round by round, so that whatever else the machine does falls on all of them.
 */

import { ThalwegError } from '../../protocol/error.ts';
import { quantile } from '../quantile.ts';
import { CandidateRunner } from './candidate-runner.ts';
import { CANDIDATES } from './candidates.ts';
import { readGraphFile } from './graph-file.ts';
import { type SpfRun, WARM_UP_ROUNDS } from './spf-input.ts';

export interface SpfBenchOptions extends SpfRun {
  /** Names of implementations to run; empty: all. */
  readonly only: readonly string[];
}

export interface ImplementationFigures {
  readonly name: string;
  readonly ours: boolean;
  readonly samples: number;
  readonly medianMs: number;
  readonly spreadMs: { readonly p10: number; readonly p90: number; readonly p99: number; readonly worst: number };
  /** Its median over that of our first; null where ours did not run. */
  readonly ratioToOurs: number | null;
  /** Peak resident memory of its process, with graph and runtime. */
  readonly peakMb: number;
  readonly checksum: string;
}

export interface SpfBenchResult {
  readonly benchmark: 'spf';
  readonly graph: {
    readonly file: string;
    readonly nodes: number;
    readonly transitNodes: number;
    readonly arcs: number;
  };
  readonly task: string;
  readonly rounds: number;
  readonly implementations: readonly ImplementationFigures[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  /** All that ran found the same distances. */
  readonly checksumsAgree: boolean;
}

export async function benchSpf({ only, ...run }: SpfBenchOptions): Promise<SpfBenchResult> {
  const candidates = CANDIDATES[run.task];
  for (const name of only) {
    if (candidates.some((candidate) => candidate.name === name)) continue;
    throw new ThalwegError('invalid_argument', `no implementation of ${run.task} is named ${JSON.stringify(name)}`, {
      nextStep: `name some of: ${candidates.map((candidate) => candidate.name).join(', ')}`,
    });
  }
  // read here first: a mistake in the file is said once
  const graph = await readGraphFile(run.file);
  const transitNodes = [...graph.slots()].filter((slot) => graph.isTransit(slot)).length;
  const chosen = candidates.filter(({ name }) => only.length === 0 || only.includes(name));
  const runners = chosen.map(({ name }) => new CandidateRunner(name));
  try {
    for (const runner of runners) await runner.open(run);
    for (let round = 0; round < WARM_UP_ROUNDS + run.rounds; round++) {
      for (const runner of runners) if (runner.fit) await runner.round(round < WARM_UP_ROUNDS);
    }
    for (const runner of runners) if (runner.fit) await runner.finish();
  } finally {
    for (const runner of runners) runner.stop();
  }
  const broken = runners.find((runner) => runner.failed !== null);
  if (broken !== undefined) throw new ThalwegError('internal', `${broken.name}: ${broken.failed}`);
  const ran = runners.filter((runner) => runner.fit);
  const isOurs = (name: string): boolean => candidates.some((each) => each.name === name && each.ours);
  const ours = ran.find((runner) => isOurs(runner.name));
  return {
    benchmark: 'spf',
    graph: { file: run.file, nodes: graph.nodeCount, transitNodes, arcs: graph.arcCount },
    task: run.task,
    rounds: run.rounds,
    implementations: ran.map((runner) => figures(runner, isOurs(runner.name), ours)),
    leftOut: runners.filter(({ unfit }) => unfit !== null).map(({ name, unfit }) => ({ name, why: unfit ?? '' })),
    checksumsAgree: new Set(ran.map((runner) => runner.checksum)).size <= 1,
  };
}

function figures(
  runner: CandidateRunner,
  ours: boolean,
  reference: CandidateRunner | undefined,
): ImplementationFigures {
  const { name, samplesMs, checksum, peakMb } = runner;
  const medianMs = quantile(samplesMs, 0.5, Number.NaN);
  return {
    name,
    ours,
    samples: samplesMs.length,
    medianMs: rounded(medianMs),
    spreadMs: {
      p10: rounded(quantile(samplesMs, 0.1, Number.NaN)),
      p90: rounded(quantile(samplesMs, 0.9, Number.NaN)),
      p99: rounded(quantile(samplesMs, 0.99, Number.NaN)),
      worst: rounded(quantile(samplesMs, 1, Number.NaN)),
    },
    ratioToOurs: reference === undefined ? null : rounded(medianMs / quantile(reference.samplesMs, 0.5, Number.NaN)),
    peakMb: Math.round(peakMb),
    checksum,
  };
}

/** Four significant digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
