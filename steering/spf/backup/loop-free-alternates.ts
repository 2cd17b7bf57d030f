/**
 * Loop-free alternates (RFC 5286): the neighbour N to which a node S sends packets for D at once, by itself, when its
 * next hop E, or the link to it, fails.
 *
 *        E                 link-protecting   N's path to D does not lead through S           (RFC 5286, inequality 1)
 *      /   \               node-protecting   nor through E; E is not D itself                (inequality 3)
 *    S       D             downstream        N is nearer to D than S is                      (inequality 2)
 *      \   /
 *        N                 N forwards for others, or is D itself
 *
 * The RFC's inequalities compare distances, since a router does not know which of its equal paths a neighbour uses. Here
 * the core sets every next hop, so the paths themselves are looked at: what the inequalities allow is found, and ties
 * that forwarding resolves in S's favour beside it.
 */
import type { GraphView } from '../../graph/graph-view.ts';
import type { NextHopTree } from './next-hop-tree.ts';

/** Bits of what an alternate protects. Every alternate has LINK. */
export const LINK = 1;
export const NODE = 2;
/** Nodes that all send to downstream alternates at the same time make no loop, whatever failed. */
export const DOWNSTREAM = 4;

/** Alternates of all nodes towards one destination. */
export class AlternateRow {
  /** Slot of the neighbour, by slot; -1: none, or the node has no path to begin with. */
  alternate = new Int32Array(0);
  /** LINK, NODE, DOWNSTREAM; 0 where there is no alternate. */
  protection = new Uint8Array(0);

  reset(slotCount: number): void {
    if (this.alternate.length < slotCount) {
      this.alternate = new Int32Array(slotCount * 2);
      this.protection = new Uint8Array(slotCount * 2);
    }
    this.alternate.fill(-1, 0, slotCount);
    this.protection.fill(0, 0, slotCount);
  }
}

/**
 * Fills `into` with the best alternate of every node towards the root of `tree`: node-protecting before others; among
 * those that are not, downstream before others, since there the next hop may have died and its other neighbours repair
 * too; then least cost, fewest hops, least stable index. O(arcs) for one destination.
 */
export function selectAlternates(graph: GraphView, tree: NextHopTree, transitHopUs: number, into: AlternateRow): void {
  into.reset(graph.slotCount);
  const { root, distance, nextHop, hops, enter, leave } = tree;
  const { start, length, transitLength, neighbour, weight } = graph.out;
  const { transit, index } = graph;
  // links to nodes that do not forward stand last: they are of use only where the destination is one of them
  const usable = transit[root] === 1 ? transitLength : length;
  for (let i = 1; i < tree.reached; i++) {
    const node = tree.order[i] ?? 0;
    const primary = nextHop[node] ?? -1;
    const from = enter[node] ?? 0;
    const to = leave[node] ?? 0;
    const primaryFrom = enter[primary] ?? 0;
    const primaryTo = leave[primary] ?? 0;
    const own = distance[node] ?? 0;
    let best = -1;
    let bestProtection = 0;
    let bestRank = -1;
    let bestCost = 0;
    const end = (start[node] ?? 0) + (usable[node] ?? 0);
    for (let k = start[node] ?? 0; k < end; k++) {
      const other = neighbour[k] ?? 0;
      const at = enter[other] ?? -1;
      // without a path; below `node`, so through it
      if (at < 0 || other === primary || (at >= from && at < to)) continue;
      if (transit[other] !== 1 && other !== root) continue;
      const rest = distance[other] ?? 0;
      let protection = LINK;
      if (rest < own) protection |= DOWNSTREAM;
      if (primary !== root && (at < primaryFrom || at >= primaryTo)) protection |= NODE;
      const rank = (protection & NODE) !== 0 ? 2 : (protection & DOWNSTREAM) !== 0 ? 1 : 0;
      if (rank < bestRank) continue;
      const cost = (weight[k] ?? 0) + (other === root ? 0 : transitHopUs) + rest;
      if (rank === bestRank) {
        if (cost > bestCost) continue;
        if (cost === bestCost) {
          const difference = (hops[other] ?? 0) - (hops[best] ?? 0);
          if (difference > 0 || (difference === 0 && (index[other] ?? 0) > (index[best] ?? 0))) continue;
        }
      }
      best = other;
      bestProtection = protection;
      bestRank = rank;
      bestCost = cost;
    }
    into.alternate[node] = best;
    into.protection[node] = bestProtection;
  }
}
