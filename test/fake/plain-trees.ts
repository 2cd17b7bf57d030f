/** Trees of a fleet that are computed afresh whenever they are asked for: slow, and obviously right. */
import type { FleetTrees, TreeChanges } from '../../steering/fleet/fleet-engine.ts';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { PathTable } from '../../steering/spf/path-table.ts';
import { fillPlainly } from '../../steering/spf/plain-rows.ts';

export class PlainTrees implements FleetTrees {
  table = PathTable.allocate(0);
  readonly #graph: CsrGraph;

  constructor(graph: CsrGraph) {
    this.#graph = graph;
  }

  refresh(): TreeChanges {
    const graph = this.#graph;
    if (this.table.capacity < graph.slotCount) this.table = PathTable.allocate(graph.slotCount + 2);
    fillPlainly({ graph, arcs: graph.into, transitHopUs: 250 }, this.table);
    return {
      roots: [...graph.slots()],
      root: new Int32Array(0),
      slot: new Int32Array(0),
      count: 0,
      isComplete: false,
    };
  }
}
