/** Keeps the sessions of leaves as planned (leaf-sessions.ts): which leaf is looked at when, and what must not be closed yet. */
import { type LeafPlan, LeafRoom, releaseLeaf } from '../session-plan/leaf-plan.ts';
import type { LeafBook } from './leaf-book.ts';
import { type LeafMember, rttOf } from './leaf-member.ts';
import { EXPLORE_MS, planLeafSessions, UNREACHED_US } from './leaf-sessions.ts';

export class LeafSessionKeeper {
  readonly #book: LeafBook;
  readonly #room = new LeafRoom();
  readonly #plans = new Map<number, LeafPlan>();
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(book: LeafBook) {
    this.#book = book;
  }

  /** When `plan` has something to do. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The leaf is looked at next. */
  wake(leaf: LeafMember, nowMs: number): void {
    leaf.planDueMs = nowMs;
    this.#dueMs = nowMs;
  }

  /** Other transit nodes than before. */
  wakeAll(nowMs: number): void {
    for (const leaf of this.#book.leaves.values()) this.wake(leaf, nowMs);
  }

  remove(leaf: number): void {
    const plan = this.#plans.get(leaf);
    if (plan !== undefined) releaseLeaf(leaf, plan, this.#room);
    this.#plans.delete(leaf);
  }

  /** Looks at the leaves whose time has come. */
  plan(nowMs: number): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    const open = [...this.#book.mesh.nodes.values()].filter((node) => this.#book.capacityOf(node.index) > 0);
    const present = open.filter((node) => node.table.connected);
    // a core that has just started hears nobody yet
    const transit = (present.length > 0 ? present : open).map((node) => node.index);
    const isOffered = new Set(transit);
    for (const leaf of this.#book.leaves.values()) {
      if (!leaf.everConnected) continue;
      if (leaf.planDueMs <= nowMs) {
        // one that the core does not hear at present stays good for those that hear it
        const heard = [...leaf.links.keys()].filter(
          (index) =>
            !isOffered.has(index) && this.#book.capacityOf(index) > 0 && this.#book.costUs(leaf, index) !== null,
        );
        this.#planLeaf(leaf, [...transit, ...heard], nowMs);
      }
      this.#dueMs = Math.min(this.#dueMs, leaf.planDueMs);
    }
  }

  #planLeaf(leaf: LeafMember, transit: readonly number[], nowMs: number): void {
    const { mesh } = this.#book;
    const { plan, sessions, nextMs, explores } = planLeafSessions({
      leaf: leaf.index,
      transit,
      knownRttUs: leaf.knownRttUs,
      rttUs: (a, b) => mesh.links.get(a, b)?.rttUs ?? null,
      before: this.#plans.get(leaf.index) ?? null,
      held: [...leaf.links.keys()].filter((index) => this.#mustStay(leaf, index)),
      room: this.#room,
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
    leaf.planDueMs = nowMs + nextMs;
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
