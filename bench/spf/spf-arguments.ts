/** The arguments of `bench -- spf` and `bench -- spf-graph`. */
import { ThalwegError } from '../../protocol/error.ts';
import { text, type Values, whole } from '../values.ts';
import { writeTextFile } from './graph-file.ts';
import { generatedGraph } from './graph-generator.ts';
import type { SpfBenchOptions } from './spf-bench.ts';
import { SPF_TASKS } from './spf-candidate.ts';

export const SPF_KEYS = ['graph', 'task', 'rounds', 'sources', 'changes', 'seed', 'only'] as const;
export const SPF_GRAPH_KEYS = ['nodes', 'links', 'leaves', 'leaf-links', 'seed', 'out'] as const;

export function spfOptions(values: Values): SpfBenchOptions {
  const task = SPF_TASKS.find((each) => each === values['task']);
  if (task === undefined) {
    throw new ThalwegError('invalid_argument', `--task ${values['task'] ?? ''} is not a task`, {
      nextStep: `give --task ${SPF_TASKS.join('|')}`,
    });
  }
  return {
    file: text(values, 'graph'),
    task,
    rounds: whole(values, 'rounds', { otherwise: 5 }),
    sources: whole(values, 'sources', { otherwise: 20 }),
    changes: whole(values, 'changes', { otherwise: 1000 }),
    seed: whole(values, 'seed', { otherwise: 1, least: 0, most: 2 ** 31 - 1 }),
    only: (values['only'] ?? '').split(',').filter((name) => name !== ''),
  };
}

/** Writes a generated graph to `--out`. */
export async function makeSpfGraph(values: Values): Promise<unknown> {
  const most = 10_000_000;
  const nodes = whole(values, 'nodes', { otherwise: 5000, most });
  const options = {
    nodes,
    links: whole(values, 'links', { otherwise: nodes * 32, most: 100_000_000 }),
    leaves: whole(values, 'leaves', { otherwise: 0, least: 0, most }),
    leafLinks: whole(values, 'leaf-links', { otherwise: 3, most: 64 }),
    seed: whole(values, 'seed', { otherwise: 1, least: 0, most: 2 ** 31 - 1 }),
  };
  const out = text(values, 'out');
  await writeTextFile(out, generatedGraph(options));
  return { benchmark: 'spf-graph', ...options, out };
}
