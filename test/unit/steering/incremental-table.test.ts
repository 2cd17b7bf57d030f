import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { IncrementalTable } from '../../../steering/spf/incremental/incremental-table.ts';
import { TableChanges } from '../../../steering/spf/incremental/table-changes.ts';
import { UNREACHABLE } from '../../../steering/spf/path-table.ts';
import { fillPlainly } from '../../../steering/spf/plain-rows.ts';

/** A ring of nodes, slots 0 to size - 1, links of 1 ms. */
function ring(size: number): CsrGraph {
  const graph = new CsrGraph();
  for (let v = 0; v < size; v++) graph.addNode(v + 1, true);
  for (let v = 0; v < size; v++) link(graph, v, (v + 1) % size, 1000);
  graph.commit();
  return graph;
}

function link(graph: CsrGraph, a: number, b: number, weight: number): void {
  graph.setArc(a, b, weight);
  graph.setArc(b, a, weight);
}

describe('an incremental table', () => {
  it('takes the cheapest way to the same result', () => {
    const graph = ring(12);
    // of so few entries a link carries many
    const kept = new IncrementalTable(graph, { direction: 'to', transitHopUs: 0, freshShare: 1 });
    expect(kept.way).toBe('fresh');
    kept.refresh();
    expect(kept.way).toBe('none');
    link(graph, 0, 1, 1100);
    graph.commit();
    kept.refresh();
    expect(kept.way).toBe('link');
    expect(kept.table.distanceOf(0, 1)).toBe(1100);
    graph.setTransit(3, false);
    link(graph, 6, 7, 900);
    graph.commit();
    kept.refresh();
    expect(kept.way).toBe('batch');
    expect(kept.table.distanceOf(2, 4)).toBe(9900 + 100);
    expect(kept.version).toBe(graph.version);
  });

  it('computes afresh when a repair is reckoned to cost more', () => {
    const graph = ring(12);
    let fills = 0;
    const kept = new IncrementalTable(graph, {
      direction: 'from',
      transitHopUs: 0,
      freshShare: 0,
      fillAll: (_, table) => {
        fills++;
        fillPlainly({ graph, arcs: graph.out, transitHopUs: 0 }, table);
      },
    });
    link(graph, 0, 1, 1100);
    graph.commit();
    const changes = kept.refresh();
    expect([kept.way, fills, kept.table.distanceOf(0, 1)]).toEqual(['fresh', 2, 1100]);
    expect(changes.isComplete).toBe(false);
    expect(changes.roots.length).toBe(kept.table.capacity);
  });

  it('names the entries whose predecessor changed, and the rows in which anything did', () => {
    const graph = ring(4);
    const kept = new IncrementalTable(graph, { direction: 'to', transitHopUs: 0, freshShare: 1 });
    // 0 and 1 now reach each other over 3 and 2; who had the link on a tie before has it no more
    link(graph, 0, 1, 10_000);
    graph.commit();
    const changes = kept.refresh();
    const entries = [...changes.root.subarray(0, changes.count)].map((root, i) => `${root}<-${changes.slot[i]}`);
    expect(changes.isComplete).toBe(true);
    expect(entries.sort()).toEqual(['0<-1', '0<-2', '1<-0', '1<-3', '2<-0', '3<-1']);
    expect(kept.table.predecessorOf(0, 1)).toBe(2);
  });

  it('grows with the graph, and clears the rows of nodes that left', () => {
    const graph = ring(4);
    const kept = new IncrementalTable(graph, { direction: 'to', transitHopUs: 0 });
    const capacity = kept.table.capacity;
    for (let v = 4; v <= capacity; v++) link(graph, 0, graph.addNode(v + 1, true), 500);
    graph.commit();
    kept.refresh();
    expect(kept.table.capacity).toBeGreaterThan(capacity);
    expect(kept.table.distanceOf(1, capacity)).toBe(1500);
    graph.removeNode(1);
    graph.commit();
    kept.refresh();
    expect(kept.way).toBe('batch');
    expect(kept.table.distanceOf(0, 0)).toBe(UNREACHABLE);
    expect(kept.table.distanceOf(1, capacity)).toBe(UNREACHABLE);
    expect(kept.table.distanceOf(1, 3)).toBe(2000);
  });

  it('refuses a path that is too long for a table, and is right again once there is none', () => {
    const graph = new CsrGraph();
    for (let v = 0; v < 4; v++) graph.addNode(v + 1, true);
    for (let v = 0; v < 3; v++) link(graph, v, v + 1, 1000);
    graph.commit();
    const kept = new IncrementalTable(graph, { direction: 'from', transitHopUs: 0 });
    for (let v = 0; v < 3; v++) link(graph, v, v + 1, 2 ** 31 - 1);
    graph.commit();
    expect(() => kept.refresh()).toThrow(/4294967295|2\^32/);
    link(graph, 0, 3, 5);
    graph.commit();
    kept.refresh();
    expect(kept.table.distanceOf(0, 3)).toBe(5);
    expect(kept.table.distanceOf(0, 2)).toBe(2 ** 31 + 4);
  });
});

describe('the list of changes', () => {
  it('is bounded, and says when it is not complete', () => {
    const changes = new TableChanges(8, 3);
    for (let slot = 0; slot < 5; slot++) changes.addEntry(2, slot);
    changes.addRow(2);
    changes.addRow(2);
    expect([changes.count, changes.isComplete, changes.roots]).toEqual([3, false, [2]]);
    changes.clear();
    expect([changes.count, changes.isComplete, changes.roots]).toEqual([0, true, []]);
  });
});
