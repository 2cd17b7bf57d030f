/** Dijkstra held against Bellman-Ford: distances, hops and next hops, on fresh graphs and after edits in random order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { SpfTree } from '../../steering/spf/spf-tree.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';
import { netOf, pathToRoot, type SlowTree, slowTree, without } from '../oracle/slow-tree.ts';

/** As much as the least weight of a net with ties: so equal paths differ in their hops too. */
const HOP = 100;

/** The tree towards `root` as the oracle would give it, by slot. */
function fastTree(graph: CsrGraph, root: number, compute = dijkstra()): { tree: SpfTree; plain: SlowTree } {
  const tree = new SpfTree();
  const inUse = new Int32Array(graph.slotCount).fill(-1);
  compute(graph, root, { transitHopUs: HOP, frozen: null, inUse, banned: null }, tree);
  const count = graph.slotCount;
  const plain = {
    distance: [...tree.distance.subarray(0, count)],
    hops: [...tree.hops.subarray(0, count)],
    predecessor: [...tree.nextHop.subarray(0, count)],
  };
  return { tree, plain };
}

describe('the oracle', () => {
  // 0 - 1 - 3 and 0 - 2 - 3 cost the same; 1 has the greater index
  const net = {
    index: [10, 30, 20, 40],
    transit: [true, true, true, false],
    arcs: [
      [0, 1, 5],
      [1, 3, 5],
      [0, 2, 5],
      [2, 3, 5],
      [3, 0, 1],
      [3, 2, 1],
    ] as [number, number, number][],
  };

  it('breaks ties by the least index, and does not pass through a leaf', () => {
    expect(slowTree(net, 0, 'from')).toEqual({
      distance: [0, 5, 5, 10],
      hops: [0, 1, 1, 2],
      predecessor: [-1, 0, 0, 2],
    });
    // towards 0: node 1 would have to pass through the leaf 3
    expect(slowTree(net, 0, 'to').distance).toEqual([0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1]);
    expect(slowTree(net, 3, 'to', 7)).toMatchObject({ distance: [17, 5, 5, 0], predecessor: [2, 3, 3, -1] });
    expect(pathToRoot(slowTree(net, 3, 'to'), 3, 0)).toEqual([0, 2, 3]);
    expect(slowTree(without(net, { node: 2 }), 3, 'to').predecessor).toEqual([1, 3, -1, -1]);
    expect(slowTree(without(net, { link: [3, 2] }), 3, 'to').predecessor).toEqual([1, 3, -1, -1]);
  });

  it('takes fewer hops before the lesser index', () => {
    const arcs: [number, number, number][] = [
      [0, 1, 1],
      [1, 2, 1],
      [2, 4, 1],
      [0, 3, 2],
      [3, 4, 1],
    ];
    const tree = slowTree({ index: [1, 2, 3, 9, 5], transit: [true, true, true, true, true], arcs }, 0, 'from');
    expect(tree.predecessor[4]).toBe(3);
    expect(tree.hops[4]).toBe(2);
  });
});

describe('dijkstra', { timeout: 60_000 }, () => {
  it('gives the distances, hops and next hops of Bellman-Ford', () => {
    fc.assert(
      fc.property(arbitraryNet({ weights: ['ties', 'unit', 'wide', 'huge'] }), fc.boolean(), (net, shuffled) => {
        const { graph, slots } = graphOf(net, shuffled);
        const compute = dijkstra();
        for (const root of net.index.keys()) {
          const rootSlot = slots[root] ?? -1;
          const { tree, plain } = fastTree(graph, rootSlot, compute);
          const slow = slowTree(net, root, 'to', HOP);
          const by = (values: readonly number[]) => slots.map((slot) => values[slot]);
          expect(by(plain.distance)).toEqual(slow.distance);
          expect(by(plain.hops)).toEqual(slow.hops);
          expect(by(plain.predecessor)).toEqual(slow.predecessor.map((v) => (v < 0 ? -1 : slots[v])));
          const place = new Map([...tree.order.slice(0, tree.reached)].map((slot, i) => [slot, i]));
          expect(place.size).toBe(slow.distance.filter((d) => d !== Number.POSITIVE_INFINITY).length);
          for (const slot of place.keys()) {
            const next = tree.nextHop[slot] ?? -1;
            if (slot !== rootSlot) expect(place.get(next)).toBeLessThan(place.get(slot) ?? -1);
          }
        }
      }),
    );
  });

  it('stays right through edits in random order', () => {
    fc.assert(
      fc.property(arbitraryNet(), arbitraryEdits(), (net, edits) => {
        const { graph } = graphOf(net);
        const compute = dijkstra();
        for (const edit of edits) {
          applyEdit(graph, edit);
          graph.commit();
          const [root = 0] = graph.slots();
          expect(fastTree(graph, root, compute).plain).toEqual(slowTree(netOf(graph), root, 'to', HOP));
        }
      }),
    );
  });
});
