/**
 * Which sessions are in force, and how each of them comes to its end. A plan is what is wanted; the ledger gets there
 * without a packet lost:
 *
 *    open                                                   [outdated]   until what replaces it is measured
 *     |   plan has it                plan has it no more        |
 *   planned ----------------------------------------------> leaving      packets move to other ways
 *     ^  ^                                                      | no row points at it
 *     |  +------------------------ plan has it ------------- draining    packets on their way arrive
 *   exploring --- round over ---> closed <----------------------+ DRAIN_MS
 *
 * A session that rows still point at is never closed. Pure: time comes in. Until `begin` every pair holds a session.
 */
import { type NodePair, type PairRole, pairKey } from '../link-state/link-roles.ts';
import type { LinkRole } from '../steering-engine-port.ts';

export interface Session extends NodePair {
  readonly role: LinkRole;
  readonly openedMs: number;
  /** When it was last reported up; NaN: never. */
  readonly measuredMs: number;
}

type Entry = { -readonly [K in keyof Session]: Session[K] } & { outdated: boolean; sinceMs: number };

/** What changed for agents and for the engine. `roles` null: every pair holds a session. */
export interface LedgerChanges {
  readonly roles: readonly PairRole[] | null;
  readonly opened: readonly NodePair[];
  readonly closed: readonly NodePair[];
}

/** A new session needs 2 to 8 s to stand (agent/first-word.ts) and some probes; after this nobody waits for it. */
const REPLACED_WITHIN_MS = 20_000;
/** Longer than a packet lives on the way, and than the two ends' kernels take to apply the rows before. */
const DRAIN_MS = 2_000;
/** Whether rows still point at a session is looked at this often while one is to end. */
export const LEDGER_TICK_MS = 500;

export class SessionLedger {
  #limited = false;
  readonly #sessions = new Map<number, Entry>();
  readonly #byNode = new Map<number, Map<number, Entry>>();
  /** Outdated, leaving or draining. */
  readonly #ending = new Set<Entry>();
  readonly #changed = new Map<number, NodePair>();
  readonly #opened = new Map<number, NodePair>();
  readonly #closed = new Map<number, NodePair>();
  #modeChanged = false;

