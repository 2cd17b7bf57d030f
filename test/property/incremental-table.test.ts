/** Tables kept current through edits in random order, held against a fresh run and against Dijkstra's algorithm. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { IncrementalTable } from '../../steering/spf/incremental/incremental-table.ts';
import type { TableDirection } from '../../steering/spf/incremental/tree-rules.ts';
import { PathTable, UNREACHABLE } from '../../steering/spf/path-table.ts';
import { fillPlainly } from '../../steering/spf/plain-rows.ts';
import { SpfTree } from '../../steering/spf/spf-tree.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';
import type { Net } from '../oracle/slow-tree.ts';

const direction = fc.constantFrom<TableDirection>('from', 'to');
const hopUs = fc.constantFrom(0, 100, 250);
const runs = { numRuns: 300 };

interface Row {
  readonly distance: number[];
  readonly hops: number[];
  readonly predecessor: number[];
}

function rowOf(table: PathTable, root: number, slots: number): Row {
  const entries = [...Array(slots).keys()];
  return {
    distance: entries.map((slot) => table.distanceOf(root, slot)),
    hops: entries.map((slot) => table.hopsOf(root, slot)),
    predecessor: entries.map((slot) => table.predecessorOf(root, slot)),
  };
}

function rowsOf(table: PathTable, slots: number): Row[] {
  return [...Array(slots).keys()].map((root) => rowOf(table, root, slots));
}

function freshRows(graph: CsrGraph, way: TableDirection, transitHopUs: number): Row[] {
  const table = PathTable.allocate(graph.slotCount);
  fillPlainly({ graph, arcs: way === 'from' ? graph.out : graph.into, transitHopUs }, table);
  return rowsOf(table, graph.slotCount);
}

/** Rows towards each node, as the steering engine's reference algorithm has them. */
function dijkstraRow(graph: CsrGraph, root: number, transitHopUs: number): Row {
  const tree = new SpfTree();
  const inUse = new Int32Array(graph.slotCount).fill(-1);
  dijkstra()(graph, root, { transitHopUs, frozen: null, inUse, banned: null }, tree);
  const slots = graph.slotCount;
  return {
    distance: [...tree.distance.subarray(0, slots)].map((d) => (d === Number.POSITIVE_INFINITY ? UNREACHABLE : d)),
    hops: [...tree.hops.subarray(0, slots)],
    predecessor: [...tree.nextHop.subarray(0, slots)],
  };
}

/** The entries whose predecessor differs, as root * 1000 + slot. */
function movedEntries(before: readonly Row[], after: readonly Row[]): number[] {
  return after.flatMap((row, root) =>
    row.predecessor.flatMap((p, slot) => ((before[root]?.predecessor[slot] ?? -1) === p ? [] : [root * 1000 + slot])),
  );
}

describe('an incremental table', { timeout: 120_000 }, () => {
  it('is what a fresh run gives after each batch, and names what changed', () => {
    const batches = fc.array(arbitraryEdits({ maxEdits: 6 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(arbitraryNet(), batches, direction, hopUs, (net, found, way, transitHopUs) => {
        const { graph } = graphOf(net, true);
        const kept = new IncrementalTable(graph, { direction: way, transitHopUs, freshShare: 100 });
        let before = rowsOf(kept.table, graph.slotCount);
        for (const batch of found) {
          for (const edit of batch) applyEdit(graph, edit);
          graph.commit();
          const changes = kept.refresh();
          const after = freshRows(graph, way, transitHopUs);
          expect(rowsOf(kept.table, graph.slotCount)).toEqual(after);
          const moved = movedEntries(before, after);
          if (changes.isComplete) {
            const named = [...changes.root.subarray(0, changes.count)].map(
              (root, i) => root * 1000 + (changes.slot[i] ?? 0),
            );
            const inUse = moved.filter((entry) => graph.indexOf(Math.floor(entry / 1000)) !== 0);
            expect(named).toEqual(expect.arrayContaining(inUse));
          }
          expect(changes.roots).toEqual(expect.arrayContaining(moved.map((entry) => Math.floor(entry / 1000))));
          expect(new Set(changes.roots).size).toBe(changes.roots.length);
          before = after;
        }
      }),
      runs,
    );
  });

  it('spreads a way that a rise and a greater fall along it made shorter', () => {
    // from node 1: over 2 and 3 to 4 in 1 + 200 + 1, as long as the direct 202, which has fewer hops
    const net: Net = {
      index: [1, 2, 3, 4],
      transit: [true, true, true, true],
      arcs: [
        [0, 1, 1],
        [1, 2, 200],
        [2, 3, 1],
        [0, 3, 202],
      ],
    };
    const { graph, slots } = graphOf(net);
    const [a = 0, b = 0, c = 0] = slots;
    const kept = new IncrementalTable(graph, { direction: 'from', transitHopUs: 0, freshShare: 100 });
    graph.setArc(a, b, 100);
    graph.setArc(b, c, 100);
    graph.commit();
    kept.refresh();
    expect(kept.way).toBe('batch');
    expect(kept.table.distanceOf(a, slots[3] ?? 0)).toBe(201);
    expect(rowsOf(kept.table, graph.slotCount)).toEqual(freshRows(graph, 'from', 0));
  });

  it('follows single links up, down, away and back', () => {
    const node = fc.nat(1_000);
    const weight = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 900 }));
    const change = fc.record({ a: node, b: node, weight: fc.option(weight), back: fc.option(weight), both: fc.nat(2) });
    const nets = arbitraryNet({ maxSize: 40 });
    fc.assert(
      fc.property(nets, fc.array(change, { minLength: 1, maxLength: 20 }), direction, hopUs, (net, found, way, hop) => {
        const { graph, slots } = graphOf(net);
        const kept = new IncrementalTable(graph, {
          direction: way,
          transitHopUs: hop,
          freshShare: 100,
        });
        for (const { a, b, weight: there, back, both } of found) {
          const [from, to] = [slots[a % slots.length] ?? 0, slots[b % slots.length] ?? 0];
          if (from === to) continue;
          // one direction, both alike, or each for itself
          set(graph, from, to, there);
          if (both > 0) set(graph, to, from, both === 1 ? there : back);
          graph.commit();
          kept.refresh();
          expect(rowsOf(kept.table, graph.slotCount)).toEqual(freshRows(graph, way, hop));
        }
      }),
      runs,
    );
  });

  it("holds next hops as the steering engine's algorithm finds them", () => {
    fc.assert(
      fc.property(arbitraryNet({ weights: ['ties', 'unit'] }), arbitraryEdits(), hopUs, (net, edits, transitHopUs) => {
        const { graph } = graphOf(net);
        const kept = new IncrementalTable(graph, { direction: 'to', transitHopUs, freshShare: 100 });
        for (const edit of edits) {
          applyEdit(graph, edit);
          graph.commit();
          kept.refresh();
          for (const root of graph.slots()) {
            expect(rowOf(kept.table, root, graph.slotCount)).toEqual(dijkstraRow(graph, root, transitHopUs));
          }
        }
      }),
    );
  });
});

function set(graph: CsrGraph, from: number, to: number, weight: number | null): void {
  if (weight === null) graph.removeArc(from, to);
  else graph.setArc(from, to, weight);
}
