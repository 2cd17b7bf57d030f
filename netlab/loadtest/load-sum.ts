/** The tallies of all processes as one. */
import type { FleetAnswer } from './load-fleet.ts';
import type { LoadCounters } from './load-tally.ts';

export interface FleetSum {
  readonly joined: number;
  readonly established: number;
  readonly counters: LoadCounters;
  readonly joinMs: readonly number[];
  readonly sessionMs: readonly number[];
  readonly failures: Readonly<Record<string, number>>;
  readonly cpuUs: number;
  /** Earliest and latest over all processes; null: nobody saw any. */
  readonly watch: {
    readonly reportedUs: number | null;
    readonly firstDeltaUs: number | null;
    readonly lastSourceAckUs: number | null;
    readonly deltas: number;
  };
}

export function addUp(answers: readonly FleetAnswer[]): FleetSum {
  const tallies = answers.map((answer) => answer.tally);
  const counters: Record<string, number> = {};
  const failures: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [name, count] of Object.entries(tally.counters)) counters[name] = (counters[name] ?? 0) + count;
    for (const [name, count] of Object.entries(tally.failures)) failures[name] = (failures[name] ?? 0) + count;
  }
  const watches = tallies.flatMap((tally) => (tally.watch === null ? [] : [tally.watch]));
  const times = (name: 'reportedUs' | 'firstDeltaUs' | 'lastSourceAckUs') =>
    watches.flatMap((watch) => watch[name] ?? []);
  return {
    joined: tallies.reduce((sum, tally) => sum + tally.joined, 0),
    established: tallies.reduce((sum, tally) => sum + tally.established, 0),
    counters: counters as unknown as LoadCounters,
    joinMs: tallies.flatMap((tally) => tally.joinMs),
    sessionMs: tallies.flatMap((tally) => tally.sessionMs),
    failures,
    cpuUs: answers.reduce((sum, answer) => sum + answer.cpuUs, 0),
    watch: {
      reportedUs: least(times('reportedUs')),
      firstDeltaUs: least(times('firstDeltaUs')),
      lastSourceAckUs: most(times('lastSourceAckUs')),
      deltas: watches.reduce((sum, watch) => sum + watch.deltas, 0),
    },
  };
}

function least(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}

function most(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.max(...times);
}
