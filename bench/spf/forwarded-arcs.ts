/** A graph for libraries that know no transit bit: without the arcs that leave nodes which do not forward. */
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import type { WeightChange } from './spf-candidate.ts';

/** The arcs that a path from a transit node can use. */
export function* forwardedArcs(graph: CsrGraph): Generator<WeightChange> {
  for (const from of graph.slots()) {
    if (!graph.isTransit(from)) continue;
    const start = graph.out.start[from] ?? 0;
    for (let k = start; k < start + (graph.out.length[from] ?? 0); k++) {
      yield { from, to: graph.out.neighbour[k] ?? 0, weight: graph.out.weight[k] ?? 0 };
    }
  }
}
