/**
 * How long packets may still be on their way on the plane that the sources have left: as long as the longest path of that
 * plane takes, twice (the weight of a link is a round trip), and as long again as any trip on earth, for what waits in queues.
 * Where nobody knows (a link that is not measured, groups), as long as is allowed at most. Pure.
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import type { HopChoice } from '../rib/hop-choice.ts';
import type { RolloutOptions } from './rollout-options.ts';

/** `hops`: without a loop, towards the node at slot `root`; in O(slots). Milliseconds. */
export function drainTimeMs(graph: CsrGraph, root: number, hops: HopChoice, options: RolloutOptions): number {
  if (hops.spread.size > 0) return options.drainMs;
  const restUs = new Float64Array(graph.slotCount).fill(-1);
  restUs[root] = 0;
  const way: number[] = [];
  let longestUs = 0;
  for (const source of graph.slots()) {
    let at = source;
    for (; (restUs[at] ?? 0) < 0; at = hops.nextHop(at)) {
      if (hops.nextHop(at) < 0) restUs[at] = 0;
      else if (way.push(at) > graph.slotCount) return options.drainMs;
    }
    for (let before = way.pop(); before !== undefined; before = way.pop()) {
      restUs[before] = (restUs[at] ?? 0) + graph.weight(before, at);
      at = before;
    }
    longestUs = Math.max(longestUs, restUs[source] ?? 0);
  }
  return Math.min(options.drainMs, options.urgentDrainMs + Math.ceil(longestUs / 1_000));
}
