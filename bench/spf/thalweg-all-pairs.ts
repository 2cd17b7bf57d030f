/** Our tables of all pairs, by kernel and threads. Memory and threads are kept between rounds, as steering keeps them. */
import { AllPairs, type AllPairsKernel } from '../../steering/spf/all-pairs.ts';
import { DistanceChecksum } from './checksum.ts';
import type { SpfCandidate } from './spf-candidate.ts';

function allPairs(name: string, kernel: AllPairsKernel, threads: number): SpfCandidate {
  return {
    name,
    ours: true,
    async open({ graph, sources }) {
      const engine = new AllPairs({ kernel, threads });
      engine.start();
      const fill = () => engine.fill({ graph, direction: 'out', transitHopUs: 0 });
      let table: Awaited<ReturnType<typeof fill>> | undefined;
      return {
        async round() {
          const from = performance.now();
          table = await fill();
          return [performance.now() - from];
        },
        async checksum() {
          if (table === undefined) throw new Error('checksum before a round');
          const sum = new DistanceChecksum();
          for (const source of sources) {
            const row = source * table.stride;
            sum.addRow(source, table.distance.subarray(row, row + graph.slotCount), graph.slotCount);
          }
          return sum.hex;
        },
        close: () => engine.stop(),
      };
    },
  };
}

export const THALWEG_ONE_THREAD = allPairs('thalweg-webassembly-1', 'webassembly', 1);
export const THALWEG_TWO_THREADS = allPairs('thalweg-webassembly-2', 'webassembly', 2);
export const THALWEG_TYPESCRIPT = allPairs('thalweg-typescript-2', 'typescript', 2);
