/** What the simulated agents of one process have seen. Numbers only: it goes to the parent as a message. */

export interface ChangedLink {
  readonly a: number;
  readonly b: number;
}

/** What follows one change of a link, as agents see it. Times are of the machine's monotonic clock, in microseconds. */
export interface ChangeWatch {
  /** Its ends, by node index. */
  readonly link: ChangedLink;
  /** The first report that said so. */
  reportedUs: number | null;
  firstDeltaUs: number | null;
  /** The last acknowledgement of rows by which an end sends its own packets another way than over the link. */
  lastSourceAckUs: number | null;
  deltas: number;
  readonly agents: Set<number>;
}

export interface TallySnapshot {
  readonly joined: number;
  readonly established: number;
  readonly counters: LoadCounters;
  /** Durations since the last snapshot, in milliseconds. */
  readonly joinMs: readonly number[];
  readonly sessionMs: readonly number[];
  readonly watch: {
    readonly reportedUs: number | null;
    readonly firstDeltaUs: number | null;
    readonly lastSourceAckUs: number | null;
    readonly deltas: number;
    readonly agents: number;
  } | null;
  /** Reasons for which sessions and joins failed, with how often. */
  readonly failures: Readonly<Record<string, number>>;
  readonly transit: readonly number[];
}

export interface LoadCounters {
  /** Joins that the core put off. */
  deferred: number;
  sessions: number;
  reports: number;
  heartbeats: number;
  peerUpdates: number;
  deltas: number;
  rows: number;
  /** Deltas that did not fit: each was answered with a request for the whole table. */
  unfit: number;
  /** Sessions in which a delta changed the table that the agent came back with. */
  tablesChangedOnReturn: number;
  receivedBytes: number;
  sentBytes: number;
}

const FAILURE_KINDS = 64;

export class LoadTally {
  joined = 0;
  established = 0;
  readonly counters: LoadCounters = {
    deferred: 0,
    sessions: 0,
    reports: 0,
    heartbeats: 0,
    peerUpdates: 0,
    deltas: 0,
    rows: 0,
    unfit: 0,
    tablesChangedOnReturn: 0,
    receivedBytes: 0,
    sentBytes: 0,
  };
  readonly transit: number[] = [];
  watch: ChangeWatch | null = null;
  #joinMs: number[] = [];
  #sessionMs: number[] = [];
  readonly #failures = new Map<string, number>();

  join(durationMs: number): void {
    this.joined++;
    this.#joinMs.push(durationMs);
  }

  session(durationMs: number): void {
    this.established++;
    this.counters.sessions++;
    this.#sessionMs.push(durationMs);
  }

  failed(reason: string): void {
    const known = this.#failures.has(reason) || this.#failures.size < FAILURE_KINDS ? reason : 'other';
    this.#failures.set(known, (this.#failures.get(known) ?? 0) + 1);
  }

  begin(link: ChangedLink): void {
    this.watch = {
      link,
      reportedUs: null,
      firstDeltaUs: null,
      lastSourceAckUs: null,
      deltas: 0,
      agents: new Set(),
    };
  }

  /** Takes the durations out. */
  snapshot(): TallySnapshot {
    const { joined, established, watch } = this;
    const [joinMs, sessionMs] = [this.#joinMs, this.#sessionMs];
    this.#joinMs = [];
    this.#sessionMs = [];
    return {
      joined,
      established,
      counters: { ...this.counters },
      joinMs,
      sessionMs,
      watch: watch === null ? null : { ...watch, agents: watch.agents.size },
      failures: Object.fromEntries(this.#failures),
      transit: [...this.transit],
    };
  }
}
