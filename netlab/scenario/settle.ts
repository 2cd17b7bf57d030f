/** When a mesh counts as steered: every pair has the path that it is going to keep. */
import type { Clock } from '../../protocol/clock.ts';
import { isConverged, type MeshSample, type MeshWatch } from './mesh-watch.ts';
import { pause } from './run-lab.ts';
import { pairKey, type Scenario } from './scenario.ts';
import { optimumPaths } from './underlay-shapes.ts';
import { matrixRttUs } from './verdict.ts';

/** Paths that the underlay's own delays call best (or as good as), one or the other of them, need not be watched for long. */
const OPTIMAL_MS = 1_500;
/** Others may still move: longer than the hold time of a move. */
const OTHER_SAME_MS = 8_000;
/** As good as the optimum: this much more, for what loss, jitter and transit hops are priced at. */
const NEAR_US = 1_500;
const NEAR_SHARE = 0.05;
const POLL_MS = 100;

/**
 * Waits, at most `settleMs`, until every pair has an installed path that is as good as the underlay's best, or until
 * none has changed for a while. Returns the monotonic time since which that holds, null when it was not reached.
 */
export async function settle(
  watch: Pick<MeshWatch, 'latest' | 'sameSinceMonoMs'>,
  clock: Clock,
  scenario: Scenario,
  signal: AbortSignal,
): Promise<number | null> {
  const optimal = optimalityOf(scenario);
  const expected = scenario.hosts.filter((host) => host.joins === 'now').length;
  const deadlineMonoMs = clock.monoMs() + scenario.settleMs;
  let optimalSinceMonoMs: number | null = null;
  while (!signal.aborted && clock.monoMs() < deadlineMonoMs) {
    const sample = watch.latest;
    // Before anything is measured every path is direct, and nobody knows whether packets pass.
    const isMeasured = sample?.paths.every((path) => path.rttUs !== null) === true;
    if (sample !== undefined && isMeasured && sample.nodes.filter((n) => n.online).length >= expected) {
      const { atMonoMs } = sample;
      if (!optimal(sample)) optimalSinceMonoMs = null;
      else if (isConverged(sample)) optimalSinceMonoMs ??= atMonoMs;
      if (optimalSinceMonoMs !== null && atMonoMs - optimalSinceMonoMs >= OPTIMAL_MS) return optimalSinceMonoMs;
      if (isConverged(sample) && atMonoMs - watch.sameSinceMonoMs >= OTHER_SAME_MS) return watch.sameSinceMonoMs;
    }
    await pause(clock, POLL_MS, signal);
  }
  return null;
}

/** Whether every path of a sample is within a hair of the best that the underlay's delays allow. */
function optimalityOf(scenario: Scenario): (sample: MeshSample) => boolean {
  const shape = (from: string, to: string) => {
    const own = scenario.shapes.get(pairKey(from, to));
    if (own === undefined) throw new Error(`no shape for ${from} -> ${to}`);
    return own;
  };
  const best = optimumPaths(scenario.hosts, shape);
  return (sample) =>
    sample.paths.every(({ from, to, path }) => {
      const bestUs = best.get(pairKey(from, to))?.rttUs ?? 0;
      const ownUs = matrixRttUs(path, (a, b) => scenario.shapes.get(pairKey(a, b))?.oneWayDelayUs ?? 0);
      return path.length >= 2 && ownUs <= bestUs * (1 + NEAR_SHARE) + NEAR_US;
    });
}
