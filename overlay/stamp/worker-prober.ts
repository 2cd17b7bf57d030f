/**
 * The prober the agent uses: a probe loop in a worker thread. Keeps what the thread needs (address, settings, targets),
 * so that a thread that dies is started again with all of it, after a pause that doubles.
 */
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock, type Timer } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { type Logger, silentLogger } from '../../protocol/log.ts';
import { programFile } from '../../protocol/program-file.ts';
import { addCounters, NO_COUNTERS } from './probe-counters.ts';
import type { ProbeLoopOptions, SummaryListener } from './probe-loop.ts';
import { checkSettings, checkTargets } from './probe-settings.ts';
import type { LinkSummary, Prober, ProbeSettings, ProbeTarget } from './prober.ts';
import {
  type MessageFromWorker,
  type MessageToWorker,
  type ProberWorkerData,
  unpackSummaries,
} from './prober-message.ts';

export interface WorkerProberOptions {
  /** Milliseconds between summaries. Default 500. */
  readonly summaryIntervalMs?: number;
  /** IPv4 prefix outside of which the reflector answers nobody: the tunnel range. Default null: it answers anybody. */
  readonly allowedRange?: string | null;
  /** The worker's entry. Default: prober-worker beside this file. Node cannot load a `.ts` one. */
  readonly workerUrl?: URL;
}

/** First pause before a dead thread is started again, and the longest one. */
const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 10_000;
/** A thread that ran this long was healthy: the next pause is short again. */
const RESTART_FORGIVEN_MS = 60_000;
/** A new thread needs three replies to call a link up; until then the old one's word stands, for so many deadAfterMs. */
const CARRY_OVER_DEADLINES = 2;
/** A thread that does not end by itself within this is ended. */
const STOP_WAIT_MS = 1000;
/** The loop's live data is about 12 KB a peer; small heaps make the collector run earlier, and shorter. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

export class WorkerProber implements Prober {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #options: WorkerProberOptions;
  readonly #listeners: SummaryListener[] = [];
  #targets: readonly ProbeTarget[] = [];
  #loopOptions: ProbeLoopOptions | undefined;
  #worker: Worker | undefined;
  #restart: Timer | undefined;
  #restartMs = RESTART_MIN_MS;
  #startedAtMs = 0;
  #restarts = 0;
  #countersBefore = NO_COUNTERS;
  #counters = NO_COUNTERS;
  #lastByPeer = new Map<number, LinkSummary>();
  #carriedOver = new Map<number, LinkSummary>();

  constructor(deps: { clock?: Clock; log?: Logger } = {}, options: WorkerProberOptions = {}) {
    this.#clock = deps.clock ?? systemClock;
    this.#log = deps.log ?? silentLogger;
    this.#options = options;
  }

  /** How often the thread had to be started again. */
  get restarts(): number {
    return this.#restarts;
  }

  async start(bindAddress: string, reflectorPort: number, settings: ProbeSettings): Promise<void> {
    if (this.#loopOptions !== undefined) return;
    checkSettings(settings);
    this.#loopOptions = {
      bindAddress,
      reflectorPort,
      settings,
      summaryIntervalMs: this.#options.summaryIntervalMs ?? 500,
      allowedRange: this.#options.allowedRange ?? null,
    };
    try {
      await this.#launch(this.#loopOptions);
    } catch (error) {
      this.#loopOptions = undefined;
      throw error;
    }
  }

  setTargets(targets: readonly ProbeTarget[]): void {
    checkTargets(targets);
    this.#targets = targets;
    this.#post({ kind: 'targets', targets });
  }

  setSettings(settings: ProbeSettings): void {
    checkSettings(settings);
    if (this.#loopOptions !== undefined) this.#loopOptions = { ...this.#loopOptions, settings };
    this.#post({ kind: 'settings', settings });
  }

  onSummary(listener: SummaryListener): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    this.#loopOptions = undefined;
    this.#restart?.cancel();
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ kind: 'stop' } satisfies MessageToWorker);
    const impatience = this.#clock.after(STOP_WAIT_MS, () => void worker.terminate());
    await ended;
    impatience.cancel();
  }

  /** Starts a thread and resolves when its sockets are bound. Rejects, and no thread is left, when it refused or died. */
  #launch(options: ProbeLoopOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.#options.workerUrl ?? programFile('overlay/stamp/prober-worker'), {
        workerData: { options, targets: this.#targets } satisfies ProberWorkerData,
        resourceLimits: RESOURCE_LIMITS,
        execArgv: [],
        name: 'thalweg-prober',
      });
      this.#worker = worker;
      this.#startedAtMs = this.#clock.monoMs();
      let running = false;
      let cause: unknown;
      worker.on('message', (message: MessageFromWorker) => {
        if (worker !== this.#worker) return;
        if (message.kind === 'summary') return this.#take(message);
        if (message.kind === 'started') {
          running = true;
          return resolve();
        }
        const { code, message: text, nextStep, fields } = message.error;
        cause = new ThalwegError(code, text, { ...(nextStep && { nextStep }), ...(fields && { fields }) });
      });
      worker.on('error', (error) => {
        cause = error;
      });
      worker.on('exit', () => {
        const current = worker === this.#worker;
        if (current) this.#worker = undefined;
        if (!running) {
          reject(cause instanceof ThalwegError ? cause : diedError(cause));
        } else if (current) {
          this.#relaunchLater(cause);
        }
      });
    });
  }

  #relaunchLater(cause: unknown): void {
    if (this.#loopOptions === undefined) return;
    if (this.#clock.monoMs() - this.#startedAtMs > RESTART_FORGIVEN_MS) this.#restartMs = RESTART_MIN_MS;
    const pauseMs = this.#restartMs;
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MAX_MS);
    this.#restarts++;
    this.#countersBefore = this.#counters;
    this.#carriedOver = new Map(this.#lastByPeer);
    this.#log.error('prober thread ended, starting another', { reason: String(cause ?? 'unknown'), pauseMs });
    this.#restart = this.#clock.after(pauseMs, () => {
      const options = this.#loopOptions;
      if (options !== undefined) this.#launch(options).catch((error: unknown) => this.#relaunchLater(error));
    });
  }

  #take({ links, counters }: Extract<MessageFromWorker, { kind: 'summary' }>): void {
    this.#counters = addCounters(this.#countersBefore, counters);
    const carryOver = this.#carriedOver.size > 0 && this.#withinCarryOver();
    if (!carryOver) this.#carriedOver.clear();
    const summaries = unpackSummaries(links).map((summary) =>
      summary.health === 'unmeasured' ? (this.#carriedOver.get(summary.peerIndex) ?? summary) : summary,
    );
    this.#lastByPeer = new Map(summaries.map((summary) => [summary.peerIndex, summary]));
    for (const listener of this.#listeners) listener(summaries, this.#counters);
  }

  #withinCarryOver(): boolean {
    const deadAfterMs = this.#loopOptions?.settings.deadAfterMs ?? 0;
    return this.#clock.monoMs() - this.#startedAtMs < CARRY_OVER_DEADLINES * deadAfterMs;
  }

  #post(message: MessageToWorker): void {
    this.#worker?.postMessage(message);
  }
}

function diedError(cause: unknown): ThalwegError {
  return new ThalwegError('internal', `the prober thread ended before it was ready: ${String(cause ?? 'no reason')}`, {
    cause,
  });
}
