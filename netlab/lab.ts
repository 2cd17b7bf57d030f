/**
 * A lab: hosts as network namespaces on one shaped underlay, with the real core and agents running in them.
 *
 *   tw-<lab>-<host>   one per host, `core` included; eth0 with 198.18.0.0/16
 *   tw-<lab>-net      switch or wire
 *   /run/thalweg-lab/<lab>/   state.json, and a directory per host: config, log, state, WireGuard's sockets
 */
import { join } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import { type Logger, silentLogger } from '../protocol/log.ts';
import { SerialWork } from '../protocol/serial-work.ts';
import { configureHost, resetHost } from './host-network.ts';
import { namespaceName, underlayAddressOf } from './host-plan.ts';
import { buildLab, defaultDistDir, openUnderlay, preflight, underlayHosts } from './lab-builder.ts';
import { LabPrograms } from './lab-programs.ts';
import { LabRecord } from './lab-record.ts';
import { labApiTarget, removeLab } from './lab-removal.ts';
import {
  CORE_HOST,
  type DriverName,
  type ExecOptions,
  type ExecResult,
  type LabHost,
  type LabProgress,
  type LabSpec,
  type RemovalReport,
  type SpawnOptions,
} from './lab-spec.ts';
import { checkShape } from './lab-spec-check.ts';
import { labDir, linkKey, readLabState } from './lab-state.ts';
import type { LinkShape } from './link-shape.ts';
import { type ChildProcess, execMachine, spawnMachine } from './machine-command.ts';
import { inHost } from './namespace.ts';
import { Reaper } from './reaper.ts';
import type { Underlay, UnderlayHost } from './underlay.ts';

export { listLabs, removeLab } from './lab-removal.ts';
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
} from './lab-spec.ts';

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** New fields of one direction of a link; the others stay as they are. */
export interface LinkPatch {
  readonly from: string;
  readonly to: string;
  readonly patch: Partial<LinkShape>;
}

export interface LabDeps {
  readonly log: Logger;
  readonly onProgress?: (progress: LabProgress) => void;
  /** Directory that holds `cli/main.js` and `netlab/*.js`. Default: where this file runs from. */
  readonly distDir?: string;
}

export class Lab {
  readonly name: string;
  /** Without the core. */
  readonly hosts: readonly LabHost[];
  readonly driver: DriverName;
  /** For ApiClient: `unix:/run/thalweg-lab/<lab>/core/core.sock`. */
  readonly apiTarget: string;
  readonly #record: LabRecord;
  readonly #underlay: Underlay;
  readonly #programs: LabPrograms;
  readonly #log: Logger;
  readonly #reaper: Reaper | undefined;
  readonly #onSignal = new Map<NodeJS.Signals, () => void>();
  /** By host; those that have not ended. */
  readonly #spawned = new Map<string, Set<ChildProcess>>();
  readonly #linkChanges = new SerialWork();
  #removal: Promise<RemovalReport> | undefined;

