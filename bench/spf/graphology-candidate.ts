/** graphology: singleSource of its Dijkstra, which returns the path to each node as a list. */
import { DistanceChecksum } from './checksum.ts';
import { forwardedArcs } from './forwarded-arcs.ts';
import { type SpfCandidate, Unfit } from './spf-candidate.ts';
import { timedSources } from './timed-sources.ts';

/** Nodes and edges are objects and strings: more of them do not fit a heap that anybody would give it. */
const MOST_ARCS = 2_000_000;

export const GRAPHOLOGY: SpfCandidate = {
  name: 'graphology',
  ours: false,
  async open({ graph, sources }) {
    if (graph.arcCount > MOST_ARCS) throw new Unfit(`${graph.arcCount} arcs are over ${MOST_ARCS}`);
    const { DirectedGraph } = await import('graphology');
    const { dijkstra } = await import('graphology-shortest-path');
    const peer = new DirectedGraph();
    for (const slot of graph.slots()) peer.addNode(slot);
    for (const { from, to, weight } of forwardedArcs(graph)) peer.addEdge(from, to, { weight });
    return {
      async round() {
        return timedSources(sources, (source) => dijkstra.singleSource(peer, source, 'weight'));
      },
      async checksum() {
        const sum = new DistanceChecksum();
        for (const source of sources) {
          const found = new Float64Array(graph.slotCount).fill(0xffff_ffff);
          for (const [target, path] of Object.entries(dijkstra.singleSource(peer, source, 'weight'))) {
            let length = 0;
            for (let i = 1; i < path.length; i++) length += graph.weight(Number(path[i - 1]), Number(path[i]));
            found[Number(target)] = length;
          }
          sum.addRow(source, found, graph.slotCount);
        }
        return sum.hex;
      },
    };
  },
};
