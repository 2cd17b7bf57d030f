/**
 * An agent on virtual time: it measures its links, reports them, applies the deltas that come and acknowledges them;
 * its session may break, its node may lose power, it may leave. Messages take the way to the core and stay in order.
 *
 *   report every 5 s, and at once what changed --->  core  ---> delta -> applied a few ms later -> acknowledged
 */
import type { Clock } from '../../protocol/clock.ts';
import type { RouteDelta } from '../../protocol/route-table.ts';
import type { LinkObservation, SteeringEngine } from '../../steering/steering-engine-port.ts';
import type { Random } from '../seeded-random.ts';
import { type AgentTable, agentTable } from './agent-table.ts';
import type { EventLog } from './event-log.ts';
import type { Fault, ForwardingState } from './forwarding-state.ts';
import type { SimulatedCore } from './simulated-core.ts';
import type { SimulatedUnderlay } from './simulated-underlay.ts';

export interface AgentSettings {
  /** Time of a message between this node and the core. */
  readonly toCoreMs: number;
  readonly reportIntervalMs: number;
  /** Share of deltas that are applied but whose answer is lost, with the session. */
  readonly lostAckShare: number;
  readonly transit: boolean;
}

export interface AgentDeps {
  readonly clock: Clock;
  readonly core: SimulatedCore;
  readonly underlay: SimulatedUnderlay;
  readonly forwarding: ForwardingState;
  readonly random: Random;
  readonly log: EventLog;
  /** Nodes that this one has a WireGuard session with and probes, and that are there. */
  readonly peers: () => Iterable<number>;
  /** The two hold a session now. */
  readonly hasSession: (peer: number) => boolean;
  /** The node's kernel holds what the delta makes of its table. */
  readonly onApplied: (delta: RouteDelta) => void;
  /** The agent of a peer. */
  readonly agent: (node: number) => SyntheticAgent | undefined;
  readonly onFault: (fault: Fault) => void;
}

/** From the first probe to a first believable RTT. */
const FIRST_REPORT_MS = 1_200;
/** Both ends do not notice at the same moment. */
export const PROBE_INTERVAL_MS = 200;
/** A kernel takes some ms for a delta; one in a hundred hosts is busy. */
const APPLY_MS = 5;
const APPLY_SPREAD_MS = 30;
const BUSY_SHARE = 0.01;
const BUSY_MS = 1_500;
/** The core waits this long for an answer (rollout and table options of steering). */
const SLOW_MS = 2_000;
/** Heartbeats that nobody answers end a session that died silently. */
const SILENCE_MS = 10_000;
/** How often the core looks whether a node that leaves may go. */
const LEAVE_POLL_MS = 500;
/** So long a node waits for it here; on a real host somebody who stops the agent waits less. */
const LEAVE_PATIENCE_MS = 120_000;
/** A departure that takes longer is counted: the real core lets go by then, whatever still leads through the node. */
const LEAVE_OVERDUE_MS = 15_000;

export class SyntheticAgent {
  readonly node: number;
  isThere = false;
  /** When it joined; nobody has measured a link to it before it was there for a while. */
  joinedMs = Number.NEGATIVE_INFINITY;
  /** Times that the node could not leave within the time that a real core gives it. */
  overdueLeaves = 0;
  readonly #deps: AgentDeps;
  readonly #settings: AgentSettings;
  #table: AgentTable;
  /** Counts sessions; messages of an earlier one are lost. 0: there is none. */
  #session = 0;
  #sessions = 0;
  /** Nothing of the core has been applied since the session began. */
  #catchingUp = true;
  /** It said goodbye. */
  #isLeaving = false;
  /** When the delta came that is not applied yet; Infinity: there is none. */
  #waitingSinceMs = Number.POSITIVE_INFINITY;

  constructor(node: number, deps: AgentDeps, settings: AgentSettings) {
    this.node = node;
    this.#deps = deps;
    this.#settings = settings;
    this.#table = agentTable(deps.forwarding.size);
  }

