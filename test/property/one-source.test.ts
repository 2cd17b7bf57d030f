/** One-source SPF held against Bellman-Ford on small nets, and against the plain heap of dijkstra.ts on bigger ones. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { AttachedGraph } from '../../steering/graph/graph-view.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { equalCostFirstHops, equalCostPredecessors } from '../../steering/spf/equal-cost.ts';
import { OneSource } from '../../steering/spf/one-source.ts';
import { UNREACHABLE } from '../../steering/spf/path-table.ts';
import { SourceTree } from '../../steering/spf/source-tree.ts';
import { SpfTree } from '../../steering/spf/spf-tree.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';
import { type Direction, netOf, type SlowTree, slowTree } from '../oracle/slow-tree.ts';

const direction = fc.constantFrom<Direction>('from', 'to');
const transitHopUs = fc.constantFrom(0, 100, 77);

/** The tree as the oracle gives it, by slot. */
function plain(tree: SourceTree): SlowTree {
  const slots = Array.from({ length: tree.slotCount }, (_, slot) => slot);
  return {
    distance: slots.map((slot) => (tree.distance[slot] === UNREACHABLE ? Infinity : (tree.distance[slot] ?? -1))),
    hops: slots.map((slot) => tree.hopsOf(slot)),
    predecessor: slots.map((slot) => tree.predecessor[slot] ?? -2),
  };
}

/** The first node after the root, by walking the whole path. */
function firstHopByWalk(slow: SlowTree, root: number, slot: number): number {
  let at = slot;
  if (at === root || slow.distance[at] === Infinity) return -1;
  while (slow.predecessor[at] !== root) at = slow.predecessor[at] ?? -1;
  return at;
}

