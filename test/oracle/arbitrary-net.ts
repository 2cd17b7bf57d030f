/** Nets for property tests: rings, grids, stars, islands, meshes and random ones; and edits in random order. */
import fc from 'fast-check';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import type { Arc, Net } from './slow-tree.ts';

/** The longest that a weight can be. */
export const MAX_WEIGHT = 2 ** 31 - 1;

/** Kinds of weights: few different ones make many equal paths; huge ones make sums that 32 bits cannot hold. */
export const WEIGHTS = {
  ties: fc.integer({ min: 1, max: 6 }).map((weight) => weight * 100),
  unit: fc.constant(1),
  wide: fc.integer({ min: 1, max: 300_000 }),
  huge: fc.integer({ min: MAX_WEIGHT - 3, max: MAX_WEIGHT }),
} as const;
export type WeightKind = keyof typeof WEIGHTS;

const SHAPES = ['ring', 'grid', 'star', 'islands', 'mesh'] as const;

/** Pairs of nodes that are linked. */
function shape(kind: (typeof SHAPES)[number], size: number): [number, number][] {
  const links: [number, number][] = [];
  const side = Math.max(2, Math.floor(Math.sqrt(size)));
  for (let v = 1; v < size; v++) {
    if (kind === 'star') links.push([0, v]);
    if (kind === 'ring' || (kind === 'islands' && v % 4 !== 0)) links.push([v - 1, v]);
    if (kind === 'grid' && v % side !== 0) links.push([v - 1, v]);
    if (kind === 'grid' && v >= side) links.push([v - side, v]);
    if (kind === 'mesh') for (let u = 0; u < v; u++) links.push([u, v]);
  }
  if (kind === 'ring' && size > 2) links.push([size - 1, 0]);
  return links;
}

/** Stable indices that have nothing to do with the order of the nodes, and transit bits. */
function nodes(size: number): fc.Arbitrary<Pick<Net, 'index' | 'transit'>> {
  return fc.record({
    index: fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { minLength: size, maxLength: size }),
    // mostly transit: otherwise half of the graph is in nobody's way
    transit: fc.array(
      fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      { minLength: size, maxLength: size },
    ),
  });
}

/** `symmetric`: both directions of a link have one weight, as steering's links have. */
export function arbitraryNet(
  options: { readonly maxSize?: number; readonly weights?: readonly WeightKind[]; readonly symmetric?: boolean } = {},
): fc.Arbitrary<Net> {
  const { maxSize = 16, weights = ['ties', 'unit', 'wide'], symmetric = false } = options;
  const weight = fc.constantFrom(...weights).map((kind) => WEIGHTS[kind]);
  const shaped = fc
    .tuple(fc.constantFrom(...SHAPES), fc.integer({ min: 3, max: maxSize }), weight)
    .chain(([kind, size, of]) => {
      const links = shape(kind, size);
      const both = fc.tuple(of, of);
      return fc
        .tuple(nodes(size), fc.array(both, { minLength: links.length, maxLength: links.length }))
        .map(([node, found]) => ({ ...node, arcs: links.flatMap((link, i) => arcs(link, found[i], symmetric)) }));
    });
  const random = fc.tuple(fc.integer({ min: 2, max: maxSize }), weight).chain(([size, of]) => {
    const link = fc.tuple(fc.nat(size - 1), fc.nat(size - 1)).filter(([a, b]) => a < b);
    return fc
      .tuple(
        nodes(size),
        fc.uniqueArray(fc.tuple(link, fc.tuple(of, of), fc.integer({ min: 0, max: 9 })), {
          maxLength: size * 4,
          selector: ([[a, b]]) => a * 1_000 + b,
        }),
      )
      .map(([node, found]) => ({
        ...node,
        // where directions may differ, one may also be missing
        arcs: found.flatMap(([ends, both, dice]) =>
          arcs(ends, both, symmetric).filter((_, i) => symmetric || dice > 1 || dice === i),
        ),
      }));
  });
  return fc.oneof(shaped, random);
}

