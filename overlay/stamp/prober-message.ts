/**
 * What crosses between the agent's thread and the probing thread. Summaries travel as one Float64Array whose memory is
 * handed over, nine numbers a peer, so that a thousand peers cost neither side a thousand small objects to clone:
 *
 *   peerIndex | health | rttUs | minRttUs | jitterUs | lossOutPpm | lossInPpm | samples | grey    NaN: not measured
 */
import type { ErrorObject } from '../../protocol/error.ts';
import type { ProbeLoopOptions } from './probe-loop.ts';
import type { LinkSummary, ProbeCounters, ProbeSettings, ProbeTarget } from './prober.ts';

/** The worker is started with this as its `workerData`. */
export interface ProberWorkerData {
  readonly options: ProbeLoopOptions;
  readonly targets: readonly ProbeTarget[];
}

export type MessageToWorker =
  | { readonly kind: 'targets'; readonly targets: readonly ProbeTarget[] }
  | { readonly kind: 'settings'; readonly settings: ProbeSettings }
  | { readonly kind: 'stop' };

export type MessageFromWorker =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly error: ErrorObject }
  | { readonly kind: 'summary'; readonly links: Float64Array<ArrayBuffer>; readonly counters: ProbeCounters };

const COLUMNS = 9;
const HEALTHS = ['unmeasured', 'up', 'down'] as const;

export function packSummaries(summaries: readonly LinkSummary[]): Float64Array<ArrayBuffer> {
  const packed = new Float64Array(summaries.length * COLUMNS);
  summaries.forEach((s, row) => {
    const numbers = [s.rttUs, s.minRttUs, s.jitterUs, s.lossOutPpm, s.lossInPpm];
    packed.set(
      [s.peerIndex, HEALTHS.indexOf(s.health), ...numbers.map((n) => n ?? Number.NaN), s.samples, s.grey ? 1 : 0],
      row * COLUMNS,
    );
  });
  return packed;
}

export function unpackSummaries(packed: Float64Array): LinkSummary[] {
  return Array.from({ length: packed.length / COLUMNS }, (_, row) => {
    const at = (column: number) => packed[row * COLUMNS + column] ?? Number.NaN;
    const measured = (column: number) => (Number.isNaN(at(column)) ? null : at(column));
    return {
      peerIndex: at(0),
      health: HEALTHS[at(1)] ?? 'unmeasured',
      rttUs: measured(2),
      minRttUs: measured(3),
      jitterUs: measured(4),
      lossOutPpm: measured(5),
      lossInPpm: measured(6),
      samples: at(7),
      grey: at(8) === 1,
    };
  });
}
