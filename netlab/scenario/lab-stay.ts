/** A lab after its scenario: nothing is sent any more, its paths go on being told until somebody has seen enough. */
import type { Clock } from '../../protocol/clock.ts';
import { type ApiReader, isConverged, MeshWatch, pairViews, runPathChange } from './mesh-watch.ts';
import type { RunProgress } from './scenario-result.ts';

export interface LabStayDeps {
  readonly api: ApiReader;
  readonly clock: Clock;
  readonly onProgress: (progress: RunProgress) => void;
}

/** Resolves when `signal` aborts. `originUnixMs`: t = 0 of the scenario, which times go on being counted from. */
export async function stayWithLab(deps: LabStayDeps, originUnixMs: number, signal: AbortSignal): Promise<void> {
  const { api, clock, onProgress } = deps;
  const sinceUnixMs = clock.nowMs();
  const watch = new MeshWatch({
    api,
    clock,
    onSample: (sample) => {
      const atMs = clock.nowMs() - originUnixMs;
      onProgress({ kind: 'paths', atMs, pairs: pairViews(sample), converged: isConverged(sample) });
    },
    // The core tells its whole log at first; what was before was told by the run.
    onChange: (change) => {
      if (change.atMs >= sinceUnixMs) onProgress({ kind: 'pathChange', change: runPathChange(change, originUnixMs) });
    },
  });
  watch.start();
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await watch.stop();
}
