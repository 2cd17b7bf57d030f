/** Keeps the sessions of leaves as planned (leaf-sessions.ts): which leaf is looked at when, and what must not be closed yet. */
import { DelayHeap } from '../session-plan/delay-heap.ts';
import { type LeafPlan, LeafRoom, releaseLeaf } from '../session-plan/leaf-plan.ts';
import type { LeafBook } from './leaf-book.ts';
import { type LeafMember, rttOf } from './leaf-member.ts';
import { EXPLORE_MS, planLeafSessions, UNREACHED_US } from './leaf-sessions.ts';

/**
 * Rounds of trying out a transit node that begin in the whole mesh, a second. Each is about two milliseconds of the core:
 * a session, reports, a table and an answer; so at most a tenth of its time goes there when ten thousand join at once, and a
 * mesh of a thousand leaves still tries all it wants. Leaves take turns.
 */
const ROUNDS_PER_S = 50;
const ROUND_MS = 1000 / ROUNDS_PER_S;
/** Leaves that are looked at in one step, at 0.1 ms each, and the pause before the next ones. */
const LOOKS_PER_STEP = 250;
const LOOK_REST_MS = 50;

export class LeafSessionKeeper {
  readonly #book: LeafBook;
  readonly #room = new LeafRoom();
  readonly #plans = new Map<number, LeafPlan>();
  /** Leaves by when they are looked at; one counts if that is still its `planDueMs`. */
  readonly #due = new DelayHeap();
  /** No look before, because the last step had enough to do. */
  #restUntilMs = Number.NEGATIVE_INFINITY;
  /** When the next round of a leaf that asks now may begin. */
  #nextRoundMs = Number.NEGATIVE_INFINITY;

  constructor(book: LeafBook) {
    this.#book = book;
  }

  /** When `plan` has something to do. */
  get dueMs(): number {
    return this.#due.size === 0 ? Number.POSITIVE_INFINITY : Math.max(this.#due.leastKey, this.#restUntilMs);
  }

  /** The leaf is looked at soon. */
  wake(leaf: LeafMember, nowMs: number): void {
    this.#lookAt(leaf, nowMs);
  }

  /** Other transit nodes than before. */
  wakeAll(nowMs: number): void {
    for (const leaf of this.#book.leaves.values()) this.#lookAt(leaf, nowMs);
  }

  remove(leaf: number): void {
    const plan = this.#plans.get(leaf);
    if (plan !== undefined) releaseLeaf(leaf, plan, this.#room);
    this.#plans.delete(leaf);
  }

  /** Looks at leaves whose time has come, some at a time. */
  plan(nowMs: number): void {
    if (nowMs < this.#restUntilMs) return;
    const transit = this.#transit();
    let looks = 0;
    while (this.#due.size > 0 && this.#due.leastKey <= nowMs) {
      if (looks === LOOKS_PER_STEP) {
        this.#restUntilMs = nowMs + LOOK_REST_MS;
        return;
      }
      const dueMs = this.#due.leastKey;
      const leaf = this.#book.leaves.get(this.#due.pop());
      if (leaf === undefined || leaf.planDueMs !== dueMs || !leaf.everConnected) continue;
      this.#look(leaf, transit, nowMs);
      looks++;
    }
  }

  /** Looks at one leaf at once: it has nobody to talk to. */
  planNow(leaf: LeafMember, nowMs: number): void {
    this.#look(leaf, this.#transit(), nowMs);
  }

  #lookAt(leaf: LeafMember, dueMs: number): void {
    leaf.planDueMs = dueMs;
    this.#due.push(dueMs, leaf.index);
  }

  /** Transit nodes that take leaves, by node index. */
  #transit(): number[] {
    const open = [...this.#book.mesh.nodes.values()].filter((node) => this.#book.capacityOf(node.index) > 0);
    const present = open.filter((node) => node.table.connected);
    // a core that has just started hears nobody yet
    return (present.length > 0 ? present : open).map((node) => node.index);
  }

  #look(leaf: LeafMember, transit: readonly number[], nowMs: number): void {
    // one that the core does not hear at present stays good for those that hear it
    const heard = [...leaf.links.keys()].filter(
      (index) =>
        !transit.includes(index) && this.#book.capacityOf(index) > 0 && this.#book.costUs(leaf, index) !== null,
    );
    this.#planLeaf(leaf, [...transit, ...heard], nowMs);
  }

  /** Whether the leaf may begin a round now; if not, its turn is kept for it. */
  #mayExplore(leaf: LeafMember, nowMs: number): boolean {
    const turnMs = leaf.roundAtMs ?? Math.max(nowMs, this.#nextRoundMs);
    if (leaf.roundAtMs === null) this.#nextRoundMs = turnMs + ROUND_MS;
    // a second's rounds may begin together: a few leaves do not wait for each other
    const mayBegin = turnMs < nowMs + 1000;
    leaf.roundAtMs = mayBegin ? null : turnMs;
    return mayBegin;
  }

  #planLeaf(leaf: LeafMember, transit: readonly number[], nowMs: number): void {
    const { mesh } = this.#book;
    const { plan, sessions, nextMs, explores, measured } = planLeafSessions({
      leaf: leaf.index,
      transit,
      knownRttUs: leaf.knownRttUs,
      rttUs: (a, b) => mesh.links.get(a, b)?.rttUs ?? null,
      before: this.#plans.get(leaf.index) ?? null,
      held: [...leaf.links.keys()].filter((index) => this.#mustStay(leaf, index)),
      room: this.#room,
      mayExplore: () => this.#mayExplore(leaf, nowMs),
    });
    this.#plans.set(leaf.index, plan);
    for (const [index, words] of [...leaf.links]) {
      // a round is enough for a handshake and a window of probes
      const hadTime = nowMs >= words.openedMs + EXPLORE_MS;
      if (hadTime && rttOf(words) === null && !leaf.knownRttUs.has(index)) leaf.knownRttUs.set(index, UNREACHED_US);
      if (!sessions.includes(index)) this.#book.close(leaf.index, index, nowMs);
    }
    for (const index of sessions) this.#book.open(leaf, index, nowMs);
    // what did not answer may do so at another time
    if (!explores) for (const [index, us] of leaf.knownRttUs) if (us === UNREACHED_US) leaf.knownRttUs.delete(index);
    if (leaf.roundAtMs !== null && leaf.roundAtMs <= nowMs) leaf.roundAtMs = null;
    const turnMs = leaf.roundAtMs;
    // who waits for its turn has nothing to do before, unless it has to see whether what it tried answers
    const isTurnNext = turnMs !== null && (measured || turnMs < nowMs + nextMs);
    this.#lookAt(leaf, isTurnNext ? turnMs : nowMs + nextMs);
  }

  /** The home, and whatever rows or packets on their way may lead through. */
  #mustStay(leaf: LeafMember, transit: number): boolean {
    if (this.#book.homeOf(leaf.index) === transit) return true;
    if (leaf.rollout.phase !== 'idle' || !leaf.table.converged) return leaf.table.connected;
    return leaf.rows.some(
      (row) => row.destination !== transit && row.nextHops.some((hop) => hop.neighbour === transit),
    );
  }
}
