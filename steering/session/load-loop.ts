/**
 * The slower loop: every few seconds, what demand and capacities ask for. Latency is followed within a second; load only at
 * this pace, with margins and hold times (load/load-controller.ts), so that what it changes is seen before it decides anew.
 * Plans are made elsewhere (in a core: in a thread of their own); while one is being made nothing is looked at.
 */
import type { LoadView } from '../../protocol/api.ts';
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import { LoadController, type LoadLook } from '../load/load-controller.ts';
import { groupsOf, latencyTables, tablesInForce } from '../load/load-groups.ts';
import type { LoadInput } from '../load/load-input.ts';
import type { CoreMetrics } from '../metrics.ts';
import { forwardedLoads, highestUtilisation } from '../traffic-engineering/forwarded-loads.ts';
import { demandByDestination } from '../traffic-engineering/traffic-demand.ts';
import type { TrafficPlanning } from '../traffic-engineering/traffic-planner.ts';
import type { SteeringLoop } from './steering-loop.ts';

export interface LoadLoopOptions {
  readonly intervalMs: number;
  /** Larger meshes are steered by latency alone: looking at all pairs would hold up everything else for too long. */
  readonly maxNodes: number;
  /** What there is to decide on after a start is not known before nodes have reported twice. */
  readonly firstMs: number;
}

/**
 * A look at 128 nodes that all hold sessions with each other takes some 60 ms of the core's own thread every 5 s. The first waits
 * for three reports of demand at the usual pace.
 */
export const LOAD_LOOP_DEFAULTS = { maxNodes: 128, firstMs: 15_000 } as const;
/** Between two looks whether a capacity was learned: a link that is found to be full loses packets now. */
const LEARNED_MS = 500;
const IMPATIENT_MS = 1_000;

export class LoadLoop {
  readonly #loop: SteeringLoop;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: CoreMetrics;
  readonly #planner: TrafficPlanning;
  readonly #options: LoadLoopOptions;
  readonly #controller = new LoadController();
  #isAware: boolean;
  #timer: Timer | undefined;
  #dueMs = Number.NEGATIVE_INFINITY;
  #learnings = 0;
  /** Counts switches and stops: a plan that was asked for before is not taken. */
  #era = 0;
  #isPlanning = false;
  #seen: Pick<LoadView, 'state' | 'highestUtilisation' | 'latencyUtilisation'> | null = null;
  #lowerBound = 0;
  #decidedAtMs: number | null = null;
  #changes = 0;
  /** What failed last, and has not worked since. */
  #failed: 'look' | 'plan' | null = null;

  constructor(
    deps: { loop: SteeringLoop; clock: Clock; log: Logger; metrics: CoreMetrics; planner: TrafficPlanning },
    options: LoadLoopOptions & { readonly aware: boolean },
  ) {
    this.#loop = deps.loop;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#metrics = deps.metrics;
    this.#planner = deps.planner;
    this.#options = options;
    this.#isAware = options.aware;
  }

  start(): void {
    this.#schedule(this.#options.firstMs);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#era++;
    this.#timer?.cancel();
    await this.#planner.stop();
  }

  get view(): LoadView {
    const { maxNodes } = this.#options;
    const { state, highestUtilisation: highest, latencyUtilisation } = this.#seen ?? {};
    return {
      aware: this.#isAware,
      state: state ?? 'calm',
      highestUtilisation: highest ?? null,
      latencyUtilisation: latencyUtilisation ?? null,
      lowerBound: this.#seen === null ? null : this.#lowerBound,
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
    this.#era++;
    this.#seen = null;
    this.#controller.forget();
    this.#dueMs = Number.NEGATIVE_INFINITY;
    if (!aware) this.#loop.event((engine, nowMs) => engine.loadSpread(new Map(), nowMs));
    else this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      this.#schedule(LEARNED_MS);
      if (!this.#isAware || this.#isPlanning) return;
      const { learnings } = this.#loop.engine.traffic.capacity;
      if (this.#clock.monoMs() < this.#dueMs && learnings === this.#learnings) return;
      this.#learnings = learnings;
      this.#guarded(() => this.#look());
      const { impatient } = this.#controller;
      this.#dueMs = this.#clock.monoMs() + (impatient ? IMPATIENT_MS : this.#options.intervalMs);
    });
  }

  #look(): void {
    const nowMs = this.#clock.monoMs();
    const input = this.#loop.engine.loadInput(nowMs);
    const { network, demand, nodes, inForce, learnings } = input;
    if (nodes.length < 2 || nodes.length > this.#options.maxNodes) return;
    const latency = latencyTables(input);
    const { tables, whole } = tablesInForce(input, latency);
    const spread = inForce.size > 0;
    const look = this.#controller.look({ network, demand, learnings, inForce: tables, spread, whole }, nowMs);
    const byLatency = forwardedLoads(network, latency, demandByDestination(demand, network.nodeCount));
    this.#seen = {
      state: spread ? 'spread' : 'calm',
      highestUtilisation: look.utilisation,
      latencyUtilisation: highestUtilisation(network, byLatency),
    };
    this.#decidedAtMs = this.#clock.nowMs();
    this.#metrics.loadSeconds.observe((this.#clock.monoMs() - nowMs) / 1000);
    if (look.kind === 'plan') void this.#plan(input, look);
    if (this.#failed === 'look') this.#failed = null;
  }

  async #plan(input: LoadInput, look: LoadLook & { readonly kind: 'plan' }): Promise<void> {
    const era = this.#era;
    const { network, inForce } = look.situation;
    this.#isPlanning = true;
    try {
      const plan = await this.#planner.plan(network, look.demand, this.#controller.options.traffic, inForce);
      if (era !== this.#era) return;
      this.#lowerBound = plan.lowerBound;
      const isTaken = this.#controller.judge(look, plan, this.#clock.monoMs());
      this.#failed = null;
      if (!isTaken) return;
      const groups = plan.calm ? new Map() : groupsOf(input, plan.tables);
      this.#changes++;
      this.#seen = {
        state: groups.size > 0 ? 'spread' : 'calm',
        highestUtilisation: plan.highestUtilisation,
        latencyUtilisation: plan.shortestUtilisation,
      };
      this.#metrics.loadChanges.inc();
      this.#log.info('load changes routes', {
        reason: look.reason,
        destinations: groups.size,
        routes: plan.changedRoutes,
        highestUtilisation: Number(plan.highestUtilisation.toFixed(3)),
        latencyUtilisation: Number(plan.shortestUtilisation.toFixed(3)),
      });
      this.#loop.event((engine, atMs) => engine.loadSpread(groups, atMs));
    } catch (cause) {
      if (era === this.#era) this.#fail('plan', cause);
    } finally {
      this.#isPlanning = false;
    }
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#fail('look', cause);
    }
  }

  /** Said once per spell of failures: what forwards goes on as it is. */
  #fail(what: 'look' | 'plan', cause: unknown): void {
    const error = cause instanceof Error ? cause.message : '';
    if (this.#failed === null) this.#log.error('load not looked at', { what, error });
    this.#failed = what;
  }
}
