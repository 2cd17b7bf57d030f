import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { DEFAULT_INCUMBENCY_OPTIONS, decideNextHops, MoveTimers } from '../../../steering/rib/incumbency.ts';
import { dijkstra } from '../../../steering/spf/dijkstra.ts';
import { SpfTree } from '../../../steering/spf/spf-tree.ts';

/** Source 1, destination 2, ways round over 3 and 4 (100 us to them). A cost of null: no link. */
class Case {
  readonly graph = new CsrGraph();
  readonly timers = new MoveTimers();
  inUse = new Int32Array(4).fill(-1);
  dueMs = 0;

  constructor() {
    for (const index of [1, 2, 3, 4]) this.graph.addNode(index, true);
    for (const via of [3, 4]) this.set(1, via, 100);
  }

  set(a: number, b: number, weight: number | null): void {
    const [s, t] = [this.graph.slotOf(a) ?? -1, this.graph.slotOf(b) ?? -1];
    for (const [from, to] of [
      [s, t],
      [t, s],
    ] as const) {
      if (weight === null) this.graph.removeArc(from, to);
      else this.graph.setArc(from, to, weight);
    }
  }

  /** Next hop of node 1 after a decision. */
  decide(nowMs: number): number {
    const root = this.graph.slotOf(2) ?? -1;
    const tree = new SpfTree();
    const rules = { transitHopUs: 0, frozen: null, inUse: this.inUse, banned: null };
    dijkstra()(this.graph, root, rules, tree);
    const decision = decideNextHops(this.graph, root, rules, tree, this.timers, nowMs, DEFAULT_INCUMBENCY_OPTIONS);
    this.inUse = Int32Array.from(decision.nextHop);
    this.dueMs = decision.dueMs;
    return this.graph.indexOf(decision.nextHop[this.graph.slotOf(1) ?? -1] ?? -1);
  }
}

describe('incumbency', () => {
  it('takes a first path at once, and moves at once when the link dies', () => {
    const c = new Case();
    c.set(1, 2, 10_000);
    expect(c.decide(0)).toBe(2);
    c.set(4, 2, 30_000);
    c.set(1, 2, null);
    expect(c.decide(1)).toBe(4);
  });

  it('moves after a gain above both margins has lasted', () => {
    const c = new Case();
    c.set(1, 2, 10_000);
    c.decide(0);
    c.set(3, 2, 9_000);
    expect([c.decide(1_000), c.dueMs]).toEqual([2, 2_000]);
    expect(c.decide(1_999)).toBe(2);
    expect(c.decide(2_000)).toBe(3);
  });

  it('starts the hold anew when the gain was gone in between', () => {
    const c = new Case();
    c.set(1, 2, 10_000);
    c.decide(0);
    c.set(3, 2, 9_000);
    c.decide(1_000);
    c.set(3, 2, 10_500);
    expect([c.decide(1_500), c.dueMs]).toEqual([2, Number.POSITIVE_INFINITY]);
    c.set(3, 2, 9_000);
    c.decide(1_600);
    expect(c.decide(2_500)).toBe(2);
    expect(c.decide(2_600)).toBe(3);
  });

  it('waits less for less than half of the cost, and long for a small gain', () => {
    const fast = new Case();
    fast.set(1, 2, 100_000);
    fast.decide(0);
    fast.set(3, 2, 13_000);
    expect([fast.decide(0), fast.dueMs, fast.decide(300)]).toEqual([2, 300, 3]);
    const small = new Case();
    small.set(1, 2, 100_000);
    small.decide(0);
    small.set(3, 2, 98_500);
    expect([small.decide(0), small.dueMs, small.decide(19_999), small.decide(20_000)]).toEqual([2, 20_000, 2, 3]);
    const tiny = new Case();
    tiny.set(1, 2, 100_000);
    tiny.decide(0);
    tiny.set(3, 2, 99_500);
    expect([tiny.decide(0), tiny.dueMs]).toEqual([2, Number.POSITIVE_INFINITY]);
  });

  it('keeps the next hop when what lies behind it is repaired within the margin', () => {
    const c = new Case();
    c.set(3, 2, 5_000);
    c.set(3, 4, 100);
    c.set(4, 2, 5_300);
    expect(c.decide(0)).toBe(3);
    c.set(3, 2, null);
    expect(c.decide(1)).toBe(3);
    expect(c.graph.indexOf(c.inUse[c.graph.slotOf(3) ?? -1] ?? -1)).toBe(4);
  });

  it('does not loop when a neighbour that was behind is now in front', () => {
    const c = new Case();
    c.set(1, 2, 1_000);
    expect(c.decide(0)).toBe(2);
    // 3 reaches 2 by way of 1; then 1 loses its link and 3 gets one
    c.set(1, 2, null);
    c.set(3, 2, 1_000);
    expect(c.decide(1)).toBe(3);
    expect(c.graph.indexOf(c.inUse[c.graph.slotOf(3) ?? -1] ?? -1)).toBe(2);
  });
});
