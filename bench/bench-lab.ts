/** A small mesh for a benchmark: hosts on plain kernel links, core and agents running, removed at the end. */
import { setTimeout as pause } from 'node:timers/promises';
import { Lab, type LabSpec } from '../netlab/lab.ts';
import { CORE_HOST } from '../netlab/lab-spec.ts';
import { type LinkShape, PERFECT_LINK } from '../netlab/link-shape.ts';
import type { NodeView, PathView } from '../protocol/api.ts';
import { ApiClient } from '../protocol/api-client.ts';
import { ThalwegError } from '../protocol/error.ts';
import { silentLogger } from '../protocol/log.ts';

/** How long a mesh of a benchmark may take to be what the benchmark needs, before it gives up. */
const READY_MS = 60_000;

export interface BenchLab {
  readonly lab: Lab;
  readonly api: ApiClient;
  node(name: string): Promise<NodeView>;
  /** Resolves when the installed path from `from` to `to` is `path`. Throws timeout. */
  untilPath(from: string, to: string, path: readonly string[]): Promise<void>;
}

/** Builds the mesh, waits until every pair is steered, runs `body`, and takes everything down whatever happens. */
export async function withBenchLab<T>(
  hosts: readonly string[],
  body: (bench: BenchLab) => Promise<T>,
  core: NonNullable<LabSpec['core']> = {},
  shape: Partial<LinkShape> = {},
  agent: LabSpec['agent'] = {},
): Promise<T> {
  const lab = await Lab.up(
    {
      name: `bench-${process.pid}`,
      hosts: hosts.map((name) => ({ name, transit: true })),
      // the core's own links stay as they are: what is measured is the mesh
      links: (from, to) => ([from, to].includes(CORE_HOST) ? PERFECT_LINK : { ...PERFECT_LINK, ...shape }),
      core,
      agent,
      keepOnExit: false,
    },
    { log: silentLogger },
  );
  try {
    await lab.startCore();
    await Promise.all(hosts.map((host) => lab.join(host)));
    await Promise.all(hosts.map((host) => lab.startAgent(host)));
    const api = new ApiClient(lab.apiTarget);
    await until('every pair is steered', async () => {
      const paths = await api.get<PathView[]>('/v1/paths');
      return paths.length === hosts.length * (hosts.length - 1) && paths.every((p) => p.installed && p.cost !== null);
    });
    return await body({
      lab,
      api,
      node: (name) => api.get<NodeView>(`/v1/nodes/${name}`),
      untilPath: (from, to, path) =>
        until(`${from} reaches ${to} by ${path.join(', ')}`, async () => {
          const view = await api.get<PathView>(`/v1/paths/${from}/${to}`);
          return view.installed && view.path.join() === path.join();
        }),
    });
  } finally {
    await lab.down();
  }
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await check())) {
    if (performance.now() > deadline) throw new ThalwegError('timeout', `not within ${READY_MS / 1000} s: ${what}`);
    await pause(200);
  }
}

/** Middle value; of an even number of values, the mean of the middle two. Values must not be empty. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new RangeError('no values');
  return (low + high) / 2;
}
