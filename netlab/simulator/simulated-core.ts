/**
 * The core on virtual time: the real steering engine, stepped as the core's own loop steps it (soon after the first
 * event of a burst, and when the engine asks to be woken).
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { RouteDelta } from '../../protocol/route-table.ts';
import { RowDelta } from '../../steering/rollout/row-delta.ts';
import type { SteeringEngine } from '../../steering/steering-engine-port.ts';
import type { EventLog } from './event-log.ts';

/** As in steering/session/steering-loop.ts. */
const STEP_DEBOUNCE_MS = 25;

export class SimulatedCore {
  readonly engine: SteeringEngine;
  deltas = 0;
  rows = 0;
  pathChanges = 0;
  readonly #clock: Clock;
  readonly #log: EventLog;
  readonly #send: (index: number, delta: RouteDelta) => void;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  /** `send` takes a delta to the node with this index. */
  constructor(deps: {
    readonly engine: SteeringEngine;
    readonly clock: Clock;
    readonly log: EventLog;
    readonly send: (index: number, delta: RouteDelta) => void;
  }) {
    this.engine = deps.engine;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#send = deps.send;
  }

  event(apply: (engine: SteeringEngine, nowMs: number) => void): void {
    const nowMs = this.#clock.monoMs();
    apply(this.engine, nowMs);
    this.#schedule(nowMs + STEP_DEBOUNCE_MS);
  }

  #schedule(dueMs: number): void {
    if (dueMs >= this.#dueMs || dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#dueMs = dueMs;
    this.#timer = this.#clock.after(dueMs - this.#clock.monoMs(), () => this.#step());
  }

  #step(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monoMs();
    for (const action of this.engine.step(nowMs)) {
      if (action.kind === 'pathChanged') {
        const { from, to, after, reason } = action.change;
        this.pathChanges++;
        this.#log.add(nowMs, `path ${from} ${to} ${reason} ${after.join('-')}`);
        continue;
      }
      if (action.kind !== 'sendDelta') continue;
      const { index, delta } = action;
      this.deltas++;
      this.rows += delta instanceof RowDelta ? delta.size : delta.set.length + delta.remove.length;
      this.#log.add(nowMs, `delta ${index} ${delta.generation} ${delta.checksum}`);
      this.#send(index, delta);
    }
    this.#schedule(Math.max(this.engine.nextWakeMs(), nowMs + 1));
  }
}
