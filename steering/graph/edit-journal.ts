/**
 * What the last batches of edits changed, for algorithms that keep a result current instead of computing it afresh.
 * Bounded: what is older than the last 65,536 edits is forgotten, and who asks for it is told so.
 */

/** An arc whose weight is another one now. 0 stands for "no such arc". */
export interface ArcEdit {
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly after: number;
}

/** A slot whose transit bit, or stable index, is another one now. An index of 0: the slot is free. */
export interface SlotEdit {
  readonly slot: number;
  readonly before: number;
  readonly after: number;
}

/** The difference between two versions of a graph. What was changed and changed back is not in it. */
export interface GraphEdits {
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly arcs: readonly ArcEdit[];
  readonly transit: readonly SlotEdit[];
  /** Nodes added, removed, or removed with their slot given to another. The arcs that came and went are in `arcs`. */
  readonly renumbered: readonly SlotEdit[];
}

/** In the place of `to`: the record is of a slot. */
const TRANSIT = -1;
const INDEX = -2;
const WORDS = 4;
/** A megabyte. A batch of more edits than this is cheaper to answer with a fresh run. */
const MOST_RECORDS = 65_536;
/** Slots are below it: see CsrGraph. */
const KEY_RADIX = 2 ** 24;

export class EditJournal {
  /** Records of four words: from, to, before, after. */
  #log = new Int32Array(64 * WORDS);
  #end = 0;
  /** Where the records of each version that is still kept begin. */
  #batches: { version: number; start: number }[] = [];
  #start = 0;
  #oldest = 0;
  #lost = false;

  arc(from: number, to: number, before: number, after: number): void {
    this.#record(from, to, before, after);
  }

  transit(slot: number, before: number, after: number): void {
    this.#record(slot, TRANSIT, before, after);
  }

  index(slot: number, before: number, after: number): void {
    this.#record(slot, INDEX, before, after);
  }

  /** The batch that is being recorded changes too much to be written down. */
  lose(): void {
    this.#lost = true;
  }

  /** Ends the batch that led to `version`. */
  close(version: number): void {
    if (this.#lost) {
      this.#lost = false;
      this.#batches = [];
      this.#end = 0;
      this.#oldest = version;
    } else {
      this.#batches.push({ version, start: this.#start });
    }
    this.#start = this.#end;
  }

  /** What changed from `version` to `current`; null when that is no longer known. */
  since(version: number, current: number): GraphEdits | null {
    if (version < this.#oldest || version > current) return null;
    const first = this.#batches.find((batch) => batch.version > version);
    const changes = new Map<number, { from: number; to: number; before: number; after: number }>();
    for (let at = first?.start ?? this.#start; at < this.#start; at += WORDS) {
      const [from = 0, to = 0, before = 0, after = 0] = this.#log.subarray(at, at + WORDS);
      const key = from * KEY_RADIX * 2 + (to < 0 ? KEY_RADIX - to : to);
      const known = changes.get(key);
      if (known === undefined) changes.set(key, { from, to, before, after });
      else known.after = after;
    }
    const real = [...changes.values()].filter((change) => change.before !== change.after);
    const ofSlots = (kind: number): SlotEdit[] =>
      real.filter(({ to }) => to === kind).map(({ from, before, after }) => ({ slot: from, before, after }));
    return {
      fromVersion: version,
      toVersion: current,
      arcs: real.filter(({ to }) => to >= 0),
      transit: ofSlots(TRANSIT),
      renumbered: ofSlots(INDEX),
    };
  }

  #record(from: number, to: number, before: number, after: number): void {
    if (this.#lost) return;
    if (this.#end === MOST_RECORDS * WORDS && !this.#forget()) return;
    if (this.#end === this.#log.length) {
      const longer = new Int32Array(this.#log.length * 2);
      longer.set(this.#log);
      this.#log = longer;
    }
    this.#log[this.#end] = from;
    this.#log[this.#end + 1] = to;
    this.#log[this.#end + 2] = before;
    this.#log[this.#end + 3] = after;
    this.#end += WORDS;
  }

  /** Drops the older half of the batches. False when the batch being recorded is too long by itself. */
  #forget(): boolean {
    if (this.#start === 0) {
      this.#lost = true;
      return false;
    }
    const kept = this.#batches.filter((batch) => batch.start >= this.#end / 2);
    const dropped = this.#batches[this.#batches.length - kept.length - 1];
    const start = kept[0]?.start ?? this.#start;
    this.#log.copyWithin(0, start, this.#end);
    this.#batches = kept.map((batch) => ({ version: batch.version, start: batch.start - start }));
    this.#oldest = dropped?.version ?? this.#oldest;
    this.#start -= start;
    this.#end -= start;
    return true;
  }
}
