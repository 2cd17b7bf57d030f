/**
 * The slower loop: every few seconds, what demand and capacities ask for. Latency is followed within a second; load only at
 * this pace, with margins and hold times (load/load-decision.ts), so that what it changes is seen before it decides anew.
 */
import type { LoadView } from '../../protocol/api.ts';
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import { decideLoad, type LoadMemory, type LoadSummary } from '../load/load-decision.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { SteeringLoop } from './steering-loop.ts';

export interface LoadLoopOptions {
  readonly intervalMs: number;
  /** Larger meshes are steered by latency alone: a decision would hold up everything else for too long. */
  readonly maxNodes: number;
  /** What there is to decide on after a start is not known before nodes have reported twice. */
  readonly firstMs: number;
}

/**
 * A decision for 64 nodes takes tens of milliseconds on the core's own thread; the first waits for three reports of demand at the usual
 * pace.
 */
export const LOAD_LOOP_DEFAULTS = { maxNodes: 64, firstMs: 15_000 } as const;

export class LoadLoop {
  readonly #loop: SteeringLoop;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: CoreMetrics;
  readonly #options: LoadLoopOptions;
  #isAware: boolean;
  #timer: Timer | undefined;
  #memory: LoadMemory = { changedAtMs: null };
  #summary: LoadSummary | null = null;
  #decidedAtMs: number | null = null;
  #changes = 0;
  #failed = false;

  constructor(
    deps: { loop: SteeringLoop; clock: Clock; log: Logger; metrics: CoreMetrics },
    options: LoadLoopOptions & { readonly aware: boolean },
  ) {
    this.#loop = deps.loop;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#metrics = deps.metrics;
    this.#options = options;
    this.#isAware = options.aware;
  }

  start(): void {
    this.#schedule(this.#options.firstMs);
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  get view(): LoadView {
    const { maxNodes } = this.#options;
    const summary = this.#summary;
    return {
      aware: this.#isAware,
      state: summary?.state ?? 'calm',
      highestUtilisation: summary?.highestUtilisation ?? null,
      latencyUtilisation: summary?.latencyUtilisation ?? null,
      lowerBound: summary?.lowerBound ?? null,
      decidedAtMs: this.#decidedAtMs,
      changes: this.#changes,
      maxNodes,
    };
  }

  /** Off: every group goes at once, and latency alone steers. On: load is looked at from now on. */
  setAware(aware: boolean): void {
    if (aware === this.#isAware) return;
    this.#isAware = aware;
    this.#log.info('load-aware steering switched', { on: aware });
    this.#summary = null;
    if (!aware) this.#loop.event((engine, nowMs) => engine.loadSpread(new Map(), nowMs));
    else this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      this.#schedule(this.#options.intervalMs);
      this.#decide();
    });
  }

  #decide(): void {
    if (!this.#isAware) return;
    const nowMs = this.#clock.monoMs();
    const input = this.#loop.engine.loadInput(nowMs);
    if (input.nodes.length < 2 || input.nodes.length > this.#options.maxNodes) return;
    try {
      const { groups, memory, summary } = decideLoad(input, this.#memory, nowMs);
      this.#memory = memory;
      this.#summary = summary;
      this.#decidedAtMs = this.#clock.nowMs();
      if (groups !== null) {
        this.#changes++;
        this.#metrics.loadChanges.inc();
        this.#log.info('load changes routes', {
          destinations: groups.size,
          routes: summary.changedRoutes,
          highestUtilisation: Number(summary.highestUtilisation.toFixed(3)),
          latencyUtilisation: Number(summary.latencyUtilisation.toFixed(3)),
        });
        this.#loop.event((engine, atMs) => engine.loadSpread(groups, atMs));
      }
      this.#failed = false;
    } catch (cause) {
      if (!this.#failed) this.#log.error('load not looked at', { error: cause instanceof Error ? cause.message : '' });
      this.#failed = true;
    }
    this.#metrics.loadSeconds.observe((this.#clock.monoMs() - nowMs) / 1000);
  }
}
