/** The path of each ordered pair, since when and why, and a bounded log of the changes. */
import type { PathChange, PathChangeReason } from '../../protocol/api.ts';

/** What a pair uses now. */
export interface PathRecord {
  /** Stable indices from source to destination; empty: unreachable. */
  readonly path: readonly number[];
  readonly sinceMs: number;
  readonly sinceUnixMs: number;
  readonly reason: PathChangeReason;
}

export interface PathChangeLogOptions {
  /** Changes kept: a day of one change every nine seconds. */
  readonly capacity: number;
}

export class PathChangeLog {
  readonly #records = new Map<number, Map<number, PathRecord>>();
  readonly #capacity: number;
  /** The change with number n at n modulo the capacity. */
  readonly #changes: PathChange[] = [];
  #seq = 0;

  constructor(options: PathChangeLogOptions) {
    this.#capacity = options.capacity;
  }

  get(from: number, to: number): PathRecord | undefined {
    return this.#records.get(to)?.get(from);
  }

  set(from: number, to: number, record: PathRecord): void {
    const towards = this.#records.get(to) ?? new Map<number, PathRecord>();
    this.#records.set(to, towards.set(from, record));
  }

  append(change: Omit<PathChange, 'seq'>): PathChange {
    const numbered = { seq: ++this.#seq, ...change };
    this.#changes[numbered.seq % this.#capacity] = numbered;
    return numbered;
  }

  /** Drops the paths from and to a node that is gone. The log keeps them. */
  removeNode(index: number): void {
    this.#records.delete(index);
    for (const towards of this.#records.values()) towards.delete(index);
  }

  get #kept(): number {
    return Math.min(this.#seq, this.#capacity);
  }

  /** Changes with a higher number than `seq`, oldest first. */
  after(seq: number): PathChange[] {
    const changes: PathChange[] = [];
    const oldest = this.#seq - this.#kept + 1;
    for (let n = Math.max(seq + 1, oldest); n <= this.#seq; n++) {
      const change = this.#changes[n % this.#capacity];
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** The newest changes of one pair, newest first. */
  recent(from: string, to: string, limit: number): PathChange[] {
    const changes: PathChange[] = [];
    for (let n = this.#seq; n > this.#seq - this.#kept && changes.length < limit; n--) {
      const change = this.#changes[n % this.#capacity];
      if (change?.from === from && change.to === to) changes.push(change);
    }
    return changes;
  }
}

export function samePath(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((index, i) => index === b[i]);
}
