/**
 * Drives the sessions of a mesh that is too big for all pairs: has plans made when they are due, tells the engine which
 * links may carry packets and the agents which peers they have, and keeps what is in force on disk before agents act on it.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import type { NodePair } from '../link-state/link-roles.ts';
import type { CoreMetrics } from '../metrics.ts';
import { type MeshSessionOptions, MeshSessions } from '../session-plan/mesh-sessions.ts';
import type { PlanMaking } from '../session-plan/plan-request.ts';
import { loadKnown, loadSessions, saveKnown, saveSessions } from '../session-plan/saved-sessions.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import type { Store } from '../store/store.ts';
import { asThalwegError } from './refusal.ts';
import type { SteeringLoop } from './steering-loop.ts';

export interface PlanningDeps {
  readonly loop: Pick<SteeringLoop, 'event' | 'engine'>;
  readonly store: Pick<Store, 'setting' | 'setSetting'>;
  readonly plans: PlanMaking;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
}

export type PlanningOptions = MeshSessionOptions;

/** Sessions of agents that begin and end. */
export type SessionsChanged = (opened: readonly NodePair[], closed: readonly NodePair[]) => void;

const SESSIONS_KEY = 'session_plan';
const KNOWN_KEY = 'session_plan_measured';
/** What was measured can be measured again: ten minutes of it are no loss. */
const KNOWN_SAVE_MS = 600_000;

export class SessionPlanning {
  readonly #deps: PlanningDeps;
  readonly #sessions: MeshSessions;
  readonly #onChanged: SessionsChanged;
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #knownSavedMs: number;
  #running = true;
  /** No mesh is too big: somebody else decides on sessions, and nothing is kept for plans that are never made. */
  readonly #isOff: boolean;
  #explored = 0;

  constructor(deps: PlanningDeps, options: PlanningOptions, onChanged: SessionsChanged) {
    this.#deps = deps;
    this.#sessions = new MeshSessions(options);
    this.#isOff = options.maxPeers === Number.POSITIVE_INFINITY;
    this.#onChanged = onChanged;
    this.#knownSavedMs = deps.clock.monoMs();
  }

