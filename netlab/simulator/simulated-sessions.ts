/**
 * Who holds sessions with whom on virtual time: the core's own session plan, carried to synthetic agents with the delay of
 * their way to the core, and a check that no node ever loses a session that its rows still point at.
 */
import type { Clock } from '../../protocol/clock.ts';
import type { RouteDelta } from '../../protocol/route-table.ts';
import { type MeshSessionOptions, MeshSessions } from '../../steering/session-plan/mesh-sessions.ts';
import { PlanMaker } from '../../steering/session-plan/plan-maker.ts';
import { OneStepSteeringEngine } from '../../steering/steering-engine.ts';
import type { LinkObservation, SteeringEngine } from '../../steering/steering-engine-port.ts';
import type { EventLog } from './event-log.ts';
import type { ForwardingState } from './forwarding-state.ts';

export interface SimulatedSessionsDeps {
  readonly clock: Clock;
  readonly log: EventLog;
  readonly forwarding: ForwardingState;
  /** Brings an event to the engine. */
  readonly event: (apply: (engine: SteeringEngine, nowMs: number) => void) => void;
  /** Time of a message between the core and a node (from 0). */
  readonly toCoreMs: (node: number) => number;
  /** Without power nothing reaches a node, and its rows at others are what they are when there is no way. */
  readonly hasPower: (node: number) => boolean;
  /** Both ends hold the session long enough to have measured it. */
  readonly onSession: (node: number, peer: number) => void;
}

export interface SessionFigures {
  /** Most sessions that a node ever held at a time, those that were ending or explored included. */
  readonly most: number;
  readonly opened: number;
  readonly closed: number;
  readonly explored: number;
  /** Sessions that a node lost while rows of it pointed at the peer, and rows that came for a peer that it had not. */
  readonly brokenRows: number;
}

/** A plan of some hundred nodes takes a thread about this long. */
const PLAN_MS = 100;
/** Handshake, three probes and a summary. */
const MEASURED_AFTER_MS = 3_000;

/** The engine, and one more listener to what it is told. */
export class ListenedEngine extends OneStepSteeringEngine {
  sessions: SimulatedSessions | undefined;

  override nodeConnected(index: number, generation: bigint, checksum: bigint, nowMs: number): void {
    super.nodeConnected(index, generation, checksum, nowMs);
    this.sessions?.node(index, true);
  }

  override nodeDisconnected(index: number, nowMs: number): void {
    super.nodeDisconnected(index, nowMs);
    this.sessions?.node(index, false);
  }

  override removeNode(index: number, nowMs: number): void {
    super.removeNode(index, nowMs);
    this.sessions?.removed(index);
  }

  override linksReported(index: number, links: readonly LinkObservation[], nowMs: number): void {
    super.linksReported(index, links, nowMs);
    this.sessions?.reported(index, links);
  }
}

export class SimulatedSessions {
  readonly mesh: MeshSessions;
  readonly #deps: SimulatedSessionsDeps;
  readonly #engine: SteeringEngine;
  readonly #maker: PlanMaker;
  readonly #transit: (node: number) => boolean;
  /** What each node was told its peers are; nodes from 0. */
  readonly #told: Set<number>[];
  #dueMs = Number.POSITIVE_INFINITY;
  #most = 0;
  #opened = 0;
  #closed = 0;
  #brokenRows = 0;