function arcs(
  [a, b]: readonly [number, number],
  weights: readonly [number, number] | undefined,
  symmetric: boolean,
): Arc[] {
  const [there = 1, back = 1] = weights ?? [];
  return [
    [a, b, there],
    [b, a, symmetric ? there : back],
  ];
}

/** The net as a graph, and the slot of each node. `shuffled`: put together in another order, after edits taken back. */
export function graphOf(net: Net, shuffled = false): { graph: CsrGraph; slots: number[] } {
  const graph = new CsrGraph();
  const order = [...net.index.keys()];
  if (shuffled) {
    order.reverse();
    const passing = graph.addNode(2_000, true);
    for (const v of order) graph.setArc(graph.addNode(net.index[v] ?? 0, true), passing, 1);
    for (const v of order) graph.removeNode(net.index[v] ?? 0);
    graph.removeNode(2_000);
  }
  for (const v of order) graph.addNode(net.index[v] ?? 0, net.transit[v] === true);
  const slots = net.index.map((index) => graph.slotOf(index) ?? -1);
  const at = (v: number) => slots[v] ?? -1;
  const found = shuffled ? [...net.arcs].reverse() : net.arcs;
  if (shuffled) for (const [from, to, weight] of found) graph.setArc(at(from), at(to), weight === 1 ? 2 : weight - 1);
  for (const [from, to, weight] of found) graph.setArc(at(from), at(to), weight);
  graph.commit();
  return { graph, slots };
}

export type Edit =
  | { readonly kind: 'weight'; readonly a: number; readonly b: number; readonly weight: number; readonly both: boolean }
  | { readonly kind: 'cut'; readonly a: number; readonly b: number; readonly both: boolean }
  | { readonly kind: 'transit'; readonly a: number; readonly transit: boolean }
  | { readonly kind: 'remove'; readonly a: number }
  | { readonly kind: 'add'; readonly a: number; readonly transit: boolean };

/** Numbers of nodes are taken modulo the size of what they are applied to. */
export function arbitraryEdits(
  options: { readonly maxEdits?: number; readonly weights?: WeightKind } = {},
): fc.Arbitrary<Edit[]> {
  const node = fc.nat(1_000);
  const [a, b, both] = [node, node, fc.boolean()];
  const weight = WEIGHTS[options.weights ?? 'ties'];
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('weight' as const), a, b, weight, both }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('cut' as const), a, b, both }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('transit' as const), a, transit: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), a }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('add' as const), a, transit: fc.boolean() }) },
    ),
    { minLength: 1, maxLength: options.maxEdits ?? 20 },
  );
}

/**
 * Applies an edit to a graph. Returns the slots whose arcs or transit bit changed; empty when the edit names what is
 * not there. The caller commits.
 */
export function applyEdit(graph: CsrGraph, edit: Edit): number[] {
  const nodes = [...graph.slots()].sort((a, b) => graph.indexOf(a) - graph.indexOf(b));
  if (edit.kind === 'add') {
    // an index that was never there or was removed before
    const index = 1_000 + (edit.a % 50);
    return graph.slotOf(index) === undefined ? [graph.addNode(index, edit.transit)] : [];
  }
  const a = nodes[edit.a % Math.max(1, nodes.length)];
  if (a === undefined) return [];
  if (edit.kind === 'transit') {
    graph.setTransit(a, edit.transit);
    return [a];
  }
  if (edit.kind === 'remove') {
    if (nodes.length < 3) return [];
    graph.removeNode(graph.indexOf(a));
    return [a];
  }
  const b = nodes[edit.b % nodes.length];
  if (b === undefined || a === b) return [];
  for (const [from, to] of edit.both
    ? ([
        [a, b],
        [b, a],
      ] as const)
    : ([[a, b]] as const)) {
    if (edit.kind === 'weight') graph.setArc(from, to, edit.weight);
    else graph.removeArc(from, to);
  }
  return [a, b];
}