describe('one source', { timeout: 120_000 }, () => {
  it('gives the tree of Bellman-Ford, in both directions', () => {
    const spf = new OneSource();
    const tree = new SourceTree();
    fc.assert(
      fc.property(
        arbitraryNet({ weights: ['ties', 'unit', 'wide', 'huge'], maxSize: 24 }),
        direction,
        transitHopUs,
        (given, way, hop) => {
          const { graph } = graphOf(given);
          const net = netOf(graph);
          for (const root of graph.slots()) {
            const slow = slowTree(net, root, way, hop);
            const run = () => spf.compute(graph, way, root, tree, hop);
            if (slow.distance.some((distance) => distance >= UNREACHABLE && distance < Infinity)) {
              expect(run).toThrow(/every path between slots/);
              continue;
            }
            run();
            expect(plain(tree)).toEqual(slow);
            for (const slot of graph.slots()) expect(tree.firstHopOf(slot)).toBe(firstHopByWalk(slow, root, slot));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('stays right through edits in random order, also for a thread that attached', () => {
    fc.assert(
      fc.property(arbitraryNet(), arbitraryEdits(), direction, (net, edits, way) => {
        const { graph } = graphOf(net);
        const spf = new OneSource();
        const tree = new SourceTree();
        for (const edit of edits) {
          applyEdit(graph, edit);
          graph.commit();
          const [root = 0] = graph.slots();
          spf.compute(new AttachedGraph(graph.describe()), way, root, tree, 100);
          expect(plain(tree)).toEqual(slowTree(netOf(graph), root, way, 100));
        }
      }),
    );
  });

  it('gives the tree of the plain heap on graphs of hundreds of nodes, from any horizon', () => {
    const weights = {
      // as measured links are; few different ones; so far apart that buckets do not suit; one short among long ones
      usual: (dice: number) => 500 + (dice % 60_000),
      ties: (dice: number) => 500 * (1 + (dice % 5)),
      wild: (dice: number) => 1 + (dice % 2 ** (dice % 29)),
      lone: (dice: number) => (dice % 1000 === 0 ? 3 : 20_000 + (dice % 100_000)),
      distant: (dice: number) => (dice % 5 === 0 ? 600_000_000 : 590_000_000) + (dice % 1000),
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(weights)) as fc.Arbitrary<keyof typeof weights>,
        fc.integer({ min: 2, max: 300 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.integer({ min: 0, max: 10 }),
        (kind, size, degree, seed, leafTenths) => {
          let state = seed;
          const dice = () => {
            state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
            return state >>> 3;
          };
          const graph = new CsrGraph();
          for (let v = 0; v < size; v++) graph.addNode(1 + ((v * 7919) % 10_007), dice() % 10 >= leafTenths);
          for (let i = 0; i < size * degree; i++) {
            const from = dice() % size;
            const to = dice() % size;
            if (from !== to) graph.setArc(from, to, weights[kind](dice()));
          }
          graph.commit();
          const spf = new OneSource();
          const tree = new SourceTree();
          const reference = new SpfTree();
          const inUse = new Int32Array(graph.slotCount).fill(-1);
          for (const root of [0, dice() % size, size - 1, dice() % size, 0]) {
            dijkstra()(graph, root, { transitHopUs: 100, frozen: null, inUse, banned: null }, reference);
            const far = [...reference.distance].some((d) => d >= UNREACHABLE && d < Infinity);
            const run = () => spf.compute(graph, 'to', root, tree, 100);
            if (far) {
              expect(run).toThrow(/every path between slots/);
              continue;
            }
            run();
            expect(plain(tree)).toEqual({
              distance: [...reference.distance.subarray(0, size)],
              hops: [...reference.hops.subarray(0, size)],
              predecessor: [...reference.nextHop.subarray(0, size)],
            });
          }
        },
      ),
      // a root that does not forward, whose queue reaches beyond the horizon when few nodes are left
      { numRuns: 400, examples: [['usual', 228, 36, 279_637_306, 6]] },
    );
  });

  it('gives leaves of three links their best one, also where links tie, relays are cut off and weights are huge', () => {
    const link = fc.tuple(
      fc.nat(4),
      fc.oneof(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2 ** 30 - 2, max: 2 ** 30 + 2 }),
        fc.integer({ min: 2 ** 31 - 3, max: 2 ** 31 - 1 }),
      ),
    );
    const three = fc.uniqueArray(link, { minLength: 3, maxLength: 3, selector: ([relay]) => relay });
    const relays = fc.array(fc.tuple(fc.nat(4), fc.nat(4), link), { maxLength: 12 });
    fc.assert(
      fc.property(relays, fc.array(three, { minLength: 1, maxLength: 12 }), fc.nat(16), (ways, leaves, root) => {
        const graph = new CsrGraph();
        for (let v = 0; v < 5; v++) graph.addNode(90 - 7 * v, true);
        for (const [from, to, [, weight]] of ways) if (from !== to) graph.setArc(from, to, weight);
        leaves.forEach((links, i) => {
          const leaf = graph.addNode(100 + i, false);
          for (const [relay, weight] of links) graph.setArc(relay, leaf, weight);
          for (const [relay, weight] of links) graph.setArc(leaf, relay, weight);
        });
        graph.commit();
        const at = root % graph.slotCount;
        const slow = slowTree(netOf(graph), at, 'from');
        const tree = new SourceTree();
        const run = () => new OneSource().compute(graph, 'from', at, tree);
        if (slow.distance.some((distance) => distance >= UNREACHABLE && distance < Infinity)) {
          expect(run).toThrow(/every path between slots/);
          return;
        }
        run();
        expect(plain(tree)).toEqual(slow);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses a root that is no node', () => {
    const graph = new CsrGraph();
    graph.addNode(3, true);
    graph.removeNode(3);
    graph.commit();
    for (const root of [0, 1, -1, 0.5, Number.NaN]) {
      expect(() => new OneSource().compute(graph, 'from', root, new SourceTree())).toThrow(/not the slot of a node/);
    }
  });
});

describe('equal-cost sets', { timeout: 60_000 }, () => {
  it('hold exactly the arcs that add up, and their first hops', () => {
    fc.assert(
      fc.property(arbitraryNet({ weights: ['ties', 'unit'] }), direction, transitHopUs, (given, way, hop) => {
        const { graph } = graphOf(given);
        const net = netOf(graph);
        const tree = new SourceTree();
        for (const root of graph.slots()) {
          new OneSource().compute(graph, way, root, tree, hop);
          const slow = slowTree(net, root, way, hop);
          const tight = new Map<number, number[]>();
          for (const [from, to, weight] of net.arcs) {
            const [u, v] = way === 'from' ? [from, to] : [to, from];
            if (v === root || (u !== root && !graph.isTransit(u))) continue;
            const through = (slow.distance[u] ?? 0) + weight + (u === root ? 0 : hop);
            if (through === slow.distance[v] && through < Infinity) tight.set(v, [...(tight.get(v) ?? []), u]);
          }
          const byIndex = (slots: number[]) => slots.sort((a, b) => graph.indexOf(a) - graph.indexOf(b));
          const firstHops = (v: number): number[] => [
            ...new Set((tight.get(v) ?? []).flatMap((u) => (u === root ? [v] : firstHops(u)))),
          ];
          for (const v of graph.slots()) {
            const before = equalCostPredecessors(graph, way, tree, v, hop);
            expect(before).toEqual(byIndex(tight.get(v) ?? []));
            if (before.length > 0) expect(before).toContain(tree.predecessor[v]);
            expect(equalCostFirstHops(graph, way, tree, v, hop)).toEqual(byIndex(firstHops(v)));
          }
        }
      }),
    );
  });
});
