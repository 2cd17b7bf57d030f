/** A lab: hosts as network namespaces on one shaped underlay, with the real core and agents running in them. */
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../protocol/log.ts';
import type {
  DriverName,
  ExecOptions,
  ExecResult,
  LabHost,
  LabProgress,
  LabSpec,
  LabSummary,
  RemovalReport,
  SpawnOptions,
} from './lab-spec.ts';
import type { LinkShape } from './link-shape.ts';

export type {
  DriverName,
  ExecOptions,
  ExecResult,
  LabHost,
  LabProgress,
  LabSpec,
  LabSummary,
  RemovalReport,
  SpawnOptions,
};

export interface LabDeps {
  readonly log: Logger;
  readonly onProgress?: (progress: LabProgress) => void;
  /** Directory that holds `cli/main.js` and `netlab/*.js`. Default: where this file runs from. */
  readonly distDir?: string;
}

export declare class Lab {
  readonly name: string;
  /** Without the core. */
  readonly hosts: readonly LabHost[];
  readonly driver: DriverName;
  /** For ApiClient: `unix:/run/thalweg-lab/<lab>/core/core.sock`. */
  readonly apiTarget: string;
  /** Builds hosts and underlay; starts no core and no agent. Removes what it built when it fails. */
  static up(spec: LabSpec, deps: LabDeps): Promise<Lab>;
  /** Attaches to a lab that is up. Throws not_found. */
  static find(name: string, deps?: Partial<LabDeps>): Promise<Lab>;
  /** The shape in force. */
  link(from: string, to: string): LinkShape;
  /** Takes effect for the next frame; frames in flight keep their delay. */
  setLink(from: string, to: string, patch: Partial<LinkShape>): Promise<void>;
  underlayAddress(host: string): string;
  /** Directory for a host's files: agent state, logs, WireGuard socket. */
  hostDir(host: string): string;
  spawn(host: string, argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Runs a program to its end. Does not throw on its exit code. */
  exec(host: string, argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  startCore(): Promise<void>;
  /** Resolves when the process is gone. Idempotent. */
  stopCore(signal: NodeJS.Signals): Promise<void>;
  join(host: string): Promise<void>;
  startAgent(host: string): Promise<void>;
  stopAgent(host: string, signal: NodeJS.Signals): Promise<void>;
  /** Kills everything on the host with SIGKILL and takes its kernel state and its link away, as pulling the plug does. */
  powerOff(host: string): Promise<void>;
  /** Link up, agent started from its state directory as after a boot. */
  powerOn(host: string): Promise<void>;
  /** Idempotent. */
  down(): Promise<RemovalReport>;
}

export declare function listLabs(): Promise<readonly LabSummary[]>;
/** From any half-built or crashed state. */
export declare function removeLab(name: string): Promise<RemovalReport>;
