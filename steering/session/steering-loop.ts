/**
 * Drives the pure engine: events go in as they come, one step runs shortly after the first of a burst or when the
 * engine asks to be woken, its actions go out, and its state is saved, so that a restart sends no node what it has.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import type { RouteDelta } from '../../protocol/route-table.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { SteeringEngine } from '../steering-engine-port.ts';
import type { Store } from '../store/store.ts';
import { asThalwegError } from './refusal.ts';

/** Reports of one probe round come within a few ms of each other; 25 ms gathers them and is no part of a second's reaction. */
const STEP_DEBOUNCE_MS = 25;
/**
 * When thousands join or come back, events never stop, and a step costs the more the more there are. After a step that took
 * long more are gathered for the next: at most a quarter of the time goes into steps, and a change waits for no more than this.
 */
const STEP_REST = 3;
const STEP_LONGEST_REST_MS = 250;
/**
 * A save is one disk flush, and takes the longer the larger the mesh is, seconds with ten thousand nodes. Soon after a change,
 * since a core that is killed before it has to ask nodes for what they hold; but what nodes were told is in records, so at
 * most half a percent of the time goes into saves, and a twentieth while there is more in records than in the state.
 */
const SAVE_DEBOUNCE_MS = 100;
const SAVE_SHARE = 1 / 200;
const SAVE_SHARE_WITH_MANY_RECORDS = 1 / 20;
/** After a save that failed: a full disk is not helped by being asked ten times a second. */
const SAVE_RETRY_MS = 1000;

/** How soon a core that may not act at the moment looks again. */
const HELD_MS = 50;

/** A node is to hold other sessions than before: by node index, whether it holds one. */
export type SessionsChanged = (index: number, peers: ReadonlyMap<number, boolean>) => void;

export class SteeringLoop {
  readonly engine: SteeringEngine;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #log: Logger;
  readonly #metrics: CoreMetrics;
  readonly #send: (index: number, delta: RouteDelta) => void;
  readonly #sessionsChanged: SessionsChanged;
  /** Node index -> when the oldest unacknowledged delta was sent, monotonic. */
  readonly #pushedAtMonoMs = new Map<number, { sentMs: number; generation: bigint }>();
  #stepTimer: Timer | undefined;
  #stepDueMonoMs = Number.POSITIVE_INFINITY;
  #lastStepMs = 0;
  #saveTimer: Timer | undefined;
  #saveDueMonoMs = 0;
  #running = false;
  #savedRevision = -1;
  /** A state is in the store, and every record since: another record may follow. */
  #hasSaved = false;
  #lastSaveMs = 0;
  /** Of the state that is saved, and of the records after it. */
  #stateBytes = 0;
  #recordBytes = 0;
  #saveFailing = false;
  #spfRuns = 0;
  #lastError: string | undefined;
  readonly #lease: { readonly mayAct: boolean } | undefined;
  /** What a step decided and may not be told yet. */
  #held: ReturnType<SteeringEngine['step']> = [];
  #isAwake = false;

  /** `send` brings a delta to a node that is online; when the node is not, it is dropped. */
  constructor(deps: {
    engine: SteeringEngine;
    clock: Clock;
    store: Store;
    log: Logger;
    metrics: CoreMetrics;
    send: (index: number, delta: RouteDelta) => void;
    /** The node is to hold other sessions than before. */
    sessionsChanged?: SessionsChanged;
    /** Of several cores the one that may act does, and only what is saved. Absent: there is no other core. */
    lease?: { readonly mayAct: boolean };
  }) {
    this.#lease = deps.lease;
    this.#isAwake = deps.lease === undefined;
    this.engine = deps.engine;
    this.#clock = deps.clock;
    this.#store = deps.store;
    this.#log = deps.log;
    this.#metrics = deps.metrics;
    this.#send = deps.send;
    this.#sessionsChanged = deps.sessionsChanged ?? (() => {});
  }

