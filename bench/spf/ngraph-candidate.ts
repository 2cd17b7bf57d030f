/**
 * ngraph.path. It finds a path between two nodes; asked for one to a node that cannot be reached, its A* without
 * heuristic is Dijkstra's algorithm over all nodes.
 */
import type { Link, Node } from 'ngraph.graph';
import { DistanceChecksum } from './checksum.ts';
import { forwardedArcs } from './forwarded-arcs.ts';
import { type SpfCandidate, Unfit } from './spf-candidate.ts';
import { timedSources } from './timed-sources.ts';

/** Nodes and links are objects: more of them do not fit a heap that anybody would give it. */
const MOST_ARCS = 2_000_000;
const NOWHERE = -1;

export const NGRAPH: SpfCandidate = {
  name: 'ngraph.path',
  ours: false,
  async open({ graph, sources }) {
    if (graph.arcCount > MOST_ARCS) throw new Unfit(`${graph.arcCount} arcs are over ${MOST_ARCS}`);
    const { default: createGraph } = await import('ngraph.graph');
    const { aStar } = await import('ngraph.path');
    const peer = createGraph<null, number>();
    for (const slot of graph.slots()) peer.addNode(slot, null);
    peer.addNode(NOWHERE, null);
    for (const { from, to, weight } of forwardedArcs(graph)) peer.addLink(from, to, weight);
    const distance = (_to: Node<null>, _from: Node<null>, link: Link<number>): number => link.data;
    const finder = aStar(peer, { oriented: true, distance });
    return {
      async round() {
        return timedSources(sources, (source) => finder.find(source, NOWHERE));
      },
      async checksum() {
        // it keeps distances to itself: they are added up again where it asks for weights, from nodes that are settled
        const found = new Float64Array(graph.slotCount);
        const watched = aStar(peer, {
          oriented: true,
          distance: (to: Node<null>, from: Node<null>, link: Link<number>): number => {
            const through = (found[Number(from.id)] ?? 0) + link.data;
            if (through < (found[Number(to.id)] ?? 0)) found[Number(to.id)] = through;
            return link.data;
          },
        });
        const sum = new DistanceChecksum();
        for (const source of sources) {
          found.fill(0xffff_ffff);
          found[source] = 0;
          watched.find(source, NOWHERE);
          sum.addRow(source, found, graph.slotCount);
        }
        return sum.hex;
      },
    };
  },
};
