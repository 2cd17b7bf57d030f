/**
 * Shortest paths the slow, obvious way (Bellman-Ford), for holding fast algorithms against. A net is plain values; nodes
 * are numbered 0, 1, ... and carry the stable index on which ties break.
 */
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';

/** from, to, weight in microseconds. */
export type Arc = readonly [from: number, to: number, weight: number];

export interface Net {
  /** Stable index by node; no two alike. */
  readonly index: readonly number[];
  readonly transit: readonly boolean[];
  /** At most one per ordered pair of nodes; none from a node to itself. */
  readonly arcs: readonly Arc[];
}

/** By node. */
export interface SlowTree {
  /** Infinity: unreachable. */
  readonly distance: number[];
  /** Links on the path; 0 for the root and for unreachable nodes. */
  readonly hops: number[];
  /** Predecessor, or next hop where the tree leads to the root; -1: none. */
  readonly predecessor: number[];
}

/** 'from': paths from the root along the arcs. 'to': paths towards the root, as route tables want them. */
export type Direction = 'from' | 'to';

/**
 * The tree of `root`. A node that is neither the root nor transit is reached but passes nothing on; passing on costs
 * `transitHopUs`, except at the root. Among equal paths the predecessor has the fewest hops, then the least stable index.
 */
export function slowTree(net: Net, root: number, direction: Direction, transitHopUs = 0): SlowTree {
  const arcs = direction === 'from' ? net.arcs : net.arcs.map(([from, to, weight]): Arc => [to, from, weight]);
  const distance = net.transit.map((_, v) => (v === root ? 0 : Number.POSITIVE_INFINITY));
  const passesOn = (u: number) => u === root || net.transit[u] === true;
  const through = ([from, , weight]: Arc) =>
    passesOn(from) ? (distance[from] ?? 0) + weight + (from === root ? 0 : transitHopUs) : Number.POSITIVE_INFINITY;
  for (let changed = true; changed; ) {
    changed = false;
    for (const arc of arcs) {
      if (through(arc) >= (distance[arc[1]] ?? 0)) continue;
      distance[arc[1]] = through(arc);
      changed = true;
    }
  }
  const hops = net.transit.map(() => 0);
  const predecessor = net.transit.map(() => -1);
  const byDistance = [...distance.keys()]
    .filter((v) => v !== root && distance[v] !== Number.POSITIVE_INFINITY)
    .sort((a, b) => (distance[a] ?? 0) - (distance[b] ?? 0));
  for (const v of byDistance) {
    const tight = arcs.filter((arc) => arc[1] === v && through(arc) === distance[v]).map(([u]) => u);
    tight.sort((a, b) => (hops[a] ?? 0) - (hops[b] ?? 0) || (net.index[a] ?? 0) - (net.index[b] ?? 0));
    const best = tight[0] ?? -1;
    predecessor[v] = best;
    hops[v] = (hops[best] ?? 0) + 1;
  }
  return { distance, hops, predecessor };
}

/** Nodes from `node` to the root, both included; empty when it is unreachable. */
export function pathToRoot(tree: SlowTree, root: number, node: number): number[] {
  if (tree.distance[node] === Number.POSITIVE_INFINITY) return [];
  const path = [node];
  for (let v = node; v !== root; ) {
    v = tree.predecessor[v] ?? -1;
    path.push(v);
  }
  return path;
}

/** The net without the link between two nodes (both directions), or without a node's arcs. */
export function without(
  net: Net,
  failed: { readonly link: readonly [number, number] } | { readonly node: number },
): Net {
  const gone = ([from, to]: Arc): boolean => {
    if ('node' in failed) return from === failed.node || to === failed.node;
    const [a, b] = failed.link;
    return (from === a && to === b) || (from === b && to === a);
  };
  return { ...net, arcs: net.arcs.filter((arc) => !gone(arc)) };
}

/** What a graph holds, by slot; free slots are nodes without arcs whose index is negative. */
export function netOf(graph: CsrGraph): Net {
  const used = new Set(graph.slots());
  const slots = Array.from({ length: graph.slotCount }, (_, slot) => slot);
  const { start, length, neighbour, weight } = graph.out;
  return {
    index: slots.map((slot) => (used.has(slot) ? graph.indexOf(slot) : -1 - slot)),
    transit: slots.map((slot) => used.has(slot) && graph.isTransit(slot)),
    arcs: slots.flatMap((slot) =>
      Array.from({ length: length[slot] ?? 0 }, (_, i): Arc => {
        const k = (start[slot] ?? 0) + i;
        return [slot, neighbour[k] ?? -1, weight[k] ?? 0];
      }),
    ),
  };
}
