/**
 * Agents' sessions at a core that does not steer. Connection, sequence numbers, heartbeats, bounds and back-pressure are
 * `AgentSession`'s, as anywhere; what agents say goes to the solver, and what it says comes back:
 *
 *   agent ==TLS== holder --NATS: thalweg.<mesh>.<region>.relay.solver.<term>.<holder>--> solver
 *                        <--NATS: thalweg.<mesh>.<region>.relay.holder.<holder>--------
 *
 * When the solver is another one, or the link has lost something, every session is announced anew with what the agent would
 * say if it came anew; the agent notices nothing. What an older solver still says is dropped by its term. A holder that hears of
 * no solver sends its agents on after a while: other cores may.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { isErrorCode, ThalwegError } from '../../protocol/error.ts';
import { decodeCoreFrame } from '../../protocol/frame-codec.ts';
import type { SolverRecord } from '../../protocol/gen/thalweg/v1/relay_pb.ts';
import type { Hello, Refusal } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { Logger } from '../../protocol/log.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { AgentSession } from '../session/agent-session.ts';
import type { OpenBody, SessionOwner } from '../session/node-session.ts';
import { standingBy } from '../session/session-refusal.ts';
import type { HeldConnections } from './held-connections.ts';
import { HeldSession } from './held-session.ts';
import { RelayLink } from './relay-link.ts';
import { decodeSolverRecords, encodeHolderRecord, type HolderBody } from './relay-message.ts';
import { decodeRelayPacket } from './relay-packet.ts';
import type { RelayPort } from './relay-port.ts';
import { BEAT_MS } from './relayed-sessions.ts';

/** Beats without a word of the solver: longer than a lease lives, since that is what tells of a solver that died. */
const MISSED_BEATS = 6;
/** Gathers what goes to the solver at a moment. */
const FLUSH_MS = 1;
/** A solver that took over takes in 20,000 announcements a second at most, and steers in between. */
const ANNOUNCED_AT_ONCE = 500;
const ANNOUNCE_MS = 25;
/** A table that is on its way is acknowledged by then; which table the agent holds is known only then. */
const UNCERTAIN_MS = 1000;
/** No core is better off while the lease is free; a NATS that has lost servers needs this long to find itself again. */
const ORPHAN_MS = 10_000;
/** A core that reaches no NATS server is probably alone with that. */
const CUT_OFF_MS = 1000;
const SENT_ON_RETRY_MS = 50;
/** Renewals of somebody's lease without a word of the relay: a solver of an older version, which carries no frames. */
const SILENT_RENEWALS = 12;

export interface SessionHolderDeps {
  readonly port: RelayPort;
  /** Connections without a session: let in while there is a link, and let wait while there is none. */
  readonly door: HeldConnections;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
}

export class SessionHolder implements SessionOwner {
  readonly #deps: SessionHolderDeps;
  /** Undefined until its Hello. */
  readonly #sessions = new Map<AgentSession, HeldSession | undefined>();
  readonly #byNumber = new Map<number, HeldSession>();
  #numbers = 0;
  #links = 0;
  #term = 0;
  #link: RelayLink | undefined;
  #missed = 0;
  #silentRenewals = 0;
  #unlinkedSinceMonoMs: number;
  #timer: Timer | undefined;
  #flushTimer: Timer | undefined;
  #announceTimer: Timer | undefined;
  #isOver = false;

  constructor(deps: SessionHolderDeps) {
    this.#deps = deps;
    this.#unlinkedSinceMonoMs = deps.clock.monoMs();
  }

