/**
 * Where each leaf hangs: its home, and how it moves. What must move moves at once; what wins is held first, and moves
 * when it has won without a break. Time comes in as `nowMs`; changed leaves are taken out in the order of their numbers.
 *
 *   hold    holdMs, urgentHoldMs when the new way costs less than half, recoverHoldMs back to the home it left last;
 *           stretched for each leaf by up to a half, by hash: leaves that learn of a better relay in the same second
 *           do not arrive in the same second
 *   admit   a transit node takes at most admitShare of its capacity each second of leaves that could stay where they are
 */
import { type AttachmentOptions, chooseAttachment, DEFAULT_ATTACHMENT_OPTIONS, hashOf } from './attachment.ts';
import { type LeafLinks, NO_TRANSIT } from './leaf-links.ts';

export interface LeafHomeOptions {
  readonly attachment: AttachmentOptions;
  /** As rib/incumbency.ts: longer than a burst of reports, shorter than a user's patience. */
  readonly holdMs: number;
  readonly urgentHoldMs: number;
  /** As link-state/link-filter.ts: longer than a flap's period. */
  readonly recoverHoldMs: number;
  /** 0.02: a relay that is new fills in about a minute, while its links and load are watched. */
  readonly admitShare: number;
}

export const DEFAULT_LEAF_HOME_OPTIONS: LeafHomeOptions = {
  attachment: DEFAULT_ATTACHMENT_OPTIONS,
  holdMs: 1_000,
  urgentHoldMs: 300,
  recoverHoldMs: 8_000,
  admitShare: 0.02,
};

/** Resolution of hold times. */
const TICK_MS = 10;
/** How long a leaf waits that was not admitted. */
const ADMIT_RETRY_MS = 250;

export class LeafHomes {
  /** Home of each leaf by node index, NO_TRANSIT: none. Read-only for others. */
  readonly home: Uint16Array;
  /** By slot of the transit node. */
  readonly load = new Uint32Array(NO_TRANSIT);
  readonly capacity = new Uint32Array(NO_TRANSIT);
  /** Moves that waited because a transit node admits no more. */
  waited = 0;
  readonly #links: LeafLinks;
  readonly #options: LeafHomeOptions;
  readonly #left: Uint16Array;
  /** When the home began to lose, in milliseconds; 0: it does not. */
  readonly #losingSinceMs: Float64Array;
  /** Leaves by the tick at which their hold may be over; a leaf counts at the tick that it was last given. */
  readonly #due = new Map<number, number[]>();
  readonly #dueTickOf: Float64Array;
  #dueTick = Number.POSITIVE_INFINITY;
  readonly #tokens = new Float64Array(NO_TRANSIT);
  readonly #tokensAtMs = new Float64Array(NO_TRANSIT);
  readonly #changed = new Set<number>();
  readonly #pinned = new Set<number>();

  constructor(links: LeafLinks, options: LeafHomeOptions = DEFAULT_LEAF_HOME_OPTIONS) {
    this.#links = links;
    this.#options = options;
    const capacity = links.transit.length >>> 2;
    this.home = new Uint16Array(capacity).fill(NO_TRANSIT);
    this.#left = new Uint16Array(capacity).fill(NO_TRANSIT);
    this.#losingSinceMs = new Float64Array(capacity);
    this.#dueTickOf = new Float64Array(capacity);
  }

