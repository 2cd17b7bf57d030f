/** Arbitrary small graphs for tests of shortest paths: many ties, islands, nodes that do not forward, free slots. */
import fc from 'fast-check';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';

export interface SpfNet {
  readonly transit: readonly boolean[];
  /** from, to, weight: the directions of a pair may differ, or one be missing. */
  readonly arcs: readonly (readonly [number, number, number])[];
  /** Seed of the stable indices: their order is not that of the slots. */
  readonly seed: number;
}

function links(kind: string, size: number): [number, number][] {
  const found: [number, number][] = [];
  const side = Math.max(2, Math.floor(Math.sqrt(size)));
  for (let v = 1; v < size; v++) {
    if (kind === 'star') found.push([0, v]);
    if (kind === 'ring' || kind === 'line' || (kind === 'islands' && v % 4 !== 0)) found.push([v - 1, v]);
    if (kind === 'grid' && v % side !== 0) found.push([v - 1, v]);
    if (kind === 'grid' && v >= side) found.push([v - side, v]);
    if (kind === 'mesh') for (let u = 0; u < v; u++) found.push([u, v]);
  }
  if (kind === 'ring' && size > 2) found.push([size - 1, 0]);
  return found;
}

/** Mostly transit: otherwise a line is cut in the middle nearly always. */
const transitBit = fc.integer({ min: 0, max: 7 }).map((n) => n !== 0);
const unit = fc.constantFrom(1, 100, 1000);

function shaped(mostNodes: number): fc.Arbitrary<SpfNet> {
  return fc
    .tuple(
      fc.constantFrom('ring', 'line', 'grid', 'star', 'islands', 'mesh'),
      fc.integer({ min: 1, max: mostNodes }),
      unit,
    )
    .chain(([kind, size, scale]) => {
      const pairs = links(kind, kind === 'mesh' ? Math.min(size, 24) : size);
      return fc.record({
        seed: fc.nat(),
        transit: fc.array(transitBit, { minLength: size, maxLength: size }),
        // few different weights: many ties
        arcs: fc
          .array(fc.integer({ min: 1, max: 4 }), { minLength: 2 * pairs.length, maxLength: 2 * pairs.length })
          .map((weights) =>
            pairs.flatMap(([a, b], i): [number, number, number][] => [
              [a, b, (weights[2 * i] ?? 1) * scale],
              [b, a, (weights[2 * i + 1] ?? 1) * scale],
            ]),
          ),
      });
    });
}

function scattered(mostNodes: number, mostWeight: number): fc.Arbitrary<SpfNet> {
  return fc.integer({ min: 2, max: mostNodes }).chain((size) =>
    fc.record({
      seed: fc.nat(),
      transit: fc.array(transitBit, { minLength: size, maxLength: size }),
      arcs: fc.uniqueArray(
        fc
          .tuple(fc.nat(size - 1), fc.nat(size - 1), fc.integer({ min: 1, max: mostWeight }))
          .filter(([from, to]) => from !== to),
        { maxLength: size * 5, selector: ([from, to]) => from * 1000 + to },
      ),
    }),
  );
}

/** Nets of up to `mostNodes` nodes: rings, lines, grids, stars, islands, meshes, and without any shape. */
export function spfNets(mostNodes: number): fc.Arbitrary<SpfNet> {
  return fc.oneof(shaped(mostNodes), scattered(mostNodes, 5), scattered(mostNodes, 100_000));
}

/** The graph of a net, with free slots in between; `slots[v]` is where node v ended up. */
export function graphOf(net: SpfNet): { readonly graph: CsrGraph; readonly slots: readonly number[] } {
  const graph = new CsrGraph();
  const nodes = net.transit.map((_, v) => v);
  const indices = nodes.map((v) => 1 + (((v + 1) * (2 * (net.seed % 5000) + 1)) % 10_007));
  const spare = 20_000;
  graph.addNode(spare, true);
  for (const v of nodes) {
    graph.addNode(indices[v] ?? 0, net.transit[v] === true);
    if (v === 2) graph.addNode(spare + 1, true);
  }
  const slots = indices.map((index) => graph.slotOf(index) ?? -1);
  for (const [from, to, weight] of net.arcs) graph.setArc(slots[from] ?? 0, slots[to] ?? 0, weight);
  graph.removeNode(spare);
  graph.removeNode(spare + 1);
  graph.commit();
  return { graph, slots };
}

/** The same net with each arc turned round: its paths from a node are the paths to it of the first. */
export function turned(net: SpfNet): SpfNet {
  return { ...net, arcs: net.arcs.map(([from, to, weight]) => [to, from, weight] as const) };
}
