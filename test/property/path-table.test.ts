import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { PathTable, UNREACHABLE } from '../../steering/spf/path-table.ts';
import { fillPlainly } from '../../steering/spf/plain-rows.ts';
import { SpfTree } from '../../steering/spf/spf-tree.ts';
import { graphOf, spfNets, turned } from './spf-nets.ts';

const HOP = 250;

/** The trees of the one-source reference, as the rows of a table of paths to each root. */
function reference(graph: CsrGraph, transitHopUs: number) {
  const tree = new SpfTree();
  const compute = dijkstra();
  const inUse = new Int32Array(graph.slotCount).fill(-1);
  const slots = [...graph.slots()];
  return [...Array(graph.slotCount).keys()].map((root) => {
    if (!slots.includes(root)) return Array(graph.slotCount).fill([UNREACHABLE, -1, 0]);
    compute(graph, root, { transitHopUs, frozen: null, inUse, banned: null }, tree);
    return [...Array(graph.slotCount).keys()].map((slot) => [
      Math.min(tree.distance[slot] ?? 0, UNREACHABLE),
      tree.nextHop[slot],
      tree.hops[slot],
    ]);
  });
}

function rows(graph: CsrGraph, table: PathTable) {
  const all = [...Array(graph.slotCount).keys()];
  return all.map((root) =>
    all.map((slot) => [table.distanceOf(root, slot), table.predecessorOf(root, slot), table.hopsOf(root, slot)]),
  );
}

describe('a path table filled plainly', { timeout: 60_000 }, () => {
  it('holds the trees of the one-source reference when filled against the arcs', () => {
    fc.assert(
      fc.property(spfNets(24), fc.constantFrom(0, HOP), (net, transitHopUs) => {
        const { graph } = graphOf(net);
        const table = PathTable.allocate(graph.slotCount);
        fillPlainly({ graph, arcs: graph.into, transitHopUs }, table);
        expect(rows(graph, table)).toEqual(reference(graph, transitHopUs));
      }),
    );
  });

  it('holds the trees of the graph with turned arcs when filled along them', () => {
    fc.assert(
      fc.property(spfNets(24), (net) => {
        const { graph } = graphOf(net);
        const table = PathTable.allocate(graph.slotCount);
        fillPlainly({ graph, arcs: graph.out, transitHopUs: HOP }, table);
        expect(rows(graph, table)).toEqual(reference(graphOf(turned(net)).graph, HOP));
      }),
    );
  });
});