  start(): void {
    this.#timer = this.#deps.clock.after(BEAT_MS, () => {
      this.#beat();
      if (!this.#isOver) this.start();
    });
  }

  get size(): number {
    return this.#byNumber.size;
  }

  get isLinked(): boolean {
    return this.#link !== undefined;
  }

  /** Ends every session: agents reconnect, to another core. Idempotent. */
  stop(): void {
    for (const session of [...this.#sessions.keys()]) session.restart();
    this.#link?.flush();
    this.#end();
  }

  /**
   * This core steers from now on: `owner` gets every session, and is told what a solver is told. Those whose agent is about to
   * acknowledge a table follow when it has.
   */
  handOver(owner: SessionOwner & { opened(session: AgentSession): void }): void {
    this.#end();
    const sessions = [...this.#sessions];
    this.#sessions.clear();
    this.#byNumber.clear();
    for (const [session, held] of sessions) {
      owner.opened(session);
      if (held === undefined) session.adopt(owner, () => {});
      else this.#give(held, owner, this.#deps.clock.monoMs() + UNCERTAIN_MS);
    }
  }

  /** A node was removed from the mesh: its session does not wait for the solver to say so. */
  removed(nodeId: string): void {
    for (const session of [...this.#sessions.keys()]) {
      if (session.options.nodeId !== nodeId) continue;
      session.refuse(new ThalwegError('node_removed', `node ${nodeId} was removed from the mesh`), 0);
    }
  }

  /** Another core has renewed the lease. */
  renewalSeen(): void {
    if (this.#link === undefined && ++this.#silentRenewals > SILENT_RENEWALS) this.#deps.door.sendOn();
  }

  /** That core steers. */
  solver(core: string, term: number): void {
    if (this.#isOver || core === this.#deps.port.core) return;
    if (term < this.#term) {
      this.#drop('old_term');
      return;
    }
    this.#missed = 0;
    this.#silentRenewals = 0;
    if (term === this.#term && this.#link !== undefined) return;
    this.#deps.log.info('holding sessions for the core that steers', { core, term, sessions: this.size });
    this.#begin(term);
  }

  /** A packet of the solver. Never throws on its content. */
  packet(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const packet = decodeRelayPacket(bytes);
    if (!packet.ok) {
      this.#drop('malformed_packet');
      return;
    }
    const { term, link } = packet.value;
    if (term < this.#term) {
      this.#drop('old_term');
      return;
    }
    if (this.#link === undefined || term !== this.#term || link !== this.#link.name.link) {
      this.#drop('other_link');
      return;
    }
    this.#missed = 0;
    const received = this.#link.receive(packet.value);
    if (received.broken) {
      this.#drop('gap');
      return;
    }
    if (received.message === null) return;
    const records = decodeSolverRecords(received.message);
    if (records.ok) for (const record of records.value) this.#record(record);
    else this.#drop('malformed_message');
  }

  // ---- SessionOwner

  /** A connection that may become a session. */
  opened(session: AgentSession): void {
    this.#sessions.set(session, undefined);
  }

  hello(session: AgentSession, hello: Hello): void {
    if (this.#sessions.get(session) !== undefined) throw new ThalwegError('protocol_violation', 'a second hello');
    const held = new HeldSession(session, ++this.#numbers, hello, this.#deps.clock);
    this.#sessions.set(session, held);
    this.#byNumber.set(held.number, held);
    if (this.#link !== undefined) this.#put(held.number, held.announcement());
  }

  frame(session: AgentSession, body: OpenBody): void {
    const held = this.#sessions.get(session);
    if (held === undefined) return;
    if (body.case === 'goodbye' && body.value.reason !== 'leave') {
      session.end('goodbye');
      return;
    }
    this.#put(held.number, held.heard(body));
  }

  clockSkew(session: AgentSession, skewMs: number): void {
    const held = this.#sessions.get(session);
    if (held !== undefined) this.#put(held.number, held.skewed(skewMs));
  }

  closed(session: AgentSession, reason: string): void {
    const held = this.#sessions.get(session);
    this.#sessions.delete(session);
    if (held === undefined) return;
    this.#byNumber.delete(held.number);
    if (held.state !== 'unknown') this.#put(held.number, { case: 'closed', value: reason });
  }

  // ---- inside

  #begin(term: number): void {
    const { port, door, clock } = this.#deps;
    this.#term = term;
    this.#missed = 0;
    this.#flushTimer?.cancel();
    this.#announceTimer?.cancel();
    this.#link = new RelayLink((packet) => port.toSolver(term, packet), { term, link: ++this.#links });
    for (const held of this.#byNumber.values()) held.state = 'unknown';
    this.#announceAll([...this.#byNumber.values()], clock.monoMs() + UNCERTAIN_MS);
    door.begin();
  }

  #announceAll(waiting: readonly HeldSession[], deadlineMonoMs: number): void {
    const isLate = this.#deps.clock.monoMs() >= deadlineMonoMs;
    const later: HeldSession[] = [];
    let announced = 0;
    for (const held of waiting) {
      if (held.session.isClosed || held.state !== 'unknown') continue;
      if (announced === ANNOUNCED_AT_ONCE || (held.standing.isUncertain && !isLate)) later.push(held);
      else {
        announced++;
        this.#put(held.number, held.announcement());
      }
    }
    if (later.length === 0) this.#put(0, { case: 'allAnnounced', value: true });
    else {
      const next = () => this.#announceAll(later, deadlineMonoMs);
      this.#announceTimer = this.#deps.clock.after(ANNOUNCE_MS, next);
    }
  }

  #record({ session: number, body, epoch }: SolverRecord): void {
    const held = this.#byNumber.get(number);
    if (held === undefined || held.state === 'unknown') {
      this.#drop('unknown_session');
      return;
    }
    if (body.case === 'closed') {
      held.session.end(body.value);
      return;
    }
    const frame = body.case === 'frame' ? decodeCoreFrame(body.value) : undefined;
    if (frame === undefined || !frame.ok) {
      this.#drop('malformed_frame');
      return;
    }
    const said = frame.value.body;
    if (said.case === undefined) return;
    if (said.case === 'refusal') {
      refuse(held.session, said.value);
    } else if (said.case === 'welcome') {
      const news = [...held.welcomed(epoch)];
      held.session.open();
      held.session.send(said);
      for (const body of news) this.#put(number, body);
    } else if (held.state === 'welcomed') {
      held.standing.told(said);
      held.session.send(said);
    } else {
      this.#drop('before_welcome');
    }
  }

  #give(held: HeldSession, owner: SessionOwner, deadlineMonoMs: number): void {
    const { clock } = this.#deps;
    const { session, standing } = held;
    if (session.isClosed) return;
    if (standing.isUncertain && clock.monoMs() < deadlineMonoMs) {
      this.#sessions.set(session, held);
      clock.after(ANNOUNCE_MS, () => this.#give(held, owner, deadlineMonoMs));
      return;
    }
    this.#sessions.delete(session);
    held.giveTo(owner);
  }

  #put(number: number, body: HolderBody | undefined): void {
    const link = this.#link;
    if (body === undefined || link === undefined || link.isBroken) return;
    if (link.put(encodeHolderRecord(number, body))) {
      this.#flushTimer = this.#deps.clock.after(FLUSH_MS, () => link.flush());
    }
  }

  #beat(): void {
    const { clock, door, log, port, metrics } = this.#deps;
    metrics.heldSessions.set(this.size);
    metrics.relayLinks.set(this.isLinked ? 1 : 0);
    const link = this.#link;
    if (link !== undefined && ++this.#missed > MISSED_BEATS) {
      log.warn('the core that steers is not heard of; sessions are kept for the next one', { sessions: this.size });
      this.#link = undefined;
      this.#unlinkedSinceMonoMs = clock.monoMs();
      door.doubt();
    } else if (link?.isBroken === true) this.#begin(this.#term);
    else if (link !== undefined) link.beat();
    else if (this.#sessions.size > 0) {
      const limitMs = port.isConnected ? ORPHAN_MS : CUT_OFF_MS;
      if (clock.monoMs() - this.#unlinkedSinceMonoMs >= limitMs) this.#sendOn();
    }
  }

  #sendOn(): void {
    const { log, port } = this.#deps;
    const fields = { sessions: this.#sessions.size, isConnected: port.isConnected };
    log.error('no core that steers can be reached: agents are sent on to other cores', fields);
    for (const session of [...this.#sessions.keys()]) session.refuse(standingBy(), SENT_ON_RETRY_MS);
  }

  #end(): void {
    this.#isOver = true;
    this.#link = undefined;
    for (const timer of [this.#timer, this.#flushTimer, this.#announceTimer]) timer?.cancel();
    this.#deps.metrics.heldSessions.set(0);
    this.#deps.metrics.relayLinks.set(0);
  }

  #drop(reason: string): void {
    this.#deps.metrics.relayDropped.inc({ reason });
  }
}

function refuse(session: AgentSession, { code, message, retryAfterMs }: Refusal): void {
  session.refuse(new ThalwegError(isErrorCode(code) ? code : 'internal', message), retryAfterMs);
}
