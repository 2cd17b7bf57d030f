/**
 * The optimiser in a thread of its own: a plan of some hundred nodes takes tenths of a second to seconds, in which a core
 * must go on hearing its agents. One plan at a time.
 */
import { Worker } from 'node:worker_threads';
import { ThalwegError } from '../../protocol/error.ts';
import { programFile } from '../../protocol/program-file.ts';
import type { TrafficDemand } from './traffic-demand.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { TrafficOptions } from './traffic-options.ts';
import type { TrafficPlan } from './traffic-plan.ts';
import type { TrafficAnswer, TrafficTask } from './traffic-task.ts';
import type { WeightedTables } from './weighted-tables.ts';

/** Who makes plans; one at a time. */
export interface TrafficPlanning {
  plan(
    network: TrafficNetwork,
    demand: TrafficDemand,
    options?: Partial<TrafficOptions>,
    previous?: WeightedTables,
  ): Promise<TrafficPlan>;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface TrafficPlannerOptions {
  /** The worker's entry. Default: that of the build, since Node cannot load a `.ts` one. */
  readonly workerUrl?: URL;
}

export class TrafficPlanner implements TrafficPlanning {
  readonly #options: TrafficPlannerOptions;
  #worker: Worker | undefined;
  #fail: ((error: ThalwegError) => void) | undefined;

  constructor(options: TrafficPlannerOptions = {}) {
    this.#options = options;
  }

  /** Whether a plan is being made. */
  get busy(): boolean {
    return this.#fail !== undefined;
  }

  /** Starts the thread; `plan` does it too. Idempotent. Throws `not_found` when the build is not there. */
  start(): void {
    if (this.#worker !== undefined) return;
    const worker = new Worker(this.#options.workerUrl ?? programFile('steering/traffic-engineering/traffic-worker'), {
      name: 'thalweg-traffic',
      execArgv: [],
    });
    // it waits between plans: it alone does not keep the program running
    worker.unref();
    this.#worker = worker;
    let cause: unknown;
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#fail?.(
        new ThalwegError('internal', `the thread that plans traffic ended: ${String(cause ?? 'it was stopped')}`, {
          cause,
          nextStep: 'Plan again; if that fails too, the machine may lack memory',
        }),
      );
    });
  }

  /** Ends the thread; a plan that is being made fails. The planner can be used again. Idempotent. */
  async stop(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  /**
   * As `optimise`, whose errors it throws. `conflict` while another plan is being made, `internal` when the thread died:
   * the next call starts another. The input is copied; it may be changed when this has returned its promise.
   */
  plan(
    network: TrafficNetwork,
    demand: TrafficDemand,
    options: Partial<TrafficOptions> = {},
    previous?: WeightedTables,
  ): Promise<TrafficPlan> {
    if (this.busy) return Promise.reject(new ThalwegError('conflict', 'traffic is being planned already'));
    return new Promise((resolve, reject) => {
      this.start();
      const worker = this.#worker;
      if (worker === undefined) return;
      const done = (): void => {
        this.#fail = undefined;
        worker.off('message', answered);
        worker.unref();
      };
      const answered = (answer: TrafficAnswer): void => {
        done();
        if (answer.kind === 'planned') {
          resolve(answer.plan);
          return;
        }
        const { code, message, nextStep, fields } = answer.error;
        reject(new ThalwegError(code, message, { ...(nextStep && { nextStep }), ...(fields && { fields }) }));
      };
      this.#fail = (error) => {
        done();
        reject(error);
      };
      worker.ref();
      worker.on('message', answered);
      worker.postMessage({ network, demand, options, previous: previous ?? null } satisfies TrafficTask);
    });
  }
}
