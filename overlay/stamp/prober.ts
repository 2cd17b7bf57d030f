/**
 * The prober's port: what the agent tells it and what it says back. The implementation runs STAMP (RFC 8762) in a
 * worker thread of its own, so that nothing else the agent does can make a time stamp late.
 */

import type { LinkUse } from './probe-pace.ts';

export interface ProbeTarget {
  readonly peerIndex: number;
  /** The peer's tunnel address. */
  readonly address: string;
  readonly port: number;
  /** Default `plain`. */
  readonly use?: LinkUse;
}

export interface ProbeSettings {
  readonly intervalMs: number;
  /** A link is down after this long without a reply; it is up again after 3 replies in a row. */
  readonly deadAfterMs: number;
  /** How busy, watched and idle links are probed; without it as plain ones. */
  readonly detection?: DetectionSettings;
}

export interface DetectionSettings {
  /** Between two probes of a link that is busy or watched, and how they are judged (link-guard.ts). */
  readonly watchedMs: number;
  readonly guard: 'normal' | 'fast';
  /** Between two probes of an idle link. */
  readonly idleMs: number;
  /** Most packets a second that probing sends while no link is in doubt, replies included. */
  readonly packetsPerSecond: number;
  /** Share of one processor, 0 to 1, above which the probing thread slows all paces down. */
  readonly processorShare: number;
}

/** What is known of the link to one peer. Missing is null, never 0. */
export interface LinkSummary {
  readonly peerIndex: number;
  readonly health: 'unmeasured' | 'up' | 'down';
  /** Low percentile of the window, smoothed, the reflector's processing time taken out. */
  readonly rttUs: number | null;
  readonly minRttUs: number | null;
  readonly jitterUs: number | null;
  /** Per direction, parts per million over the loss window. */
  readonly lossOutPpm: number | null;
  readonly lossInPpm: number | null;
  /** RTT samples in the window. */
  readonly samples: number;
  /** It loses a good part of its packets: not to be used where there is another way. */
  readonly grey: boolean;
}

export interface ProbeCounters {
  readonly sent: number;
  readonly received: number;
  readonly reflected: number;
  /** Links whose answers were overdue, and the verdicts of loss that followed. */
  readonly doubts: number;
  readonly lost: number;
  /** By reason: `malformed`, `unknown_session`, `unsolicited`, `duplicate`, `late_event_loop`, `send_failed`. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Largest event-loop lag of the prober's thread since the last reading. */
  readonly maxLagMs: number;
}

export interface Prober {
  /** Binds the sender's and the reflector's sockets to the tunnel address. Throws port_in_use, unreachable. */
  start(bindAddress: string, reflectorPort: number, settings: ProbeSettings): Promise<void>;
  /** Replaces the set of targets. State of targets that stay is kept. */
  setTargets(targets: readonly ProbeTarget[]): void;
  setSettings(settings: ProbeSettings): void;
  /** Latest summaries and counters. Cheap: the worker posts them every `summaryIntervalMs`, and at once on a change of health. */
  onSummary(listener: (summaries: readonly LinkSummary[], counters: ProbeCounters) => void): void;
  /** Idempotent; leaves no socket and no thread. */
  stop(): Promise<void>;
}
