/** Makes plans in a thread of their own, so that no step of steering waits for one. A thread that died is started anew. */
import { Worker } from 'node:worker_threads';
import { ThalwegError } from '../../protocol/error.ts';
import { programFile } from '../../protocol/program-file.ts';
import type { PlanMakerOptions } from '../session-plan/plan-maker.ts';
import type { PlanAnswer, PlanMaking, PlanRequest } from '../session-plan/plan-request.ts';

interface Waiting {
  readonly resolve: (answer: PlanAnswer) => void;
  readonly reject: (cause: ThalwegError) => void;
}

export class PlanThread implements PlanMaking {
  readonly #options: PlanMakerOptions;
  readonly #entry: string | URL | undefined;
  #worker: Worker | undefined;
  #waiting: Waiting | undefined;

  /** `entry`: the worker's program, where it is not the one of the build. Starts nothing before the first plan. */
  constructor(options: PlanMakerOptions, entry?: string | URL) {
    this.#options = options;
    this.#entry = entry;
  }

  make(request: PlanRequest): Promise<PlanAnswer> {
    if (this.#waiting !== undefined) throw new ThalwegError('internal', 'a plan is being made already');
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      try {
        this.#worker ??= this.#launch();
        this.#worker.postMessage(request);
      } catch (cause) {
        this.#end(cause);
      }
    });
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#end(new ThalwegError('internal', 'the planning thread was stopped'));
    await worker?.terminate();
  }

  #launch(): Worker {
    const worker = new Worker(this.#entry ?? programFile('steering/session-plan/plan-worker'), {
      workerData: this.#options,
      execArgv: [],
      name: 'thalweg-planner',
    });
    // a core that is otherwise done does not wait for it
    worker.unref();
    let cause: unknown;
    worker.on('message', (answer: PlanAnswer) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(answer);
    });
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      if (worker !== this.#worker) return;
      this.#worker = undefined;
      this.#end(cause ?? new ThalwegError('internal', 'the planning thread ended by itself'));
    });
    return worker;
  }

  #end(cause: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (cause instanceof ThalwegError) waiting?.reject(cause);
    else waiting?.reject(new ThalwegError('internal', `no session plan: ${String(cause)}`, { cause }));
  }
}
