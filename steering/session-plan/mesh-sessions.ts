/**
 * The sessions of a mesh over time: all pairs while it is small, a plan when it is not. Takes nodes, reports and demand;
 * says when a plan is due and what goes into it; carries plans out through the ledger. Pure: time comes in, plans are made
 * elsewhere.
 *
 *   round:  exploring (until all explored pairs are measured, at most roundMs) -> plan -> exploring | resting -> plan ...
 *
 * Rests double while rounds find nothing, and end when a node joins or comes back.
 */
import { type NodePair, pairKey } from '../link-state/link-roles.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import { FailedPairs } from './failed-pairs.ts';
import { KnownLinks } from './known-links.ts';
import { type PlanAnswer, type PlanRequest, packPairs } from './plan-request.ts';
import { PlanRounds } from './plan-rounds.ts';
import { LEDGER_TICK_MS, type LedgerChanges, type Session, SessionLedger } from './session-ledger.ts';

export interface MeshSessionOptions {
  /** Most planned sessions of a transit node. Meshes in which nobody would have more peers are left alone. */
  readonly maxPeers: number;
  /** Most pairs that a node explores at a time; 0: none. */
  readonly explorePeers: number;
  /** Longest time that explored pairs get. */
  readonly roundMs: number;
  /** Longest rest between rounds that find nothing. */
  readonly restMs: number;
}

/** All pairs again at this share of the limit, so that a mesh at the limit does not turn back and forth. */
const BACK_TO_ALL = 0.8;
/** A node without a session for so long is not planned for; what it holds stays, since nobody can tell it otherwise. */
const AWAY_MS = 600_000;
/** Nodes come back and say what they send to whom, before a plan could take that for nothing. */
const AFTER_RESTART_MS = 30_000;

interface MeshNode {
  transit: boolean;
  online: boolean;
  /** Since when it is online, or not. */
  sinceMs: number;
  demands: readonly { readonly peerIndex: number; readonly bytesPerSecond: number }[];
}

export class MeshSessions {
  readonly ledger = new SessionLedger();
  readonly known = new KnownLinks();
  explored = 0;
  beyondBound = 0;
  readonly #options: MeshSessionOptions;
  readonly #rounds: PlanRounds;
  readonly #failed = new FailedPairs();
  readonly #nodes = new Map<number, MeshNode>();
  /** Pairs of the present round that were not measured yet. */
  readonly #unmeasured = new Set<number>();
  #round: readonly NodePair[] = [];
  #tickAtMs = Number.POSITIVE_INFINITY;

  constructor(options: MeshSessionOptions) {
    this.#options = options;
    this.#rounds = new PlanRounds(options);
  }

  /** Some pairs hold no session. */
  get isLimited(): boolean {
    return !this.ledger.everyPair;
  }

  /** True when the two hold a session. */
  arePeers(a: number, b: number): boolean {
    return a !== b && (this.ledger.everyPair || this.ledger.get(a, b) !== undefined);
  }

