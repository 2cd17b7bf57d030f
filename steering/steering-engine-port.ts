/**
 * The pure steering core as the shell sees it: events and time go in, actions come out, no clock, no I/O. One step
 * runs the pipeline  link state -> graph -> SPF -> incumbency (hysteresis) -> RIB -> rollout (two planes) -> delta.
 */
import type { LinkView, PathChange, PathExplanation, PathView } from '../protocol/api.ts';
import type { NextHop, RouteDelta } from '../protocol/route-table.ts';
import type { AccessLimits } from './capacity/capacity-book.ts';
import type { LoadInput } from './load/load-input.ts';
import type { TrafficState } from './load/traffic-state.ts';
import type { BackupCounts } from './rib/backup-choice.ts';

/** A node as steering needs to know it. */
export interface SteeringNode {
  readonly index: number;
  readonly name: string;
  /** May forward for others. */
  readonly transit: boolean;
  /** Leaves that it takes as their home, where the engine knows leaves. Null: the node was never heard. */
  readonly leafCapacity?: number | null;
}

/** What a node is to the others in a mesh that has leaves; nodes by index. */
export type NodeRole =
  | { readonly kind: 'transit'; readonly leaves: number; readonly leafCapacity: number }
  | { readonly kind: 'leaf'; readonly home: number | null };

/** One measured link, from the reporting node to `peerIndex`. Null: not measured. */
export interface LinkObservation {
  readonly peerIndex: number;
  readonly health: 'unmeasured' | 'up' | 'down';
  readonly rttUs: number | null;
  readonly minRttUs: number | null;
  readonly jitterUs: number | null;
  readonly lossOutPpm: number | null;
  readonly lossInPpm: number | null;
  readonly handshakeAgeS: number | null;
  /** Bytes per second that the node sends over the link, for whomever; absent: not told. */
  readonly sentBytesPerSecond?: number | null;
  /** What came from `peerIndex`: what the link from there delivered. */
  readonly receivedBytesPerSecond?: number | null;
}

/** Weighted next hops by destination and by who sends; stable indices. Without a loop: see rib/hop-choice.ts. */
export type LoadGroups = ReadonlyMap<number, ReadonlyMap<number, readonly NextHop[]>>;

/** What the session plan makes of a pair of nodes: see LinkRoles. */
export type LinkRole = 'planned' | 'leaving' | 'draining' | 'exploring' | 'none';

export type SteeringAction =
  /** Send this delta to a node that is online; answered by `tableAcked` or `tableRequested`. */
  | { readonly kind: 'sendDelta'; readonly index: number; readonly delta: RouteDelta }
  /** The node holds sessions with others than before: `sessionPeers` says with whom. */
  | {
      readonly kind: 'sessionsChanged';
      readonly index: number;
      /** Node index -> whether a session with it is to be held from now on. */
      readonly peers: ReadonlyMap<number, boolean>;
    }
  /** A path of an ordered pair changed; already in `pathChanges`. For metrics, logs and the event stream. */
  | { readonly kind: 'pathChanged'; readonly change: PathChange };

export interface SteeringTimings {
  /** Duration of the last SPF of all sources, and of the whole last step, in milliseconds. */
  readonly spfMs: number;
  readonly stepMs: number;
}

/** Totals since the start. The first four: observations that were not believed. */
export interface SteeringCounters {
  readonly unknownPeer: number;
  readonly selfLink: number;
  readonly absurdValue: number;
  /** About a link between two nodes that the session plan does not let talk. */
  readonly noSession: number;
  /** Links whose two ends began to disagree wildly about the RTT. */
  readonly endsDisagree: number;
  readonly spfRuns: number;
}