  /** Gives the engine its saved state back. Called once, before nodes are put in and before `start`. */
  restore(): void {
    this.#isAwake = true;
    const saved = this.#store.engineState();
    if (saved === undefined) return;
    const records = this.#store.engineRecords();
    this.#stateBytes = saved.length;
    this.#recordBytes = records.reduce((sum, record) => sum + record.length, 0);
    if (this.engine.importState(saved, records)) {
      this.#hasSaved = true;
    } else {
      this.#log.warn('saved steering state is not readable; every node gets its whole table');
    }
    this.#savedRevision = this.engine.revision;
  }

  start(): void {
    this.#running = true;
    this.#schedule(this.#clock.monoMs() + STEP_DEBOUNCE_MS);
  }

  /** Stops stepping and saves. Idempotent. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#stepTimer?.cancel();
    this.#saveTimer?.cancel();
    this.#saveTimer = undefined;
    this.#save();
  }

  /** Brings an event to the engine and has it worked on soon. Before `restore` there is nobody to hear it. */
  event(apply: (engine: SteeringEngine, nowMs: number) => void): void {
    if (!this.#isAwake) return;
    const nowMs = this.#clock.monoMs();
    apply(this.engine, nowMs);
    const restMs = Math.min(STEP_LONGEST_REST_MS, STEP_REST * this.#lastStepMs);
    this.#schedule(nowMs + Math.max(STEP_DEBOUNCE_MS, restMs));
  }

  acknowledged(index: number, generation: bigint): void {
    const push = this.#pushedAtMonoMs.get(index);
    if (push === undefined || generation < push.generation) return;
    this.#pushedAtMonoMs.delete(index);
    this.#metrics.pushSeconds.observe((this.#clock.monoMs() - push.sentMs) / 1000);
  }

  /** The node's session is over: what waits to be told it was made for what it held then. */
  disconnected(index: number): void {
    this.#held = this.#held.filter((action) => action.kind !== 'sendDelta' || action.index !== index);
    this.#pushedAtMonoMs.delete(index);
  }

  /** Seconds since the oldest delta that nobody acknowledged was sent; 0 when there is none. */
  oldestPushS(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { sentMs } of this.#pushedAtMonoMs.values()) oldest = Math.min(oldest, sentMs);
    return Number.isFinite(oldest) ? (this.#clock.monoMs() - oldest) / 1000 : 0;
  }

  /** For /healthz: a step that is overdue by more than this is not stepping. */
  health(): { readonly ok: boolean; readonly detail: string } {
    const lateMs = this.#clock.monoMs() - this.#stepDueMonoMs;
    if (this.#lastError !== undefined) return { ok: false, detail: `the last step failed: ${this.#lastError}` };
    if (lateMs > 5000) return { ok: false, detail: `the next step is ${Math.round(lateMs)} ms late` };
    return { ok: true, detail: `generation ${this.engine.generation}` };
  }

  #schedule(dueMonoMs: number): void {
    if (!this.#running || dueMonoMs >= this.#stepDueMonoMs || !Number.isFinite(dueMonoMs)) return;
    this.#stepTimer?.cancel();
    this.#stepDueMonoMs = dueMonoMs;
    this.#stepTimer = this.#clock.after(Math.max(0, dueMonoMs - this.#clock.monoMs()), () => this.#step());
  }

  #step(): void {
    this.#stepDueMonoMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monoMs();
    try {
      if (this.#mayAct) {
        const actions = [...this.#held.splice(0), ...this.engine.step(nowMs)];
        this.#measure();
        this.#writeAhead();
        if (this.#mayAct) for (const action of actions) this.#carryOut(action);
        else this.#held = actions;
      }
      this.#saveSoon();
      this.#lastError = undefined;
    } catch (cause) {
      this.#lastError = cause instanceof Error ? cause.message : String(cause);
      this.#log.error('steering step failed', { error: this.#lastError });
    }
    this.#lastStepMs = this.#clock.monoMs() - nowMs;
    // The engine's own time may lie in the past when a step has left work for the next one.
    this.#schedule(this.#mayAct ? Math.max(this.engine.nextWakeMs(), nowMs + 1) : nowMs + HELD_MS);
  }

  /** Where others could take over, nothing is told that they would not know. */
  get #mayAct(): boolean {
    return this.#lease === undefined || (this.#lease.mayAct && !this.#saveFailing);
  }

  #carryOut(action: ReturnType<SteeringEngine['step']>[number]): void {
    switch (action.kind) {
      case 'sendDelta': {
        const { index, delta } = action;
        const waiting = this.#pushedAtMonoMs.get(index)?.sentMs;
        this.#pushedAtMonoMs.set(index, { sentMs: waiting ?? this.#clock.monoMs(), generation: delta.generation });
        this.#send(index, delta);
        return;
      }
      case 'sessionsChanged':
        this.#sessionsChanged(action.index, action.peers);
        return;
      case 'pathChanged': {
        const { from, to, reason, before, after } = action.change;
        this.#metrics.pathChanges.inc({ reason });
        this.#log.debug('path changed', { from, to, reason, before: before.join(' '), after: after.join(' ') });
        return;
      }
      default:
        action satisfies never;
    }
  }

  #measure(): void {
    const { timings, counters } = this.engine;
    this.#metrics.stepSeconds.observe(timings.stepMs / 1000);
    if (counters.spfRuns !== this.#spfRuns) this.#metrics.spfSeconds.observe(timings.spfMs / 1000);
    this.#spfRuns = counters.spfRuns;
  }

  /**
   * What a step is about to tell nodes is on the disk before it goes out, or a core that is killed now would leave nodes
   * with tables of which its successor, which starts from a state of a moment before, knows nothing.
   */
  #writeAhead(): void {
    // a disk that is full is tried again by the timer, and with the whole state: a record was missed
    if (this.#saveFailing) return;
    const record = this.engine.stepRecord();
    if (record === null) return;
    this.#recordBytes += record.length;
    if (this.#hasSaved) this.#hasSaved = this.#attemptSave(() => this.#store.appendEngineRecord(record));
    else this.#save();
  }

  /** How long after a change its state is saved. */
  get #saveDelayMs(): number {
    if (this.#saveFailing) return SAVE_RETRY_MS;
    const share = this.#recordBytes > this.#stateBytes ? SAVE_SHARE_WITH_MANY_RECORDS : SAVE_SHARE;
    return Math.max(SAVE_DEBOUNCE_MS, this.#lastSaveMs / share);
  }

  #saveSoon(): void {
    if (!this.#running || this.engine.revision === this.#savedRevision) return;
    const delayMs = this.#saveDelayMs;
    const dueMonoMs = this.#clock.monoMs() + delayMs;
    if (this.#saveTimer !== undefined && dueMonoMs >= this.#saveDueMonoMs) return;
    this.#saveTimer?.cancel();
    this.#saveDueMonoMs = dueMonoMs;
    this.#saveTimer = this.#clock.after(delayMs, () => {
      this.#saveTimer = undefined;
      this.#save();
    });
  }

  #save(): void {
    const { revision } = this.engine;
    if (revision === this.#savedRevision) return;
    const startedAtMonoMs = this.#clock.monoMs();
    const isSaved = this.#attemptSave(() => {
      const state = this.engine.exportState();
      this.#store.saveEngineState(state);
      this.#stateBytes = state.length;
      this.#recordBytes = 0;
    });
    this.#hasSaved = isSaved;
    if (!isSaved) {
      // Nothing is lost while the core runs.
      this.#saveSoon();
      return;
    }
    this.#savedRevision = revision;
    this.#lastSaveMs = this.#clock.monoMs() - startedAtMonoMs;
  }

  #attemptSave(write: () => void): boolean {
    try {
      write();
      if (this.#saveFailing) this.#log.info('steering state is saved again');
      this.#saveFailing = false;
    } catch (cause) {
      const error = asThalwegError(cause);
      this.#metrics.storeErrors.inc({ code: error.code });
      // Once per spell of failures: the log may be on the same disk.
      if (!this.#saveFailing) this.#log.error('steering state not saved', { code: error.code, error: error.message });
      this.#saveFailing = true;
    }
    return !this.#saveFailing;
  }
}