  /** Nodes with which the node holds a session. */
  peersOf(node: number): number[] {
    const peers = this.ledger.everyPair ? [...this.#nodes.keys()].filter((n) => n !== node) : this.ledger.peersOf(node);
    return [...peers].sort((a, b) => a - b);
  }

  // ---- events

  /** Takes back what an earlier core had. Before any other event. */
  restore(sessions: readonly Session[], nowMs: number): void {
    this.ledger.begin(sessions);
    this.#rounds.begin(nowMs + AFTER_RESTART_MS);
  }

  upsertNode(index: number, transit: boolean, online: boolean, nowMs: number): void {
    const node = this.#nodes.get(index);
    const changed = node === undefined || node.transit !== transit || node.online !== online;
    if (!changed) return;
    const others = [...this.#nodes.keys()];
    const sinceMs = node?.online === online ? node.sinceMs : nowMs;
    this.#nodes.set(index, { transit, online, sinceMs, demands: node?.demands ?? [] });
    if (this.ledger.everyPair && this.#nodes.size > this.#options.maxPeers + 1) {
      this.ledger.begin(this.#everyPair(others, nowMs));
      this.#rounds.begin(nowMs);
    } else if (node?.transit !== transit || (online && !node.online)) {
      this.#rounds.wake(nowMs);
    }
  }

  removeNode(index: number, nowMs: number): void {
    if (!this.#nodes.delete(index)) return;
    this.known.removeNode(index);
    this.#failed.removeNode(index);
    if (this.ledger.everyPair) return;
    this.ledger.removeNode(index);
    if (this.#nodes.size <= Math.floor(BACK_TO_ALL * this.#options.maxPeers)) {
      this.ledger.end([...this.#nodes.keys()].sort((a, b) => a - b));
      this.#rounds.stop();
    } else {
      this.#rounds.wake(nowMs);
    }
  }

  reported(from: number, links: readonly LinkObservation[], nowMs: number): void {
    for (const { peerIndex, health, rttUs } of links) {
      if (health !== 'up' || rttUs === null || !this.arePeers(from, peerIndex)) continue;
      if (!this.#nodes.has(from) || !this.#nodes.has(peerIndex)) continue;
      if (!this.known.observe(from, peerIndex, rttUs, nowMs) || this.ledger.everyPair) continue;
      this.ledger.measured(from, peerIndex, nowMs);
      this.#failed.works(from, peerIndex);
      if (this.#unmeasured.delete(pairKey(from, peerIndex)) && this.#unmeasured.size === 0)
        this.#rounds.measured(nowMs);
    }
  }

  demanded(from: number, demands: MeshNode['demands']): void {
    const node = this.#nodes.get(from);
    if (node !== undefined) node.demands = demands;
  }

  // ---- work

  /** When `request` or `tick` has something to do. */
  get dueMs(): number {
    return Math.min(this.#rounds.dueMs, this.#tickAtMs);
  }

  /** What to make a plan of, when one is due; answered by `take` or `failed`. */
  request(nowMs: number): PlanRequest | undefined {
    if (this.ledger.everyPair || nowMs < this.#rounds.dueMs) return undefined;
    this.#rounds.started();
    this.known.expire(nowMs);
    this.#judge(nowMs);
    const present = [...this.#nodes].filter(([, node]) => this.#isPresent(node, nowMs)).sort(([a], [b]) => a - b);
    return {
      transit: present.flatMap(([index, { transit }]) => (transit ? [index] : [])),
      leaves: present.flatMap(([index, { transit }]) => (transit ? [] : [index])),
      known: this.known.pack(),
      planned: packPairs([...this.ledger.all()].filter(({ role }) => role === 'planned')),
      blocked: packPairs(this.#failed.blocked(nowMs)),
      demands: present.flatMap(([from, { demands }]) =>
        demands.map(({ peerIndex: to, bytesPerSecond }) => ({ from, to, bytesPerSecond })),
      ),
      round: this.#rounds.count,
    };
  }

  take({ links, explore, beyondBound, tookMs }: PlanAnswer, nowMs: number): void {
    if (this.ledger.everyPair) {
      this.#rounds.stop();
      return;
    }
    const isThere = ({ low, high }: NodePair) => this.#nodes.has(low) && this.#nodes.has(high);
    const planned = links.filter(isThere);
    const keys = new Set(planned.map(({ low, high }) => pairKey(low, high)));
    const found = this.#round.filter(({ low, high }) => keys.has(pairKey(low, high))).length;
    const wanted = explore.filter((pair) => isThere(pair) && this.#areOnline(pair));
    const next = this.#rounds.planned(found, wanted.length, this.#nodes.size, tookMs, nowMs);
    const exploring = next === 'rest' ? [] : next === 'explore' ? wanted : null;
    this.ledger.adopt(planned, exploring, this.#kept(nowMs), nowMs);
    this.beyondBound = beyondBound;
    this.#tickAtMs = this.ledger.isEnding ? nowMs : Number.POSITIVE_INFINITY;
    if (exploring === null) return;
    this.#round = exploring;
    this.explored += exploring.length;
    this.#unmeasured.clear();
    for (const { low, high } of exploring) this.#unmeasured.add(pairKey(low, high));
  }

  /** The plan could not be made: it is tried again. */
  failed(nowMs: number): void {
    this.#rounds.failed(nowMs);
  }

  /** Lets sessions end that nobody uses any more. */
  tick(nowMs: number, isInUse: (a: number, b: number) => boolean): void {
    if (nowMs < this.#tickAtMs) return;
    this.ledger.tick(nowMs, isInUse);
    this.#tickAtMs = this.ledger.isEnding ? nowMs + LEDGER_TICK_MS : Number.POSITIVE_INFINITY;
  }

  takeChanges(): LedgerChanges | undefined {
    return this.ledger.takeChanges();
  }

  /** Notes which sessions do not work; the pair is not planned again for a while. */
  #judge(nowMs: number): void {
    for (const session of this.ledger.all()) {
      const [low, high] = [this.#nodes.get(session.low), this.#nodes.get(session.high)];
      if (low?.online !== true || high?.online !== true) continue;
      const sinceMs = Math.max(session.openedMs, low.sinceMs, high.sinceMs);
      this.#failed.judge(session, sinceMs, nowMs);
    }
  }

  /** Sessions that stay although the plan has them not: of a node that is away, and such as worked and may again. */
  #kept(nowMs: number): (session: Session) => boolean {
    const counts = new Map<number, number>();
    const kept = new Set<number>();
    const isAway = (index: number) => {
      const node = this.#nodes.get(index);
      return node !== undefined && !this.#isPresent(node, nowMs);
    };
    const candidates = [...this.ledger.all()]
      .filter(({ role }) => role === 'planned')
      .filter(({ low, high, measuredMs }) => {
        return isAway(low) || isAway(high) || (this.#failed.isBlocked(low, high, nowMs) && !Number.isNaN(measuredMs));
      })
      .sort((x, y) => (y.measuredMs || 0) - (x.measuredMs || 0) || x.low - y.low || x.high - y.high);
    for (const { low, high } of candidates) {
      const [l, h] = [counts.get(low) ?? 0, counts.get(high) ?? 0];
      if (l >= this.#options.maxPeers || h >= this.#options.maxPeers) continue;
      counts.set(low, l + 1).set(high, h + 1);
      kept.add(pairKey(low, high));
    }
    return ({ low, high }) => kept.has(pairKey(low, high));
  }

  #isPresent({ online, sinceMs }: MeshNode, nowMs: number): boolean {
    return online || nowMs < sinceMs + AWAY_MS;
  }

  #areOnline({ low, high }: NodePair): boolean {
    return this.#nodes.get(low)?.online === true && this.#nodes.get(high)?.online === true;
  }

  #everyPair(nodes: readonly number[], nowMs: number): Session[] {
    return nodes.flatMap((a, i) =>
      nodes.slice(i + 1).map((b): Session => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const measuredMs = this.known.has(low, high) ? nowMs : Number.NaN;
        return { low, high, role: 'planned', openedMs: nowMs, measuredMs };
      }),
    );
  }
}
