/** Who is measured at keeping the tables of all pairs current through changed weights. */
import { IncrementalTable } from '../../steering/spf/incremental/incremental-table.ts';
import { DistanceChecksum } from './checksum.ts';
import { type OpenCandidate, type SpfCandidate, type SpfInput, Unfit } from './spf-candidate.ts';

/** The whole table takes 8 bytes per entry. */
const MOST_SLOTS = 20_000;

/** Our incremental table: from the edit of the graph to the table that is right for it, and what changed listed. */
async function openIncremental({ graph, sources, changes, changesPerRound }: SpfInput): Promise<OpenCandidate> {
  if (graph.slotCount > MOST_SLOTS) throw new Unfit(`a table of ${graph.slotCount} rows does not fit`);
  const kept = new IncrementalTable(graph, { direction: 'from', transitHopUs: 0 });
  let next = 0;
  return {
    round: async () => {
      const found = changes.slice(next, next + changesPerRound);
      next += changesPerRound;
      return found.map(({ from, to, weight }) => {
        const startMs = performance.now();
        graph.setArc(from, to, weight);
        graph.commit();
        kept.refresh();
        return performance.now() - startMs;
      });
    },
    checksum: async () => {
      const sum = new DistanceChecksum();
      for (const source of sources) {
        const row = source * kept.table.stride;
        sum.addRow(source, kept.table.distance.subarray(row), graph.slotCount);
      }
      return sum.hex;
    },
  };
}

export const UPDATE_CANDIDATES: readonly SpfCandidate[] = [
  { name: 'thalweg-incremental', ours: true, open: openIncremental },
];
