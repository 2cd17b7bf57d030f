/** Our one-source SPF, for sssp and leaves. */
import { OneSource } from '../../steering/spf/one-source.ts';
import { SourceTree } from '../../steering/spf/source-tree.ts';
import { DistanceChecksum } from './checksum.ts';
import type { SpfCandidate } from './spf-candidate.ts';
import { timedSources } from './timed-sources.ts';

export const THALWEG_ONE_SOURCE: SpfCandidate = {
  name: 'thalweg',
  ours: true,
  async open({ graph, sources }) {
    const spf = new OneSource();
    const tree = new SourceTree();
    return {
      async round() {
        return timedSources(sources, (source) => spf.compute(graph, 'from', source, tree));
      },
      async checksum() {
        const sum = new DistanceChecksum();
        for (const source of sources) {
          spf.compute(graph, 'from', source, tree);
          sum.addRow(source, tree.distance, graph.slotCount);
        }
        return sum.hex;
      },
    };
  },
};
