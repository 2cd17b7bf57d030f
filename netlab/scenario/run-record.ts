/** Everything a run has seen, from which measurements and the verdict on expectations are computed. */
import type { PathView } from '../../protocol/api.ts';
import type { FlowResult } from '../traffic/traffic-report.ts';
import type { PairReplies } from './ping-run.ts';
import type { ProcessorShares } from './processor-times.ts';
import type { ResourceSnapshot } from './resource-snapshot.ts';
import type { RouteTouch } from './route-monitor.ts';
import type { Scenario, TimeWindow } from './scenario.ts';
import type { RunEvent, RunPathChange } from './scenario-result.ts';

export interface RunRecord {
  readonly scenario: Scenario;
  readonly events: readonly RunEvent[];
  /** Since before t = 0 (negative `at`) in order. */
  readonly pathChanges: readonly RunPathChange[];
  /** After the first join began; null: it never happened. */
  readonly joinedMs: number | null;
  readonly steeredMs: number | null;
  /** t = 0 on the wall clock, milliseconds since 1970. */
  readonly originUnixMs: number;
  /** Paths when the scenario ended. */
  readonly finalPaths: readonly PathView[];
  readonly flow: (name: string, window: TimeWindow | null) => FlowResult | undefined;
  readonly pairReplies: (ping: string) => readonly PairReplies[];
  /** Undefined: the core gave no answer then or before. */
  readonly convergedAt: (ms: number) => boolean | undefined;
  readonly routeTouches: (host: string, window: TimeWindow) => readonly RouteTouch[];
  /** Null: not asked for. */
  readonly kernelDisagreements: readonly string[] | null;
  /** By host, at t = 0 and at the end; null: not asked for. */
  readonly resources: {
    readonly before: ReadonlyMap<string, ResourceSnapshot>;
    readonly after: ReadonlyMap<string, ResourceSnapshot>;
  } | null;
  /** Of the machine, from t = 0 to the end; null: not known. */
  readonly processors: ProcessorShares | null;
  /** What went wrong in the run itself. */
  readonly problems: readonly string[];
}

/** The path of a pair at a moment, from its changes; empty: none. */
export function pathAt(
  record: Pick<RunRecord, 'pathChanges'>,
  from: string,
  to: string,
  atMs: number,
): readonly string[] {
  const last = record.pathChanges.findLast((c) => c.from === from && c.to === to && c.at * 1_000 <= atMs);
  return last?.after ?? [];
}
