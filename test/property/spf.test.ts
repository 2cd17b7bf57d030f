import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { SpfTree } from '../../steering/spf/spf-tree.ts';

interface Net {
  readonly transit: boolean[];
  /** from, to, weight: both directions of a pair may differ or be missing. */
  readonly arcs: [number, number, number][];
}

const HOP = 250;

/** The slow obvious one: relaxes every arc towards `root` until nothing changes. */
function bellmanFord(net: Net, root: number): number[] {
  const distance = net.transit.map((_, v) => (v === root ? 0 : Number.POSITIVE_INFINITY));
  for (let again = true; again; ) {
    again = false;
    for (const [from, to, weight] of net.arcs) {
      if (to !== root && net.transit[to] !== true) continue;
      const candidate = (distance[to] ?? 0) + weight + (to === root ? 0 : HOP);
      if (from === root || candidate >= (distance[from] ?? 0)) continue;
      distance[from] = candidate;
      again = true;
    }
  }
  return distance;
}

/** Node v has stable index 10 + v. `shuffle` adds nodes and arcs in another order, with edits that are taken back. */
function build(net: Net, shuffle: boolean): CsrGraph {
  const graph = new CsrGraph();
  const nodes = net.transit.map((_, v) => v);
  if (shuffle) {
    nodes.reverse();
    graph.addNode(5, true);
    for (const v of nodes) graph.setArc(graph.addNode(10 + v, true), graph.slotOf(5) ?? -1, 1);
    for (const v of nodes) graph.removeNode(10 + v);
    graph.removeNode(5);
  }
  for (const v of nodes) graph.addNode(10 + v, net.transit[v] === true);
  const slot = (v: number) => graph.slotOf(10 + v) ?? -1;
  for (const [from, to, weight] of shuffle ? [...net.arcs].reverse() : net.arcs) {
    graph.setArc(slot(from), slot(to), shuffle ? weight + 7 : weight);
    if (shuffle) graph.removeArc(slot(to), slot(to));
  }
  if (shuffle) for (const [from, to, weight] of net.arcs) graph.setArc(slot(from), slot(to), weight);
  graph.commit();
  return graph;
}

function shape(kind: string, size: number): [number, number][] {
  const links: [number, number][] = [];
  const side = Math.max(2, Math.floor(Math.sqrt(size)));
  for (let v = 1; v < size; v++) {
    if (kind === 'star') links.push([0, v]);
    if (kind === 'ring' || (kind === 'islands' && v % 4 !== 0)) links.push([v - 1, v]);
    if (kind === 'grid' && v % side !== 0) links.push([v - 1, v]);
    if (kind === 'grid' && v >= side) links.push([v - side, v]);
    if (kind === 'mesh') for (let u = 0; u < v; u++) links.push([u, v]);
  }
  if (kind === 'ring') links.push([size - 1, 0]);
  return links;
}

const shaped = fc
  .tuple(fc.constantFrom('ring', 'grid', 'star', 'islands', 'mesh'), fc.integer({ min: 3, max: 20 }))
  .chain(([kind, size]) => {
    const links = shape(kind, size);
    return fc.record({
      transit: fc.array(fc.boolean(), { minLength: size, maxLength: size }),
      // few different weights: many ties
      arcs: fc
        .array(fc.integer({ min: 1, max: 6 }), { minLength: 2 * links.length, maxLength: 2 * links.length })
        .map((weights) =>
          links.flatMap(([a, b], i): [number, number, number][] => [
            [a, b, (weights[2 * i] ?? 1) * 100],
            [b, a, (weights[2 * i + 1] ?? 1) * 100],
          ]),
        ),
    });
  });

const random = fc.integer({ min: 2, max: 14 }).chain((size) =>
  fc.record({
    transit: fc.array(fc.boolean(), { minLength: size, maxLength: size }),
    arcs: fc.uniqueArray(
      fc
        .tuple(fc.nat(size - 1), fc.nat(size - 1), fc.integer({ min: 1, max: 5_000 }))
        .filter(([from, to]) => from !== to),
      { maxLength: 60, selector: ([from, to]) => from * 100 + to },
    ),
  }),
);

describe('dijkstra', { timeout: 60_000 }, () => {
  it('finds the distances of Bellman-Ford, along next hops that add up to them', () => {
    fc.assert(
      fc.property(fc.oneof(shaped, random), fc.boolean(), (net, shuffle) => {
        const graph = build(net, shuffle);
        const tree = new SpfTree();
        const compute = dijkstra();
        const inUse = new Int32Array(graph.slotCount).fill(-1);
        for (let root = 0; root < net.transit.length; root++) {
          const rootSlot = graph.slotOf(10 + root) ?? -1;
          compute(graph, rootSlot, { transitHopUs: HOP, frozen: null, inUse, banned: null }, tree);
          const slots = net.transit.map((_, v) => graph.slotOf(10 + v) ?? -1);
          expect(slots.map((slot) => tree.distance[slot])).toEqual(bellmanFord(net, root));
          const place = new Map([...tree.order.slice(0, tree.reached)].map((slot, i) => [slot, i]));
          for (const slot of slots) {
            const next = tree.nextHop[slot] ?? -1;
            if (slot === rootSlot || next < 0) continue;
            const hop = next === rootSlot ? 0 : HOP;
            expect(tree.distance[slot]).toBe(graph.weight(slot, next) + hop + (tree.distance[next] ?? 0));
            expect(place.get(next)).toBeLessThan(place.get(slot) ?? -1);
            expect(next === rootSlot || graph.isTransit(next)).toBe(true);
          }
        }
      }),
    );
  });

  it('gives the same tree whatever the order in which the graph was built', () => {
    fc.assert(
      fc.property(fc.oneof(shaped, random), (net) => {
        const trees = [false, true].map((shuffle) => {
          const graph = build(net, shuffle);
          const tree = new SpfTree();
          const inUse = new Int32Array(graph.slotCount).fill(-1);
          dijkstra()(graph, graph.slotOf(10) ?? -1, { transitHopUs: HOP, frozen: null, inUse, banned: null }, tree);
          return net.transit.map((_, v) => graph.indexOf(tree.nextHop[graph.slotOf(10 + v) ?? -1] ?? -1));
        });
        expect(trees[0]).toEqual(trees[1]);
      }),
    );
  });
});
