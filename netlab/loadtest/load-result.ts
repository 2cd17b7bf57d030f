/** What a load test measured. Bytes are of resident memory, durations in milliseconds. */
import type { SampleSummary } from '../traffic/percentile.ts';
import type { LoadCounters } from './load-tally.ts';

export interface ChangeResult {
  readonly kind: 'transit link down' | 'transit link slow' | 'leaf link down';
  /** From the first report to the first delta, and to the last acknowledgement of rows that sources follow. */
  readonly firstDeltaMs: SampleSummary;
  readonly movedMs: SampleSummary;
  /** Changes after which nobody was told anything within the time. */
  readonly without: number;
  readonly deltas: number;
}

export interface LoadResult {
  readonly agents: number;
  readonly transit: number;
  readonly processes: number;
  readonly durationS: number;
  readonly heartbeatMs: number;
  readonly reportIntervalMs: number;
  readonly join: {
    /** From the first join to the last session. */
    readonly allMs: number;
    readonly joinsPerS: number;
    readonly joinMs: SampleSummary;
    readonly sessionMs: SampleSummary;
    readonly deferred: number;
    readonly coreCpu: number;
    readonly agentsCpu: number;
    /** Of all cores that hold sessions, and of all NATS servers. */
    readonly holdersCpu: number;
    readonly natsCpu: number;
  };
  readonly memory: {
    readonly emptyBytes: number;
    readonly joinedBytes: number;
    readonly steadyBytes: number;
    readonly peakBytes: number;
    readonly perAgentBytes: number;
  };
  /** Null: one core, without NATS. Else `core` is the one that steers. */
  readonly cluster: {
    readonly cores: number;
    readonly natsServers: number;
    /** Above what they have without agents. */
    readonly holderBytesPerAgent: number;
  } | null;
  readonly steady: {
    readonly seconds: number;
    /** Share of one processor. */
    readonly coreCpu: number;
    readonly agentsCpu: number;
    readonly holdersCpu: number;
    readonly natsCpu: number;
    readonly reportsPerS: number;
    readonly heartbeatsPerS: number;
    readonly deltasPerS: number;
    readonly peerUpdatesPerS: number;
    /** Bytes that agents received and sent. */
    readonly downBytesPerS: number;
    readonly upBytesPerS: number;
  } | null;
  readonly changes: readonly ChangeResult[];
  readonly coreKilled: {
    /** From the start of the new core to its first answer, and to the last agent's session, or the end of the run. */
    readonly startMs: number;
    readonly waitedMs: number;
    /** Agents that have had a session since: fewer than all when the time was over. */
    readonly back: number;
    readonly sessionMs: SampleSummary;
    readonly peakBytes: number;
    readonly steadyBytes: number;
    /** Agents whose table was changed by the first delta of a session after the kill. */
    readonly tablesChanged: number;
    readonly coreCpu: number;
  } | null;
  readonly counters: LoadCounters;
  readonly failures: Readonly<Record<string, number>>;
}
