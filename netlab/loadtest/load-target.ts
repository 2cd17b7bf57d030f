/**
 * What a load test loads: one core with its embedded store, or several on NATS, of which one steers and the others hold the agents'
 * sessions for it.
 */
import { ThalwegError } from '../../protocol/error.ts';
import { processorMs, readProcessStat } from '../../protocol/process-stat.ts';
import { OwnCluster } from './own-cluster.ts';
import { type CoreUsage, OwnCore } from './own-core.ts';

const SOLVER_MS = 30_000;

export interface LoadTargetOptions {
  /** 1: no NATS. */
  readonly cores: number;
  readonly natsServers: number;
  /** Settings of `thalweg core`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export class LoadTarget {
  readonly #cluster: OwnCluster | undefined;
  /** Of a cluster it is known when that has started. */
  #core: OwnCore | undefined;
  #holders: readonly OwnCore[] = [];

  constructor({ cores, natsServers, settings }: LoadTargetOptions) {
    this.#cluster = cores > 1 ? new OwnCluster({ cores, natsServers, settings }) : undefined;
    this.#core = this.#cluster === undefined ? new OwnCore(settings) : undefined;
  }

  /** The one that steers. Throws internal where that is not known yet. */
  get core(): OwnCore {
    if (this.#core === undefined) throw new ThalwegError('internal', 'the cluster was not started');
    return this.#core;
  }

  /** Where agents join and have their sessions: at the only core, or at all others than the one that steers. */
  get ports(): number[] {
    return (this.#holders.length > 0 ? this.#holders : [this.core]).map(({ port }) => port);
  }

  async start(): Promise<void> {
    if (this.#cluster === undefined) return this.core.start();
    await this.#cluster.start();
    this.#core = await this.#cluster.solver(SOLVER_MS);
    this.#holders = this.#cluster.cores.filter((core) => core !== this.#core);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#cluster?.stop();
    await this.#core?.stop();
  }

  /** Of the cores that hold sessions, together. */
  holdersUsage(): CoreUsage {
    const all = this.#holders.map((core) => core.usage());
    const sum = (of: (usage: CoreUsage) => number) => all.reduce((total, usage) => total + of(usage), 0);
    return {
      residentBytes: sum(({ residentBytes }) => residentBytes),
      peakBytes: sum(({ peakBytes }) => peakBytes),
      cpuMs: sum(({ cpuMs }) => cpuMs),
    };
  }

  /** Processor time of the NATS servers, together. */
  natsCpuMs(): number {
    const pids = this.#cluster?.nats.pids ?? [];
    return pids.reduce((total, pid) => total + processorMs(readProcessStat(pid), false), 0);
  }
}