  /** Every pair of nodes holds a session. */
  get everyPair(): boolean {
    return !this.#limited;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** True while `tick` has something to look at. */
  get isEnding(): boolean {
    return this.#ending.size > 0;
  }

  get(a: number, b: number): Session | undefined {
    return this.#sessions.get(pairKey(a, b));
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Nodes that the node holds a session with, in no order; meaningless while every pair does. */
  peersOf(node: number): Iterable<number> {
    return this.#byNode.get(node)?.keys() ?? [];
  }

  countOf(role: LinkRole): number {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.role === role) count++;
    return count;
  }

  /** From now on only some pairs hold sessions; at first those that are given. */
  begin(sessions: Iterable<Session>): void {
    this.#limited = true;
    this.#modeChanged = true;
    for (const session of sessions) this.#insert({ ...session, outdated: false, sinceMs: Number.NaN });
  }

  /** Every pair of `nodes` holds a session again. */
  end(nodes: readonly number[]): void {
    for (const [i, low] of nodes.entries()) {
      for (const high of nodes.slice(i + 1)) if (!this.#sessions.has(pairKey(low, high))) this.#note(low, high, true);
    }
    this.#limited = false;
    this.#modeChanged = true;
    this.#sessions.clear();
    this.#byNode.clear();
    this.#ending.clear();
  }

  /**
   * Takes a plan. `explore` null: what is being explored goes on. `keeps`: planned sessions that stay although the plan
   * has them not.
   */
  adopt(
    links: readonly NodePair[],
    explore: readonly NodePair[] | null,
    keeps: (session: Session) => boolean,
    nowMs: number,
  ): void {
    const wanted = new Set(links.map(({ low, high }) => pairKey(low, high)));
    const explored = explore === null ? null : new Set(explore.map(({ low, high }) => pairKey(low, high)));
    for (const [key, entry] of [...this.#sessions]) {
      if (wanted.has(key)) this.#plan(entry);
      else if (entry.role === 'exploring' && explored !== null && !explored.has(key)) this.#close(entry);
      else if (entry.role === 'planned') {
        entry.outdated = !keeps(entry);
        if (entry.outdated) this.#ending.add(entry);
        else this.#ending.delete(entry);
      }
    }
    for (const pair of links) this.#open(pair, 'planned', nowMs);
    for (const pair of explore ?? []) this.#open(pair, 'exploring', nowMs);
  }

  /** Lets sessions that are to end go on as far as they may. */
  tick(nowMs: number, isInUse: (a: number, b: number) => boolean): void {
    for (const entry of [...this.#ending]) {
      if (entry.role === 'planned') {
        if (!this.#isAwaited(entry.low, nowMs) && !this.#isAwaited(entry.high, nowMs)) this.#turn(entry, 'leaving');
        continue;
      }
      if (isInUse(entry.low, entry.high)) {
        // with no other way left the engine takes it again
        if (entry.role === 'draining') this.#turn(entry, 'leaving');
      } else if (entry.role === 'leaving') {
        this.#turn(entry, 'draining');
        entry.sinceMs = nowMs;
      } else if (nowMs >= entry.sinceMs + DRAIN_MS) {
        this.#close(entry);
      }
    }
  }

  /** The pair was reported up. True when it was for the first time. */
  measured(a: number, b: number, nowMs: number): boolean {
    const entry = this.#sessions.get(pairKey(a, b));
    if (entry === undefined) return false;
    const first = Number.isNaN(entry.measuredMs);
    entry.measuredMs = nowMs;
    return first;
  }

  removeNode(node: number): void {
    for (const entry of [...(this.#byNode.get(node)?.values() ?? [])]) this.#close(entry);
    this.#byNode.delete(node);
  }

  /** What changed since the call before; undefined: nothing. */
  takeChanges(): LedgerChanges | undefined {
    if (!this.#modeChanged && this.#changed.size === 0) return undefined;
    const source = this.#modeChanged ? this.#sessions : this.#changed;
    const roles = [...source.values()].map(({ low, high }) => ({
      low,
      high,
      role: this.get(low, high)?.role ?? 'none',
    }));
    const changes = {
      roles: this.#limited ? roles.map((pair): PairRole => ({ ...pair, role: pair.role as LinkRole })) : null,
      opened: [...this.#opened.values()],
      closed: [...this.#closed.values()],
    };
    this.#modeChanged = false;
    for (const map of [this.#changed, this.#opened, this.#closed]) map.clear();
    return changes;
  }

  /** A session of the node that replaces others is not measured yet, and may be soon. */
  #isAwaited(node: number, nowMs: number): boolean {
    for (const { role, outdated, measuredMs, openedMs } of this.#byNode.get(node)?.values() ?? []) {
      if (role !== 'planned' || outdated || !Number.isNaN(measuredMs)) continue;
      if (nowMs < openedMs + REPLACED_WITHIN_MS) return true;
    }
    return false;
  }

  #open({ low, high }: NodePair, role: LinkRole, nowMs: number): void {
    if (this.#sessions.has(pairKey(low, high))) return;
    this.#insert({ low, high, role, openedMs: nowMs, measuredMs: Number.NaN, outdated: false, sinceMs: Number.NaN });
    this.#changed.set(pairKey(low, high), { low, high });
    this.#note(low, high, true);
  }

  #insert(entry: Entry): void {
    this.#sessions.set(pairKey(entry.low, entry.high), entry);
    for (const [node, peer] of [
      [entry.low, entry.high],
      [entry.high, entry.low],
    ] as const) {
      const peers = this.#byNode.get(node) ?? new Map<number, Entry>();
      this.#byNode.set(node, peers.set(peer, entry));
    }
    if (entry.role === 'leaving' || entry.role === 'draining') this.#ending.add(entry);
  }

  #plan(entry: Entry): void {
    entry.outdated = false;
    this.#ending.delete(entry);
    if (entry.role !== 'planned') this.#turn(entry, 'planned');
  }

  #turn(entry: Entry, role: LinkRole): void {
    entry.role = role;
    this.#changed.set(pairKey(entry.low, entry.high), entry);
  }

  #close(entry: Entry): void {
    const { low, high } = entry;
    this.#sessions.delete(pairKey(low, high));
    this.#byNode.get(low)?.delete(high);
    this.#byNode.get(high)?.delete(low);
    this.#ending.delete(entry);
    this.#changed.set(pairKey(low, high), { low, high });
    this.#note(low, high, false);
  }

  #note(low: number, high: number, opened: boolean): void {
    const key = pairKey(low, high);
    const [to, from] = opened ? [this.#opened, this.#closed] : [this.#closed, this.#opened];
    // a session that ends and begins between two looks is told to agents as it is at the end
    from.delete(key);
    to.set(key, { low, high });
  }
}