  /** Leaves that a transit node may hold. 0: it takes none, and those it holds leave. Reviews its leaves in O(leaves). */
  setCapacity(transit: number, leaves: number, nowMs: number): void {
    const before = this.capacity[transit] ?? 0;
    this.capacity[transit] = leaves;
    if (before === 0) this.#refill(transit, nowMs);
    if (leaves >= (this.load[transit] ?? 0)) return;
    for (let leaf = 0; leaf < this.home.length; leaf++) {
      if (this.home[leaf] === transit && !this.#pinned.has(leaf)) this.review(leaf, nowMs);
    }
  }

  /** Makes this the home of a new leaf, whoever is better. */
  place(leaf: number, transit: number): void {
    this.#move(leaf, transit);
    this.#left[leaf] = NO_TRANSIT;
  }

  /** A transit node is its own home, takes no room there, and stays. */
  pin(index: number, transit: number): void {
    this.home[index] = transit;
    this.#pinned.add(index);
  }

  /** Looks at a leaf whose links or room changed. O(LINKS). */
  review(leaf: number, nowMs: number): void {
    const home = this.home[leaf] ?? NO_TRANSIT;
    const choice = chooseAttachment(this.#links, leaf, home, this, this.#options.attachment);
    if (choice.verdict === 'stay') {
      this.#losingSinceMs[leaf] = 0;
      return;
    }
    if (choice.verdict === 'mustMove') {
      this.#move(leaf, choice.transit);
      return;
    }
    // 0 means that nothing is pending
    const since = this.#losingSinceMs[leaf] || Math.max(nowMs, 1);
    this.#losingSinceMs[leaf] = since;
    const { holdMs, urgentHoldMs, recoverHoldMs } = this.#options;
    const hold =
      choice.transit === this.#left[leaf] ? recoverHoldMs : choice.choiceUs < choice.homeUs / 2 ? urgentHoldMs : holdMs;
    const dueMs = since + hold * (1 + hashOf(leaf, choice.transit) / 2);
    if (nowMs < dueMs) this.#wakeAt(leaf, dueMs);
    else if (this.#admits(choice.transit, nowMs)) this.#move(leaf, choice.transit);
    else {
      this.waited++;
      this.#wakeAt(leaf, nowMs + ADMIT_RETRY_MS * (1 + hashOf(leaf, choice.transit)));
    }
  }

  /** The home that it left last was a stopgap: going back to it is a move like any other. */
  forgiveLast(leaf: number): void {
    this.#left[leaf] = NO_TRANSIT;
  }

  /** The leaf is gone. */
  remove(leaf: number): void {
    if (this.home[leaf] !== NO_TRANSIT) this.#move(leaf, NO_TRANSIT);
    this.#left[leaf] = NO_TRANSIT;
  }

  /** Reviews the leaves whose holds are over. */
  tick(nowMs: number): void {
    while (this.#dueTick * TICK_MS <= nowMs) {
      const tick = this.#dueTick;
      const leaves = this.#due.get(tick) ?? [];
      this.#due.delete(tick);
      this.#dueTick = this.#nextTick();
      for (const leaf of leaves) {
        if (this.#dueTickOf[leaf] !== tick) continue;
        this.#dueTickOf[leaf] = 0;
        if (this.#losingSinceMs[leaf] !== 0) this.review(leaf, nowMs);
      }
    }
  }

  get dueMs(): number {
    return this.#dueTick * TICK_MS;
  }

  /** Leaves whose home changed since the last call, in ascending order. */
  takeChanged(): number[] {
    const changed = [...this.#changed].sort((a, b) => a - b);
    this.#changed.clear();
    return changed;
  }

  #move(leaf: number, transit: number): void {
    const home = this.home[leaf] ?? NO_TRANSIT;
    this.#losingSinceMs[leaf] = 0;
    if (home === transit) return;
    if (home !== NO_TRANSIT) {
      this.load[home] = (this.load[home] ?? 0) - 1;
      this.#left[leaf] = home;
    }
    if (transit !== NO_TRANSIT) this.load[transit] = (this.load[transit] ?? 0) + 1;
    this.home[leaf] = transit;
    this.#changed.add(leaf);
  }

  #wakeAt(leaf: number, dueMs: number): void {
    const tick = Math.ceil(dueMs / TICK_MS);
    if (this.#dueTickOf[leaf] === tick) return;
    this.#dueTickOf[leaf] = tick;
    const leaves = this.#due.get(tick);
    if (leaves === undefined) this.#due.set(tick, [leaf]);
    else leaves.push(leaf);
    this.#dueTick = Math.min(this.#dueTick, tick);
  }

  #nextTick(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const tick of this.#due.keys()) least = Math.min(least, tick);
    return least;
  }

  #admits(transit: number, nowMs: number): boolean {
    const tokens = this.#refill(transit, nowMs);
    if (tokens < 1) return false;
    this.#tokens[transit] = tokens - 1;
    return true;
  }

  /** Tokens at a rate of admitShare of the capacity each second, at least one; as many can be saved up. */
  #refill(transit: number, nowMs: number): number {
    const rate = Math.max(1, this.#options.admitShare * (this.capacity[transit] ?? 0));
    const since = this.#tokensAtMs[transit] ?? 0;
    const tokens = since === 0 ? rate : Math.min(rate, (this.#tokens[transit] ?? 0) + (rate * (nowMs - since)) / 1_000);
    this.#tokens[transit] = tokens;
    this.#tokensAtMs[transit] = Math.max(nowMs, 1);
    return tokens;
  }
}