  constructor(
    deps: SimulatedSessionsDeps,
    engine: SteeringEngine,
    options: MeshSessionOptions & { readonly size: number; readonly transit: (node: number) => boolean },
  ) {
    this.#deps = deps;
    this.#engine = engine;
    this.mesh = new MeshSessions(options);
    this.#maker = new PlanMaker(
      { stopwatchMs: () => 0 },
      { degree: options.maxPeers, explorePeers: options.explorePeers },
    );
    this.#transit = options.transit;
    this.#told = Array.from({ length: options.size }, () => new Set<number>());
  }

  get figures(): SessionFigures {
    const [most, opened, closed, brokenRows] = [this.#most, this.#opened, this.#closed, this.#brokenRows];
    return { most, opened, closed, explored: this.mesh.explored, brokenRows };
  }

  has(node: number, peer: number): boolean {
    return this.#told[node]?.has(peer) === true && this.#told[peer]?.has(node) === true;
  }

  peersOf(node: number): number[] {
    return [...(this.#told[node] ?? [])].filter((peer) => this.has(node, peer)).sort((a, b) => a - b);
  }

  /** A session with the core began or ended; with the first comes the list of all peers. */
  node(index: number, online: boolean): void {
    const { clock } = this.#deps;
    this.mesh.upsertNode(index, this.#transit(index - 1), online, clock.monoMs());
    this.#goOn();
    if (!online) return;
    this.#tell(
      index - 1,
      this.mesh.peersOf(index).map((peer) => peer - 1),
      null,
    );
    if (this.mesh.isLimited) return;
    for (const peer of this.mesh.peersOf(index)) this.#tell(peer - 1, [index - 1], []);
  }

  removed(index: number): void {
    const peers = this.mesh.isLimited ? [] : this.mesh.peersOf(index);
    this.mesh.removeNode(index, this.#deps.clock.monoMs());
    for (const peer of peers) this.#tell(peer - 1, [], [index - 1]);
    this.#told[index - 1]?.clear();
    this.#goOn();
  }

  reported(index: number, links: readonly LinkObservation[]): void {
    this.mesh.reported(index, links, this.#deps.clock.monoMs());
    this.#schedule();
  }

  /** A node applied a delta: its rows may point at peers only, but for a destination that cannot be reached at all. */
  applied(node: number, delta: RouteDelta): void {
    for (const { nextHops, destination } of delta.set) {
      for (const { neighbour } of nextHops) {
        if (neighbour !== destination && this.#told[node]?.has(neighbour - 1) !== true)
          this.#break(node, neighbour - 1);
      }
    }
  }

  #goOn(): void {
    const { log, clock, event } = this.#deps;
    const changes = this.mesh.takeChanges();
    if (changes !== undefined) {
      event((engine, nowMs) => engine.linkRolesChanged(changes.roles, nowMs));
      const { opened, closed } = changes;
      if (opened.length + closed.length > 0) log.add(clock.monoMs(), `sessions ${opened.length} ${closed.length}`);
      this.#opened += opened.length;
      this.#closed += closed.length;
      for (const [pairs, isPeer] of [
        [opened, true],
        [closed, false],
      ] as const) {
        for (const { low, high } of pairs) {
          this.#tell(low - 1, isPeer ? [high - 1] : [], isPeer ? [] : [high - 1]);
          this.#tell(high - 1, isPeer ? [low - 1] : [], isPeer ? [] : [low - 1]);
        }
      }
    }
    this.#schedule();
  }

  #schedule(): void {
    const { clock } = this.#deps;
    const { dueMs } = this.mesh;
    if (dueMs === Number.POSITIVE_INFINITY || dueMs === this.#dueMs) return;
    this.#dueMs = dueMs;
    clock.after(dueMs - clock.monoMs(), () => {
      if (this.#dueMs !== dueMs) return;
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.#work();
    });
  }

  #work(): void {
    const { clock } = this.#deps;
    const request = this.mesh.request(clock.monoMs());
    if (request !== undefined) {
      const answer = this.#maker.makeNow(request);
      clock.after(PLAN_MS, () => {
        this.mesh.take(answer, clock.monoMs());
        this.#goOn();
      });
    }
    const uses = (a: number, b: number) => this.#engine.neighboursInUse(a)?.has(b) !== false;
    this.mesh.tick(clock.monoMs(), (a, b) => uses(a, b) || uses(b, a));
    this.#goOn();
  }

  /** `remove` null: `add` is all that there is. */
  #tell(node: number, add: readonly number[], remove: readonly number[] | null): void {
    const { clock, forwarding, hasPower, toCoreMs, onSession } = this.#deps;
    clock.after(toCoreMs(node), () => {
      const told = this.#told[node] ?? new Set<number>();
      for (const peer of remove ?? [...told].filter((known) => !add.includes(known))) {
        const reaches = hasPower(node) && hasPower(peer);
        if (told.delete(peer) && reaches && forwarding.pointsAt(node, peer)) this.#break(node, peer);
      }
      for (const peer of add) {
        told.add(peer);
        clock.after(MEASURED_AFTER_MS, () => {
          if (this.has(node, peer)) onSession(node, peer);
        });
      }
      this.#most = Math.max(this.#most, told.size);
    });
  }

  #break(node: number, peer: number): void {
    this.#brokenRows++;
    this.#deps.log.add(this.#deps.clock.monoMs(), `no session ${node} ${peer}`);
  }
}
