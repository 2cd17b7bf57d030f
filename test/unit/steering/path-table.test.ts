import { describe, expect, it } from 'vitest';
import { ThalwegError } from '../../../protocol/error.ts';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { PathTable, UNREACHABLE } from '../../../steering/spf/path-table.ts';
import { fillPlainly } from '../../../steering/spf/plain-rows.ts';

describe('a path table', () => {
  it('starts with nothing reachable', () => {
    const table = PathTable.allocate(3);
    expect(table.distanceOf(2, 2)).toBe(UNREACHABLE);
    expect(table.predecessorOf(0, 1)).toBe(-1);
    expect(table.hopsOf(0, 1)).toBe(0);
  });

  it('is seen by whoever holds its handle, without a copy', () => {
    const table = PathTable.allocate(5);
    const other = new PathTable(structuredClone(table.handle));
    table.distance[3 * table.stride + 4] = 7;
    table.predecessor[3 * table.stride + 4] = 2;
    expect(other.distanceOf(3, 4)).toBe(7);
    expect(other.predecessorOf(3, 4)).toBe(2);
  });

  it('starts rows on cache lines, and not all on the same ones', () => {
    for (const capacity of [1, 31, 1024, 2048]) {
      const { stride } = PathTable.allocate(capacity);
      expect((stride * 4) % 64).toBe(0);
      expect((stride * 2) % 64).toBe(0);
      expect((stride * 4) % 4096).not.toBe(0);
    }
  });

  it('refuses a capacity whose slots do not fit its predecessors', () => {
    expect(() => PathTable.allocate(70_000)).toThrow(ThalwegError);
    expect(() => PathTable.allocate(70_000)).toThrow(/capacity is 70000/);
  });

  it('holds a distance just below its limit, and refuses one that does not fit', () => {
    const graph = new CsrGraph();
    const [a = 0, b = 0, c = 0, d = 0] = [1, 2, 3, 4].map((index) => graph.addNode(index, true));
    graph.setArc(a, b, 0x7fff_ffff);
    graph.setArc(b, c, 0x7fff_ffff);
    graph.commit();
    const table = PathTable.allocate(4);
    const rules = { graph, arcs: graph.out, transitHopUs: 0 };
    fillPlainly(rules, table);
    expect(table.distanceOf(a, c)).toBe(0xffff_fffe);
    graph.setArc(c, d, 1);
    graph.commit();
    expect(() => fillPlainly(rules, table)).toThrow(/between slots 0 and 3 is 4294967295 us long/);
  });
});
