/** Worker threads that compute rows. A thread that dies takes its task with it, as an error; the next start replaces all. */
import { Worker } from 'node:worker_threads';
import { type ErrorObject, ThalwegError } from '../../../protocol/error.ts';
import { programFile } from '../../../protocol/program-file.ts';
import type { LaneTask } from './lane-task.ts';

export type LaneAnswer = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: ErrorObject };

export interface LanePoolOptions {
  readonly threads: number;
  /** The worker's entry. Default: that of the build, since Node cannot load a `.ts` one. */
  readonly workerUrl?: URL;
}

export class LanePool {
  readonly #options: LanePoolOptions;
  #workers: Worker[] = [];

  constructor(options: LanePoolOptions) {
    this.#options = options;
  }

  get threads(): number {
    return this.#options.threads;
  }

  get running(): boolean {
    return this.#workers.length > 0;
  }

  /** Idempotent. Throws `not_found` when the build is not there. */
  start(): void {
    if (this.running) return;
    const entry = this.#options.workerUrl ?? programFile('steering/spf/lanes/lane-worker');
    for (let i = 0; i < this.threads; i++) {
      const worker = new Worker(entry);
      // threads wait for work between computations: they alone do not keep the program running
      worker.unref();
      this.#workers.push(worker);
    }
  }

  /** Idempotent. A task that runs fails. */
  async stop(): Promise<void> {
    const workers = this.#workers;
    this.#workers = [];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  /**
   * Has every thread do its task; `task` is asked for each. Throws the first error of a thread, after all have
   * answered; when a thread died, the pool has stopped.
   */
  async run(task: (thread: number) => LaneTask): Promise<void> {
    const results = await Promise.allSettled(this.#workers.map((worker, thread) => ask(worker, task(thread))));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    if (results.some((result) => result.status === 'rejected' && result.reason instanceof Death)) await this.stop();
    throw failed.reason instanceof Death ? failed.reason.toError() : failed.reason;
  }
}

/** A thread that ended before it answered. */
class Death {
  readonly #cause: unknown;

  constructor(cause: unknown) {
    this.#cause = cause;
  }

  toError(): ThalwegError {
    return new ThalwegError('internal', `a thread that computed rows ended: ${String(this.#cause)}`, {
      cause: this.#cause,
      nextStep: 'Start the computation again; if it fails again, the machine may lack memory',
    });
  }
}

function ask(worker: Worker, task: LaneTask): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      worker.off('message', onMessage);
      worker.off('error', onError);
      worker.off('exit', onExit);
      worker.unref();
      outcome();
    };
    const onMessage = (answer: LaneAnswer): void =>
      settle(() => {
        if (answer.kind === 'done') return resolve();
        const { code, message, fields, nextStep } = answer.error;
        reject(
          new ThalwegError(code, message, {
            ...(fields === undefined ? {} : { fields }),
            ...(nextStep === undefined ? {} : { nextStep }),
          }),
        );
      });
    const onError = (cause: unknown): void => settle(() => reject(new Death(cause)));
    const onExit = (code: number): void => settle(() => reject(new Death(`exit code ${code}`)));
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.on('exit', onExit);
    worker.ref();
    worker.postMessage(task);
  });
}
