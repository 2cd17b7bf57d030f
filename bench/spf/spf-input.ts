/** What all implementations of one run are given: made from the file and the seed, so each process makes the same. */

import { seededRandom } from '../../netlab/seeded-random.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { readGraphFile } from './graph-file.ts';
import { wholeBelow } from './random.ts';
import type { SpfInput, SpfTask, WeightChange } from './spf-candidate.ts';

export interface SpfRun {
  readonly file: string;
  readonly task: SpfTask;
  readonly rounds: number;
  /** Sources of sssp and leaves. */
  readonly sources: number;
  /** Changed weights per round of update. */
  readonly changes: number;
  readonly seed: number;
}

/** One round more than is measured: the first warms up. */
export const WARM_UP_ROUNDS = 1;

export async function readInput(run: SpfRun): Promise<SpfInput> {
  const graph = await readGraphFile(run.file);
  const transit = [...graph.slots()].filter((slot) => graph.isTransit(slot));
  if (transit.length === 0) throw new ThalwegError('invalid_argument', `${run.file} has no node that forwards`);
  const one = run.task === 'sssp' || run.task === 'leaves';
  const count = one ? Math.min(run.sources, transit.length) : transit.length;
  const sources = Int32Array.from({ length: count }, (_, i) => transit[Math.floor((i * transit.length) / count)] ?? 0);
  const changes = run.task === 'update' ? weightChanges(graph, run) : [];
  return { task: run.task, file: run.file, graph, sources, changes, changesPerRound: run.changes };
}

/** A random arc each time, its weight of then times a random factor from 0.5 to 2. */
function weightChanges(graph: CsrGraph, { changes, rounds, seed }: SpfRun): WeightChange[] {
  const random = seededRandom(seed);
  const arcs: { from: number; to: number; weight: number }[] = [];
  for (const from of graph.slots()) {
    const start = graph.out.start[from] ?? 0;
    for (let k = start; k < start + (graph.out.length[from] ?? 0); k++) {
      arcs.push({ from, to: graph.out.neighbour[k] ?? 0, weight: graph.out.weight[k] ?? 1 });
    }
  }
  const least = arcs.reduce((low, arc) => Math.min(low, arc.weight), Number.POSITIVE_INFINITY);
  return Array.from({ length: arcs.length === 0 ? 0 : changes * (rounds + WARM_UP_ROUNDS) }, () => {
    const arc = arcs[wholeBelow(random, arcs.length)] ?? { from: 0, to: 0, weight: 1 };
    // the least weight is a floor that the cost function keeps, too
    arc.weight = Math.min(2 ** 31 - 1, Math.max(least, Math.round(arc.weight * 2 ** (2 * random() - 1))));
    return { ...arc };
  });
}