export interface SteeringEngine {
  // ---- events; `nowMs` is monotonic
  /** Adds a node or changes its name or transit bit. */
  upsertNode(node: SteeringNode, nowMs: number): void;
  /** The node is gone for good: its links, rows and everybody's rows towards it go. */
  removeNode(index: number, nowMs: number): void;
  /** A session began; `generation` and `checksum` are of the table the node forwards by (0n and 0n: none). */
  nodeConnected(index: number, generation: bigint, checksum: bigint, nowMs: number): void;
  /** The node wants to stop forwarding: paths move off it while it goes on. Void when a new session begins. */
  nodeLeaving(index: number, nowMs: number): void;
  /**
   * An operator keeps the node out of others' paths where there are other ways, or does not any more. It goes on with its
   * own traffic, and keeps its rows. Like `upsertNode` it may come before an imported state takes effect.
   */
  nodeDrained(index: number, isDrained: boolean, nowMs: number): void;
  /** The session ended. What the node forwards by stays as it is. */
  nodeDisconnected(index: number, nowMs: number): void;
  linksReported(index: number, links: readonly LinkObservation[], nowMs: number): void;
  /** What a node's access was configured to carry; null: to be learned. */
  accessConfigured(index: number, limits: AccessLimits, nowMs: number): void;
  demandReported(index: number, demands: readonly { peerIndex: number; bytesPerSecond: number }[], nowMs: number): void;
  /**
   * What load asks for: all nodes' groups towards the destinations that are named, one next hop each towards all others.
   * Groups hold until the next call, without the members whose links or nodes go; where too much goes, none are used.
   */
  loadSpread(groups: LoadGroups, nowMs: number): void;
  /** `error` null: the node's kernel holds this generation. */
  tableAcked(index: number, generation: bigint, checksum: bigint, error: string | null, nowMs: number): void;
  /** The node's table is not what a delta started from: its next delta must be full. */
  tableRequested(index: number, nowMs: number): void;

  /**
   * The session plan: pairs whose role changed; pairs that were never named have none. Null: every pair is planned, as
   * before the first call. Leads to no change by itself before nodes are there, so it may come before an import.
   */
  linkRolesChanged(pairs: readonly { low: number; high: number; role: LinkRole }[] | null, nowMs: number): void;
  /**
   * Neighbours that the node's packets may be sent to: rows that it holds, that are on their way or wanted, and moves that
   * are decided. Null: nobody knows what it holds. Empty for an unknown node.
   */
  neighboursInUse(index: number): ReadonlySet<number> | null;

  // ---- state across a restart of the core
  /** Rises whenever `exportState` would give something else that is worth keeping. */
  readonly revision: number;
  /** The tables nodes hold, planes and next hops, paths' ages, last link observations: bytes of its own format. */
  exportState(): Uint8Array;
  /**
   * What the last step is about to do as far as a successor must know it; to be durable before the step's deltas go out.
   * Null: nothing. With the records since, oldest first, `exportState` of an earlier step is as good as one of now.
   */
  stepRecord(): Uint8Array | null;
  /**
   * Takes back what `exportState` gave, and what `stepRecord` gave since. Call it once, before any event; it takes effect
   * for the nodes that are added before the first other event or step. False: not readable, nothing was taken over, all
   * nodes get full tables.
   */
  importState(state: Uint8Array, records?: readonly Uint8Array[]): boolean;

  // ---- work
  /** Runs what is due and returns what to do. Calling it without new events or due times returns []. */
  step(nowMs: number): SteeringAction[];
  /** Monotonic time at which `step` has something to do without further events; Infinity: never. */
  nextWakeMs(): number;

  /** Packets of others may meet the node: a path leads through it, or did until so recently that packets are on their way. */
  isTransit(index: number, nowMs: number): boolean;

  // ---- leaves; an engine without these knows none
  /** Nodes with which the node is to hold sessions. */
  sessionPeers?(index: number): ReadonlySet<number>;
  /** Undefined for an unknown node. */
  role?(index: number): NodeRole | undefined;

  /** What load-aware steering decides on at present. */
  loadInput(nowMs: number): LoadInput;
  /** Demand and capacities, to read. */
  readonly traffic: TrafficState;

  // ---- views; `toUnixMs` turns monotonic into wall-clock milliseconds
  links(): LinkView[];
  paths(): PathView[];
  /** Undefined when either is unknown or both are the same. */
  explainPath(fromIndex: number, toIndex: number): PathExplanation | undefined;
  /** How many pairs have a backup in their rows. O(pairs): for a scrape, not for every step. */
  backupCounts(): BackupCounts;
  pathChangesAfter(seq: number): readonly PathChange[];
  tableState(index: number): { readonly acknowledged: bigint; readonly wanted: bigint } | undefined;
  readonly generation: bigint;
  readonly timings: SteeringTimings;
  readonly counters: SteeringCounters;
}