  /** Index by which the core knows the node. */
  get index(): number {
    return this.node + 1;
  }

  get isConnected(): boolean {
    return this.#session !== 0;
  }

  /**
   * The core cannot tell it anything at present, so it forwards by what it was told last: without a session, or one so
   * new or so slow that the core's last word is not in place. Steering promises to leave it on a path that works, but
   * not that its packets meet a single generation while that path is changed (docs/steering.md).
   */
  get isCutOff(): boolean {
    const { clock, core } = this.#deps;
    if (this.#session === 0 || clock.monoMs() > this.#waitingSinceMs + SLOW_MS) return true;
    const state = this.#catchingUp ? core.engine.tableState(this.index) : undefined;
    return state !== undefined && state.acknowledged !== state.wanted;
  }

  /** A new node: it knows nothing, and everybody hears of it. */
  join(): void {
    const { index } = this;
    this.isThere = true;
    this.#isLeaving = false;
    this.joinedMs = this.#deps.clock.monoMs();
    this.#table = agentTable(this.#deps.forwarding.size);
    this.#deps.forwarding.setMember(this.node, true);
    this.#toCore((engine, nowMs) =>
      engine.upsertNode({ index, name: `n${index}`, transit: this.#settings.transit }, nowMs),
    );
    this.connect();
    for (const peer of this.#deps.peers()) {
      const delayMs = FIRST_REPORT_MS + PROBE_INTERVAL_MS * this.#deps.random();
      this.#deps.clock.after(delayMs, () => this.#deps.agent(peer)?.report(this.node));
    }
  }

  /** Opens a session with the tables that the node has. */
  connect(): void {
    const session = ++this.#sessions;
    this.#session = session;
    this.#catchingUp = true;
    this.#waitingSinceMs = Number.POSITIVE_INFINITY;
    const { generation, checksum } = this.#table;
    this.#toCore((engine, nowMs) => engine.nodeConnected(this.index, generation, checksum, nowMs));
    // a goodbye ends with the session that it was said in
    if (this.#isLeaving) this.#sayGoodbye();
    this.#deps.clock.after(FIRST_REPORT_MS, () => this.#reportAll(session));
  }

  /** The session ends: the core hears of it at once, or only when heartbeats stay away. */
  disconnect(silently: boolean): void {
    if (this.#session === 0) return;
    const ended = this.#session;
    this.#session = 0;
    const delayMs = silently ? SILENCE_MS : this.#settings.toCoreMs;
    this.#deps.clock.after(delayMs, () => {
      // a new session has taken its place
      if (this.#sessions !== ended) return;
      this.#deps.core.event((engine, nowMs) => engine.nodeDisconnected(this.index, nowMs));
    });
  }

  /** Says goodbye, goes when no path leads through the node any more, and is forgotten. */
  leave(): void {
    const { clock } = this.#deps;
    const saidMs = clock.monoMs();
    this.#isLeaving = true;
    this.#sayGoodbye();
    const poll = () => {
      if (this.#deps.core.engine.isTransit(this.index, clock.monoMs()) && clock.monoMs() < saidMs + LEAVE_PATIENCE_MS) {
        clock.after(LEAVE_POLL_MS, poll);
      } else {
        if (clock.monoMs() > saidMs + LEAVE_OVERDUE_MS) this.overdueLeaves++;
        this.#go();
      }
    };
    clock.after(this.#settings.toCoreMs + LEAVE_POLL_MS, poll);
  }

  #sayGoodbye(): void {
    this.#toCore((engine, nowMs) => engine.nodeLeaving(this.index, nowMs));
  }

  /** A delta that the core sent just now. */
  send(delta: RouteDelta): void {
    const session = this.#session;
    const { clock, random, log } = this.#deps;
    const busyMs = random() < BUSY_SHARE ? BUSY_MS * random() : 0;
    const applyMs = APPLY_MS + APPLY_SPREAD_MS * random() + busyMs;
    this.#waitingSinceMs = clock.monoMs();
    const isLost = random() < this.#settings.lostAckShare;
    clock.after(this.#settings.toCoreMs + applyMs, () => {
      if (session === 0 || session !== this.#session) return;
      this.#waitingSinceMs = Number.POSITIVE_INFINITY;
      const applied = this.#table.apply(delta);
      if (!applied.ok) {
        this.#toCore((engine, nowMs) => engine.tableRequested(this.index, nowMs));
        return;
      }
      log.add(clock.monoMs(), `applied ${this.index} ${delta.generation}`);
      const faults = this.#deps.forwarding.apply(this.node, delta);
      this.#catchingUp = false;
      this.#deps.onApplied(delta);
      for (const fault of faults) this.#deps.onFault(fault);
      const { checksum } = this.#table;
      if (isLost) {
        this.disconnect(true);
        clock.after(SILENCE_MS * (0.5 + random()), () => {
          if (this.#session === 0 && this.isThere && this.#deps.underlay.hasPower(this.node)) this.connect();
        });
        return;
      }
      this.#toCore((engine, nowMs) => engine.tableAcked(this.index, delta.generation, checksum, null, nowMs));
    });
  }

  /** Reports one link at once: its probes noticed a change. */
  report(peer: number): void {
    if (this.#session === 0 || this.#deps.agent(peer)?.isThere !== true || !this.#deps.hasSession(peer)) return;
    const link = this.#observe(peer);
    if (link !== null) this.#toCore((engine, nowMs) => engine.linksReported(this.index, [link], nowMs));
  }

  #reportAll(session: number): void {
    if (session !== this.#session) return;
    const links: LinkObservation[] = [];
    for (const peer of this.#deps.peers()) {
      const link = this.#observe(peer);
      if (link !== null) links.push(link);
    }
    this.#toCore((engine, nowMs) => engine.linksReported(this.index, links, nowMs));
    this.#deps.clock.after(this.#settings.reportIntervalMs, () => this.#reportAll(session));
  }

  #observe(peer: number): LinkObservation | null {
    const sinceMs = this.#deps.agent(peer)?.joinedMs ?? 0;
    if (this.#deps.clock.monoMs() < sinceMs + FIRST_REPORT_MS) return null;
    const sight = this.#deps.underlay.see(this.node, peer, this.#deps.random, this.#deps.clock.monoMs());
    if (sight === null) return null;
    const { isUp, rttUs, lossInPpm, lossOutPpm } = sight;
    const measured = isUp ? { rttUs, minRttUs: rttUs, jitterUs: 100 } : { rttUs: null, minRttUs: null, jitterUs: null };
    return {
      peerIndex: peer + 1,
      health: isUp ? 'up' : 'down',
      ...measured,
      lossOutPpm: isUp ? lossOutPpm : 1_000_000,
      lossInPpm: isUp ? lossInPpm : 1_000_000,
      handshakeAgeS: 10,
    };
  }

  #go(): void {
    if (!this.isThere) return;
    this.#session = 0;
    this.#sessions++;
    this.isThere = false;
    const { core, forwarding } = this.#deps;
    core.event((engine, nowMs) => {
      engine.nodeDisconnected(this.index, nowMs);
      engine.removeNode(this.index, nowMs);
    });
    forwarding.setMember(this.node, false);
    forwarding.clear(this.node);
    for (const fault of forwarding.checkAll()) this.#deps.onFault(fault);
  }

  /** Brings something to the core, unless the session is another one when it is sent. */
  #toCore(tell: (engine: SteeringEngine, nowMs: number) => void): void {
    const session = this.#session;
    this.#deps.clock.after(this.#settings.toCoreMs, () => {
      if (session !== 0 && session !== this.#session) return;
      this.#deps.core.event(tell);
    });
  }
}
