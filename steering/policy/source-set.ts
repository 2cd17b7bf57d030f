/** The nodes that a selector names, as senders: members, their sum, and what changed lately. Shared by all destinations. */
import { memberHash, type SetChange } from '../../protocol/node-policy.ts';
import type { Selector } from './selector.ts';

/** Changes that are kept: a node that is told of them every few tens of ms is never further behind than a burst of joins. */
const LOG_LENGTH = 4096;

export class SourceSet {
  readonly id: bigint;
  readonly selector: Selector;
  readonly #members = new Set<number>();
  /** Index and whether it came, oldest first; the last one made `#version`. */
  readonly #log: (readonly [index: number, isMember: boolean])[] = [];
  #version = 0;
  #sum = 0n;

  constructor(id: bigint, selector: Selector) {
    this.id = id;
    this.selector = selector;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Rises by one with each change. */
  get version(): number {
    return this.#version;
  }

  /** `memberSum` of the members. */
  get sum(): bigint {
    return this.#sum;
  }

  has(index: number): boolean {
    return this.#members.has(index);
  }

  /** True when that changed the set. */
  put(index: number, isMember: boolean): boolean {
    if (this.#members.has(index) === isMember) return false;
    if (isMember) this.#members.add(index);
    else this.#members.delete(index);
    this.#sum = BigInt.asUintN(64, this.#sum + (isMember ? memberHash(index) : -memberHash(index)));
    this.#version++;
    this.#log.push([index, isMember]);
    if (this.#log.length > 2 * LOG_LENGTH) this.#log.splice(0, LOG_LENGTH);
    return true;
  }

  /** What turns the set of that version into this one; null: nothing. Undefined version: all of it. */
  since(version: number | undefined): SetChange | null {
    if (version === this.#version) return null;
    const missed = version === undefined ? Number.POSITIVE_INFINITY : this.#version - version;
    if (missed > this.#log.length || missed >= this.#members.size) {
      return { id: this.id, reset: true, add: sorted(this.#members), remove: [] };
    }
    const last = new Map(this.#log.slice(this.#log.length - missed));
    const of = (wanted: boolean) => sorted([...last].filter(([, isMember]) => isMember === wanted).map(([i]) => i));
    return { id: this.id, reset: false, add: of(true), remove: of(false) };
  }
}

function sorted(indexes: Iterable<number>): number[] {
  return [...indexes].sort((a, b) => a - b);
}