  /** Takes back what an earlier core had in force. Before nodes are put into the engine, and before any other call. */
  restore(isNode: (index: number) => boolean): void {
    const { store, clock, log } = this.#deps;
    const nowMs = clock.monoMs();
    const saved = store.setting(SESSIONS_KEY);
    if (saved === undefined || saved === '') return;
    const sessions = loadSessions(saved, isNode, nowMs);
    if (sessions === undefined) {
      log.warn('the saved session plan is not readable; every pair holds a session until there is another');
      return;
    }
    const known = store.setting(KNOWN_KEY);
    if (known !== undefined) loadKnown(known, this.#sessions.known, isNode, nowMs, clock.nowMs());
    this.#sessions.restore(sessions, nowMs);
    this.#publish();
  }

  /** A node that has said how it is reached; `online`: it has a session with the core. */
  node(index: number, transit: boolean, online: boolean): void {
    if (this.#isOff) return;
    this.#sessions.upsertNode(index, transit, online, this.#deps.clock.monoMs());
    this.#goOn();
  }

  /** The node is gone for good. */
  removeNode(index: number): void {
    if (this.#isOff) return;
    this.#sessions.removeNode(index, this.#deps.clock.monoMs());
    this.#goOn();
  }

  reported(from: number, links: readonly LinkObservation[]): void {
    if (this.#isOff) return;
    this.#sessions.reported(from, links, this.#deps.clock.monoMs());
    this.#schedule();
  }

  demanded(from: number, demands: readonly { peerIndex: number; bytesPerSecond: number }[]): void {
    if (this.#isOff) return;
    this.#sessions.demanded(from, demands);
  }

  /** Some pairs hold no session. */
  get isLimited(): boolean {
    return this.#sessions.isLimited;
  }

  /** True when the two hold a session. */
  arePeers(a: number, b: number): boolean {
    return this.#isOff || this.#sessions.arePeers(a, b);
  }

  peersOf(index: number): number[] {
    return this.#sessions.peersOf(index);
  }

  /** Sets the gauges: before a scrape. */
  measure(): void {
    const { ledger, beyondBound, isLimited } = this.#sessions;
    const { planPairs, planBeyondBound } = this.#deps.metrics;
    planPairs.reset();
    planBeyondBound.set(beyondBound);
    if (!isLimited) return;
    for (const role of ['planned', 'leaving', 'draining', 'exploring'] as const) {
      planPairs.set({ role }, ledger.countOf(role));
    }
  }

  /** Saves what was measured, stops planning. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#timer?.cancel();
    if (this.#sessions.isLimited) this.#saveKnown();
    await this.#deps.plans.stop();
  }

  #goOn(): void {
    this.#publish();
    this.#schedule();
  }

  #schedule(): void {
    const { clock } = this.#deps;
    const { dueMs } = this.#sessions;
    if (!this.#running || dueMs === this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.after(Math.max(0, dueMs - clock.monoMs()), () => this.#work());
  }

  #work(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#deps.clock.monoMs();
    const request = this.#sessions.request(nowMs);
    if (request !== undefined) void this.#plan(request);
    const inUse = new Map<number, ReadonlySet<number> | null>();
    const { engine } = this.#deps.loop;
    const uses = (from: number, to: number): boolean => {
      let neighbours = inUse.get(from);
      if (neighbours === undefined) {
        neighbours = engine.neighboursInUse(from);
        inUse.set(from, neighbours);
      }
      return neighbours === null || neighbours.has(to);
    };
    this.#sessions.tick(nowMs, (a, b) => uses(a, b) || uses(b, a));
    if (nowMs >= this.#knownSavedMs + KNOWN_SAVE_MS) this.#saveKnown();
    this.#goOn();
  }

  async #plan(request: Parameters<PlanMaking['make']>[0]): Promise<void> {
    const { plans, clock, log, metrics } = this.#deps;
    try {
      const answer = await plans.make(request);
      if (!this.#running) return;
      this.#sessions.take(answer, clock.monoMs());
      metrics.planSeconds.observe(answer.tookMs / 1000);
      metrics.plans.inc({ result: 'made' });
      metrics.planExplored.inc(this.#sessions.explored - this.#explored);
      this.#explored = this.#sessions.explored;
      log.debug('session plan', {
        links: answer.links.length,
        exploring: answer.explore.length,
        tookMs: answer.tookMs,
      });
    } catch (cause) {
      if (!this.#running) return;
      const error = asThalwegError(cause);
      metrics.plans.inc({ result: 'failed' });
      log.error('no session plan could be made; what is in force stays', { code: error.code, error: error.message });
      this.#sessions.failed(clock.monoMs());
    }
    this.#goOn();
  }

  /** Brings what changed to the disk, the engine and the agents, in this order. */
  #publish(): void {
    const { loop, metrics, log } = this.#deps;
    const changes = this.#sessions.takeChanges();
    if (changes === undefined) return;
    const { roles, opened, closed } = changes;
    this.#save(SESSIONS_KEY, roles === null ? '' : saveSessions(this.#sessions.ledger.all()));
    loop.event((engine, nowMs) => engine.linkRolesChanged(roles, nowMs));
    if (opened.length > 0) metrics.planChanges.inc({ change: 'opened' }, opened.length);
    if (closed.length > 0) metrics.planChanges.inc({ change: 'closed' }, closed.length);
    if (opened.length + closed.length > 0) {
      log.info('sessions changed', {
        opened: opened.length,
        closed: closed.length,
        sessions: this.#sessions.ledger.size,
      });
      this.#onChanged(opened, closed);
    }
  }

  #saveKnown(): void {
    const { clock } = this.#deps;
    this.#knownSavedMs = clock.monoMs();
    this.#save(KNOWN_KEY, saveKnown(this.#sessions.known, clock.monoMs(), clock.nowMs()));
  }

  #save(key: string, value: string): void {
    try {
      this.#deps.store.setSetting(key, value);
    } catch (cause) {
      const error = asThalwegError(cause);
      this.#deps.metrics.storeErrors.inc({ code: error.code });
      this.#deps.log.error('the session plan is not saved', { code: error.code, error: error.message });
    }
  }
}
