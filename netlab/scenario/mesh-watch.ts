/** What the core says about the mesh while a scenario runs: nodes, paths and their changes, over its API. */
import type { NodeView, PathChange, PathView, StatusView } from '../../protocol/api.ts';
import type { Clock } from '../../protocol/clock.ts';
import { pause } from './run-lab.ts';
import { type Direction, orderedPairs, pairKey } from './scenario.ts';
import type { PairView, RunPathChange } from './scenario-result.ts';

/** The part of ApiClient that is used here. */
export interface ApiReader {
  get<T>(path: string): Promise<T>;
}

export interface MeshSample {
  readonly atMonoMs: number;
  readonly status: StatusView;
  readonly paths: readonly PathView[];
  readonly nodes: readonly NodeView[];
}

export interface MeshWatchDeps {
  readonly api: ApiReader;
  readonly clock: Clock;
  readonly onSample: (sample: MeshSample) => void;
  readonly onChange: (change: PathChange) => void;
}

/** Often enough to date a state to a quarter of a second, seldom enough not to be a load on the core. */
const POLL_MS = 250;

export class MeshWatch {
  readonly changes: PathChange[] = [];
  /** Newest sample; undefined before the first. */
  latest: MeshSample | undefined;
  readonly #deps: MeshWatchDeps;
  readonly #abort = new AbortController();
  /** Monotonic time of each sample and whether it was converged with every pair reachable. */
  readonly #history: { readonly atMonoMs: number; readonly converged: boolean }[] = [];
  readonly #known = new Map<string, string>();
  #loop: Promise<void> | undefined;
  #seq = 0;
  #coreStartedAtMs = 0;
  #sameSinceMonoMs = 0;
  #fingerprint = '';

  constructor(deps: MeshWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
  }

  /** Since when (monotonic) nodes, generation and paths are the same. */
  get sameSinceMonoMs(): number {
    return this.#sameSinceMonoMs;
  }

  /** Whether the newest sample at or before a monotonic time was converged; undefined: no sample. */
  convergedAt(monoMs: number): boolean | undefined {
    return this.#history.findLast((sample) => sample.atMonoMs <= monoMs)?.converged;
  }

  node(name: string): NodeView | undefined {
    return this.latest?.nodes.find((node) => node.name === name);
  }

  /** One poll; throws what the API throws. */
  async poll(): Promise<MeshSample> {
    const { api, clock } = this.#deps;
    const status = await api.get<StatusView>('/v1/status');
    if (status.startedAtMs !== this.#coreStartedAtMs) {
      this.#coreStartedAtMs = status.startedAtMs;
      this.#seq = 0;
    }
    const changes = await api.get<PathChange[]>(`/v1/path-changes?after=${this.#seq}`);
    const paths = await api.get<PathView[]>('/v1/paths');
    const nodes = await api.get<NodeView[]>('/v1/nodes');
    const sample: MeshSample = { atMonoMs: clock.monoMs(), status, paths, nodes };
    for (const change of changes) this.#note(change);
    const text = JSON.stringify([
      nodes.map((n) => [n.name, n.online]),
      paths.map((p) => [p.from, p.to, p.path, p.installed]),
    ]);
    if (text !== this.#fingerprint) [this.#fingerprint, this.#sameSinceMonoMs] = [text, sample.atMonoMs];
    this.latest = sample;
    this.#history.push({ atMonoMs: sample.atMonoMs, converged: isConverged(sample) });
    this.#deps.onSample(sample);
    return sample;
  }

  /** A core that was restarted announces its first paths again: what is not news is not a change. */
  #note(change: PathChange): void {
    this.#seq = Math.max(this.#seq, change.seq);
    const key = pairKey(change.from, change.to);
    const after = change.after.join('>');
    if (this.#known.get(key) === after) return;
    const before = this.#known.get(key);
    this.#known.set(key, after);
    const noted =
      before === undefined || change.before.length > 0
        ? change
        : { ...change, before: before === '' ? [] : before.split('>') };
    this.changes.push(noted);
    this.#deps.onChange(noted);
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.poll();
      } catch {
        // A core that is killed does not answer; its last word stays in `latest`.
        this.#history.push({ atMonoMs: this.#deps.clock.monoMs(), converged: false });
      }
      await pause(this.#deps.clock, POLL_MS, signal);
    }
  }
}

/** Every node that is online forwards by its newest table, and every pair of online nodes has an installed path. */
export function isConverged(sample: MeshSample): boolean {
  const online = sample.nodes.filter((node) => node.online);
  if (online.some((node) => node.tableGeneration !== node.wantedGeneration)) return false;
  const paths = new Map(sample.paths.map((path) => [pairKey(path.from, path.to), path]));
  return orderedPairs(online.map((node) => node.name)).every(({ from, to }: Direction) => {
    const path = paths.get(pairKey(from, to));
    return path !== undefined && path.path.length >= 2 && path.installed;
  });
}

/** The paths of a sample as a live view shows them. */
export function pairViews(sample: MeshSample): PairView[] {
  return sample.paths.map(({ from, to, path, directRttUs, rttUs, sinceMs, reason }) => {
    return { from, to, path, directRttUs, rttUs, sinceMs, reason };
  });
}

/** The core's record with its time counted from t = 0, in seconds good to 1 ms. */
export function runPathChange(
  { atMs, from, to, before, after, reason }: PathChange,
  originUnixMs: number,
): RunPathChange {
  return { at: Math.round(atMs - originUnixMs) / 1_000, from, to, before, after, reason };
}
