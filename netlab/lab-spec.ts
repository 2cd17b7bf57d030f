/** What a lab is made of, and what it hands back. */
import type { LinkShape } from './link-shape.ts';

/** Host name of the steering core in every lab. */
export const CORE_HOST = 'core';

/** How the underlay carries frames: see docs/lab.md. */
export const DRIVERS = ['plain', 'netem', 'wire'] as const;
export type DriverName = (typeof DRIVERS)[number];

export interface LabHost {
  /** A DNS label of at most 40 characters; not `core` or `net`. */
  readonly name: string;
  readonly transit: boolean;
}

export type OverrideValue =
  | string
  | number
  | boolean
  | null
  | readonly OverrideValue[]
  | { readonly [key: string]: OverrideValue };

/** Settings of `thalweg core` or `thalweg agent` over those that the lab gives, as in their config files. */
export type ProgramOverrides = { readonly [key: string]: OverrideValue };

export interface LabSpec {
  /** 1 to 24 of a-z, 0-9 and `-`. */
  readonly name: string;
  readonly hosts: readonly LabHost[];
  /** Shape of every ordered pair of hosts, `core` included. Called once per pair while the lab is built. */
  readonly links: (from: string, to: string) => LinkShape;
  /** Default: `plain` when no link asks for delay or jitter, now or later, else `netem` where the kernel has it, else `wire`. */
  readonly driver?: DriverName;
  /** Links may be given delay or jitter after they were built. Default false. */
  readonly delaysLater?: boolean;
  readonly core: ProgramOverrides;
  readonly agent: ProgramOverrides;
  /** The lab outlives this process; `thalweg lab down` removes it. */
  readonly keepOnExit: boolean;
  /** Seed of loss and jitter of the wire. Default 1. */
  readonly seed?: number;
}

/** One step of building a lab, for a progress display. `done` counts up to `total` within a stage. */
export interface LabProgress {
  readonly stage: 'hosts' | 'underlay' | 'core' | 'join' | 'agents';
  readonly done: number;
  readonly total: number;
}

export interface SpawnOptions {
  /** Default: pipe for all three. */
  readonly stdio?: 'inherit' | 'pipe' | 'ignore' | readonly ('inherit' | 'pipe' | 'ignore' | number)[];
}

export interface ExecOptions {
  /** Written to the program's standard input, which is then closed. */
  readonly stdin?: string;
  /** After this the program is killed and `timeout` thrown. Default 60,000. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 + signal number when a signal ended it. */
  readonly exitCode: number;
}

/** A lab as `lab status` and `listLabs` show it. */
export interface LabSummary {
  readonly name: string;
  readonly driver: DriverName | null;
  readonly startedAtMs: number | null;
  readonly hosts: readonly string[];
  /** Recorded programs of the lab that are alive. */
  readonly runningProcesses: number;
  /** `unix:` target of the core's API, whether or not a core answers there. */
  readonly apiTarget: string;
  /** `building` also when its builder died on the way. `remains`: pieces without a readable state file. */
  readonly state: 'building' | 'up' | 'remains';
}

/** What `removeLab` and `Lab.down` took away, as lines for people. Empty: there was nothing. */
export interface RemovalReport {
  readonly removed: readonly string[];
}
