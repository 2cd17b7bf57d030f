/** What a flow says about one disturbance: how long nothing came, what was lost, how often it was interrupted. Pure. */
import type { FlowSchedule, FlowWindow, SinkReport, SourceReport } from '../../netlab/traffic/traffic-report.ts';
import { flowResult } from '../../netlab/traffic/traffic-report.ts';

/** Fewer packets missing in a row are loss, not an interruption: 5 ms at 1,000 packets/s. */
const INTERRUPTION_PACKETS = 5;
/** Interruptions closer than this are one: the time that a link is up in the scenario `flap` is far longer. */
const SAME_INTERRUPTION_MS = 500;

export interface FlowReports {
  readonly source: SourceReport;
  readonly sink: SinkReport;
}

export interface Disturbance {
  /** Longest time of which every packet was lost, by when they were due. */
  readonly outageMs: number;
  readonly lost: number;
  /** From the start of the window to the last packet that was lost in it; 0: none was. */
  readonly lossyForMs: number;
  readonly interruptions: number;
}

/** Packets that were due in `window` (milliseconds after the flow's start). Null: the flow had none then. */
export function reckonDisturbance(
  reports: FlowReports,
  schedule: FlowSchedule,
  window: FlowWindow,
): Disturbance | null {
  const { source, sink } = reports;
  const { sent, lost } = flowResult(source, sink, schedule, window);
  if (sent === 0) return null;
  const perMs = schedule.packetsPerSecond / 1_000;
  const runs = missingIn(reports, window, perMs);
  const last = runs.at(-1);
  return {
    outageMs: Math.max(0, ...runs.map(({ count }) => count)) / perMs,
    lost,
    lossyForMs: last === undefined ? 0 : (last.from + last.count) / perMs - window.fromMs,
    interruptions: countInterruptions(runs, perMs),
  };
}

interface Run {
  readonly from: number;
  readonly count: number;
}

/** Missing packets that were due in the window, those after the last that came included. */
function missingIn({ source, sink }: FlowReports, window: FlowWindow, perMs: number): Run[] {
  const first = Math.max(0, Math.ceil(window.fromMs * perMs));
  const end = Math.min(source.sent, Math.ceil(window.toMs * perMs));
  const tail = [sink.highestSequence + 1, source.sent - sink.highestSequence - 1] as const;
  return [...sink.missing, tail].flatMap(([start, count]) => {
    const from = Math.max(first, start);
    const until = Math.min(end, start + count);
    return until > from ? [{ from, count: until - from }] : [];
  });
}

function countInterruptions(runs: readonly Run[], perMs: number): number {
  let count = 0;
  let endOfLast = Number.NEGATIVE_INFINITY;
  for (const run of runs) {
    if (run.count < INTERRUPTION_PACKETS) continue;
    if (run.from - endOfLast > SAME_INTERRUPTION_MS * perMs) count++;
    endOfLast = run.from + run.count;
  }
  return count;
}