  private constructor(record: LabRecord, underlay: Underlay, log: Logger, reaper: Reaper | undefined) {
    this.#record = record;
    this.#underlay = underlay;
    this.#log = log;
    this.#reaper = reaper;
    this.name = record.state.name;
    this.driver = record.state.driver;
    this.hosts = record.state.hosts.filter((h) => h.name !== CORE_HOST).map(({ name, transit }) => ({ name, transit }));
    this.apiTarget = labApiTarget(this.name);
    this.#programs = new LabPrograms({
      record,
      hostDir: (host) => this.hostDir(host),
      onHost: (host, argv) => this.#onHost(host, argv),
    });
  }

  /**
   * Builds hosts and underlay; starts no core and no agent. Removes what it built when it fails. Throws
   * invalid_argument, already_exists, missing_privilege, missing_program, missing_kernel_feature, command_failed, timeout.
   */
  static async up(spec: LabSpec, deps: LabDeps): Promise<Lab> {
    const links = preflight(spec);
    const distDir = deps.distDir ?? defaultDistDir();
    const reaper = await Reaper.start(join(distDir, 'netlab', 'reaper-program.js'), spec.name);
    try {
      const onProgress = deps.onProgress ?? (() => {});
      const { record, underlay } = await buildLab(spec, links, { reaper, distDir, onProgress });
      const lab = new Lab(record, underlay, deps.log, spec.keepOnExit ? undefined : reaper);
      if (spec.keepOnExit) reaper.release();
      else lab.#removeOnSignals();
      deps.log.info('lab is up', { lab: spec.name, driver: lab.driver, hosts: lab.hosts.length });
      return lab;
    } catch (cause) {
      await removeLab(spec.name);
      reaper.release();
      throw cause;
    }
  }

  /** Attaches to a lab that is up. Throws not_found. */
  static async find(name: string, deps: Partial<LabDeps> = {}): Promise<Lab> {
    const state = readLabState(name);
    if (!state.ok || state.value.status !== 'up') {
      throw new ThalwegError(
        'not_found',
        `no lab named ${name.slice(0, 60)} is up${state.ok ? '' : `: ${state.reason}`}`,
        {
          nextStep: 'see `thalweg lab status`; build one with `thalweg lab up`',
        },
      );
    }
    const record = new LabRecord(state.value);
    return new Lab(record, openUnderlay(record, record.numberedLinks()), deps.log ?? silentLogger, undefined);
  }

  /** The shape in force. Throws not_found. */
  link(from: string, to: string): LinkShape {
    const shape = this.#record.state.links[linkKey(from, to)];
    if (shape === undefined) throw this.#noHost(this.#record.numberOf(from) === undefined ? from : to);
    return shape;
  }

  /** Takes effect for the next frame; frames in flight keep their delay. Throws not_found, invalid_argument. */
  setLink(from: string, to: string, patch: Partial<LinkShape>): Promise<void> {
    return this.setLinks([{ from, to, patch }]);
  }

  /** As setLink, for several at one moment: the `plain` driver's switch takes them in one transaction. */
  setLinks(patches: readonly LinkPatch[]): Promise<void> {
    return this.#linkChanges.run(async () => {
      const changed = patches.map(({ from, to, patch }) => {
        const shape = checkShape(from, to, { ...this.link(from, to), ...patch });
        if (this.driver === 'plain' && (shape.oneWayDelayUs > 0 || shape.jitterUs > 0)) {
          throw new ThalwegError('invalid_argument', `link ${from} to ${to}: the driver plain cannot delay frames`, {
            nextStep: 'build the lab with driver wire (or netem), or give a link a delay from the start',
          });
        }
        return { from, to, shape };
      });
      for (const { from, to, shape } of changed) this.#record.setLink(from, to, shape);
      await this.#underlay.setLinks(
        changed.map(({ from, to, shape }) => ({ from: this.#host(from).number, to: this.#host(to).number, shape })),
        this.#record.numberedLinks(),
      );
    });
  }

  underlayAddress(host: string): string {
    return underlayAddressOf(this.#host(host).number);
  }

  /** Directory for a host's files: config, log, agent state, WireGuard's sockets. */
  hostDir(host: string): string {
    return join(labDir(this.name), this.#host(host).name);
  }

  /** Starts a program on the host, beside its agent: same network, same WireGuard sockets. Throws not_found. */
  spawn(host: string, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawnMachine(this.#onHost(host, argv), { stdio: copyStdio(options.stdio ?? 'pipe') });
    const spawned = this.#spawned.get(host) ?? new Set();
    this.#spawned.set(host, spawned.add(child));
    child.once('close', () => spawned.delete(child));
    return child;
  }

  /** Runs a program to its end. Does not throw on its exit code (127: no such program). Throws not_found, timeout. */
  async exec(host: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return execMachine(this.#onHost(host, argv), options);
  }

  startCore(): Promise<void> {
    return this.#programs.startCore();
  }

  /** Resolves when the process is gone. Idempotent. Throws timeout when it had to be killed. */
  stopCore(signal: NodeJS.Signals): Promise<void> {
    return this.#programs.stop('core', CORE_HOST, signal);
  }

  async join(host: string): Promise<void> {
    this.#host(host);
    await this.#programs.join(host);
  }

  async startAgent(host: string): Promise<void> {
    this.#host(host);
    await this.#programs.startAgent(host);
  }

  async stopAgent(host: string, signal: NodeJS.Signals): Promise<void> {
    this.#host(host);
    await this.#programs.stop('agent', host, signal);
  }

  /** Process id of the core or of a host's agent, while it runs. */
  programPid(role: 'core' | 'agent', host: string): number | undefined {
    return this.#record.runningProcess(role, host)?.pid;
  }

  /** Kills everything on the host with SIGKILL and takes its kernel state and its link away, as pulling the plug does. */
  async powerOff(host: string): Promise<void> {
    const target = this.#host(host);
    if (!this.#record.isPowered(host)) return;
    this.#record.setPowered(host, false);
    await this.#underlay.setPort(target.number, false);
    // one that was spawned a moment ago has not entered the host yet, where it would be found
    for (const child of this.#spawned.get(host) ?? []) child.kill('SIGKILL');
    await resetHost(this.name, target, this.#wireguardDir(host));
    this.#log.info('host is off', { lab: this.name, host });
  }

  /** Link up; a host that has joined gets its agent back, from its state directory as after a boot. Idempotent. */
  async powerOn(host: string): Promise<void> {
    const target = this.#host(host);
    if (this.#record.isPowered(host)) return;
    await configureHost(target, this.#record.state.hosts.length);
    await this.#underlay.setPort(target.number, true);
    this.#record.setPowered(host, true);
    this.#log.info('host is on', { lab: this.name, host });
    if (host === CORE_HOST) await this.startCore();
    else if (this.#programs.hasJoined(host)) await this.startAgent(host);
  }

  /** Idempotent: the second call returns what the first removed. */
  down(): Promise<RemovalReport> {
    this.#removal ??= this.#remove();
    return this.#removal;
  }

  /** From now on the lab outlives this process, as with `keepOnExit`. Idempotent. */
  keep(): void {
    for (const [signal, listener] of this.#onSignal) process.off(signal, listener);
    this.#onSignal.clear();
    this.#reaper?.release();
  }

  async #remove(): Promise<RemovalReport> {
    for (const [signal, listener] of this.#onSignal) process.off(signal, listener);
    await this.#linkChanges.idle();
    this.#record.markRemoved();
    const report = await removeLab(this.name);
    this.#reaper?.release();
    this.#log.info('lab is down', { lab: this.name });
    return report;
  }

  /**
   * A signal removes the lab, then takes its usual effect. Where somebody else listens for it, ending is theirs to do;
   * should they not get to `down`, the reaper does.
   */
  #removeOnSignals(): void {
    for (const signal of ENDING_SIGNALS) {
      const listener = () => {
        if (process.listenerCount(signal) > 0) return;
        void this.down().finally(() => process.kill(process.pid, signal));
      };
      this.#onSignal.set(signal, listener);
      process.once(signal, listener);
    }
  }

  #onHost(host: string, argv: readonly string[]): string[] {
    return inHost(namespaceName(this.name, this.#host(host).name), this.#wireguardDir(host), argv);
  }

  #wireguardDir(host: string): string {
    return join(this.hostDir(host), 'wireguard');
  }

  #host(name: string): UnderlayHost {
    const host = underlayHosts(this.#record).find((h) => h.name === name);
    if (host === undefined) throw this.#noHost(name);
    return host;
  }

  #noHost(name: string): ThalwegError {
    return new ThalwegError('not_found', `lab ${this.name} has no host ${name.slice(0, 60)}`, {
      nextStep: `its hosts are ${this.#record.state.hosts.map((h) => h.name).join(', ')}`,
    });
  }
}

function copyStdio(stdio: NonNullable<SpawnOptions['stdio']>) {
  return typeof stdio === 'string' ? stdio : [...stdio];
}
