/**
 * All ways to compute shortest paths beside the slow oracle, on one graph that is edited in random order: distances, hops
 * and predecessors are alike to the last bit, for every root, in both directions.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { IncrementalTable } from '../../steering/spf/incremental/incremental-table.ts';
import { OneSource } from '../../steering/spf/one-source.ts';
import { PathTable, UNREACHABLE } from '../../steering/spf/path-table.ts';
import { fillPlainly } from '../../steering/spf/plain-rows.ts';
import { SourceTree } from '../../steering/spf/source-tree.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';
import { type Direction, netOf, type SlowTree, slowTree } from '../oracle/slow-tree.ts';

function ofTable(table: PathTable, root: number, slots: number): SlowTree {
  const all = Array.from({ length: slots }, (_, slot) => slot);
  return {
    distance: all.map((slot) => finite(table.distanceOf(root, slot))),
    hops: all.map((slot) => table.hopsOf(root, slot)),
    predecessor: all.map((slot) => table.predecessorOf(root, slot)),
  };
}

function ofSource(tree: SourceTree, slots: number): SlowTree {
  const all = Array.from({ length: slots }, (_, slot) => slot);
  return {
    distance: all.map((slot) => finite(tree.distance[slot] ?? -1)),
    hops: all.map((slot) => tree.hopsOf(slot)),
    predecessor: all.map((slot) => tree.predecessor[slot] ?? -1),
  };
}

function finite(distance: number): number {
  return distance === UNREACHABLE ? Number.POSITIVE_INFINITY : distance;
}

function compare(graph: CsrGraph, way: Direction, hopUs: number, incremental: IncrementalTable): void {
  const net = netOf(graph);
  const slots = graph.slotCount;
  const plain = PathTable.allocate(slots);
  fillPlainly({ graph, arcs: way === 'from' ? graph.out : graph.into, transitHopUs: hopUs }, plain);
  incremental.refresh();
  const one = new OneSource();
  const tree = new SourceTree();
  for (const root of graph.slots()) {
    const slow = slowTree(net, root, way, hopUs);
    expect(ofTable(plain, root, slots), `plain rows of ${root}`).toEqual(slow);
    expect(ofTable(incremental.table, root, slots), `kept rows of ${root}`).toEqual(slow);
    one.compute(graph, way, root, tree, hopUs);
    expect(ofSource(tree, slots), `one source from ${root}`).toEqual(slow);
  }
}

describe('all ways to compute shortest paths', { timeout: 120_000 }, () => {
  it('agree with Bellman-Ford, through edits in random order', () => {
    fc.assert(
      fc.property(
        arbitraryNet({ maxSize: 12 }),
        arbitraryEdits({ maxEdits: 16 }),
        fc.constantFrom<Direction>('from', 'to'),
        fc.constantFrom(0, 100),
        fc.integer({ min: 1, max: 4 }),
        (given, edits, way, hopUs, batch) => {
          const { graph } = graphOf(given);
          const incremental = new IncrementalTable(graph, { direction: way, transitHopUs: hopUs });
          compare(graph, way, hopUs, incremental);
          for (const [i, edit] of edits.entries()) {
            applyEdit(graph, edit);
            if ((i + 1) % batch !== 0) continue;
            graph.commit();
            compare(graph, way, hopUs, incremental);
          }
        },
      ),
    );
  });
});
