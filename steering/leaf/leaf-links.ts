/**
 * The measured links of a million leaves in typed arrays: for each leaf up to LINKS sessions with transit nodes, each
 * with what both ends say it costs and the cost that counts. 56 bytes a leaf; O(LINKS) for a report.
 *
 *   leaf (node index) * LINKS + k:   transit   slot of the transit node, NO_TRANSIT: no session
 *                                    ends      cost by the leaf's word and by the transit node's: 0 unmeasured, DOWN
 *                                    cost      merged and damped: 0 not usable yet, DOWN, else microseconds
 *
 * The ends are merged as link-state/ does for transit pairs: down if one end says down, the mean of both, the larger
 * where they disagree wildly. A change within the dead band is noise.
 */
import { NO_HOME } from '../aggregation/prefix-trie.ts';

/** Sessions of a leaf: the 2 to 4 transit nodes of the session plan. */
export const LINKS = 4;
export const NO_TRANSIT = NO_HOME;
/** Cost of a link that is down. Costs that count are below. */
export const DOWN = 0xffff_ffff;

/** Reports that were not believed, and disagreements that began. */
export interface LeafLinkCounters {
  /** By a node, or about a node, that is not known. */
  unknownNode: number;
  /** About a pair that has no session. */
  noSession: number;
  /** Not a whole number of microseconds from 1 to MAX_BELIEVED_COST_US. */
  absurdCost: number;
  /** Links whose two ends began to differ by more than 25 % and 2 ms. */
  endsDisagree: number;
}

/** A cost holds loss and jitter beside an RTT of at most 60 s: beyond ten minutes it is a fault of who says it. */
export const MAX_BELIEVED_COST_US = 600_000_000;

export interface LeafLinkOptions {
  /** Changes of less than both are noise, as in link-state/link-filter.ts. */
  readonly deadBandUs: number;
  readonly deadBandRatio: number;
}

export const DEFAULT_LEAF_LINK_OPTIONS: LeafLinkOptions = { deadBandUs: 300, deadBandRatio: 0.03 };

/** Who reports. */
export type LinkEndName = 'leaf' | 'transit';

export class LeafLinks {
  readonly counters: LeafLinkCounters = { unknownNode: 0, noSession: 0, absurdCost: 0, endsDisagree: 0 };
  /** By leaf * LINKS + k. Read-only for others. */
  readonly transit: Uint16Array;
  readonly cost: Uint32Array;
  readonly #leafWord: Uint32Array;
  readonly #transitWord: Uint32Array;
  readonly #options: LeafLinkOptions;

  /** Room for leaves with node indices below `capacity`. */
  constructor(capacity: number, options: LeafLinkOptions = DEFAULT_LEAF_LINK_OPTIONS) {
    this.transit = new Uint16Array(capacity * LINKS).fill(NO_TRANSIT);
    this.cost = new Uint32Array(capacity * LINKS);
    this.#leafWord = new Uint32Array(capacity * LINKS);
    this.#transitWord = new Uint32Array(capacity * LINKS);
    this.#options = options;
  }

  /** Place of the session, or -1. */
  find(leaf: number, transit: number): number {
    const from = leaf * LINKS;
    for (let at = from; at < from + LINKS; at++) if (this.transit[at] === transit) return at;
    return -1;
  }

  /** Opens a session, unmeasured. False: the leaf has it already, or LINKS others. */
  open(leaf: number, transit: number): boolean {
    if (transit === NO_TRANSIT || this.find(leaf, transit) >= 0) return false;
    const at = this.find(leaf, NO_TRANSIT);
    if (at < 0) return false;
    this.#set(at, transit);
    return true;
  }

  /** Ends a session and forgets what was measured on it. False: there was none. */
  close(leaf: number, transit: number): boolean {
    const at = transit === NO_TRANSIT ? -1 : this.find(leaf, transit);
    if (at < 0) return false;
    this.#set(at, NO_TRANSIT);
    return true;
  }

  /** Ends all sessions of a leaf. */
  closeAll(leaf: number): void {
    for (let at = leaf * LINKS; at < (leaf + 1) * LINKS; at++) this.#set(at, NO_TRANSIT);
  }

  /**
   * Takes one end's word: the cost in whole microseconds (link-state/link-cost.ts), or null for a dead link. True when
   * the cost that counts changed; what is not believed is counted and changes nothing.
   */
  report(leaf: number, transit: number, end: LinkEndName, costUs: number | null): boolean {
    const at = transit === NO_TRANSIT ? -1 : this.find(leaf, transit);
    if (at < 0) return this.#refuse('noSession');
    if (costUs !== null && !(Number.isInteger(costUs) && costUs >= 1 && costUs <= MAX_BELIEVED_COST_US)) {
      return this.#refuse('absurdCost');
    }
    const disagreed = disagree(this.#leafWord[at] ?? 0, this.#transitWord[at] ?? 0);
    (end === 'leaf' ? this.#leafWord : this.#transitWord)[at] = costUs ?? DOWN;
    const [a, b] = [this.#leafWord[at] ?? 0, this.#transitWord[at] ?? 0];
    if (disagree(a, b) && !disagreed) this.counters.endsDisagree++;
    const now = merged(a, b);
    const before = this.cost[at] ?? 0;
    if (now === before) return false;
    if (now !== DOWN && before !== DOWN && before !== 0) {
      const { deadBandUs, deadBandRatio } = this.#options;
      if (Math.abs(now - before) <= Math.max(deadBandUs, deadBandRatio * before)) return false;
    }
    this.cost[at] = now;
    return true;
  }

  /** Takes one end's word back, as when it cannot say otherwise any more. True when the cost that counts changed. */
  forget(leaf: number, transit: number, end: LinkEndName): boolean {
    const at = transit === NO_TRANSIT ? -1 : this.find(leaf, transit);
    if (at < 0) return false;
    (end === 'leaf' ? this.#leafWord : this.#transitWord)[at] = 0;
    const now = merged(this.#leafWord[at] ?? 0, this.#transitWord[at] ?? 0);
    // what one of two words said lately stands until the other says more
    if (now === this.cost[at] || (now === 0 && this.cost[at] !== DOWN)) return false;
    this.cost[at] = now;
    return true;
  }

  #set(at: number, transit: number): void {
    this.transit[at] = transit;
    this.cost[at] = 0;
    this.#leafWord[at] = 0;
    this.#transitWord[at] = 0;
  }

  #refuse(reason: 'noSession' | 'absurdCost'): false {
    this.counters[reason]++;
    return false;
  }
}

function disagree(a: number, b: number): boolean {
  if (a === 0 || b === 0 || a === DOWN || b === DOWN) return false;
  return Math.abs(a - b) > Math.max(2_000, 0.25 * Math.max(a, b));
}

function merged(a: number, b: number): number {
  if (a === DOWN || b === DOWN) return DOWN;
  if (a === 0 || b === 0) return a + b;
  return disagree(a, b) ? Math.max(a, b) : Math.round((a + b) / 2);
}
