/**
 * The graph that SPF runs on: compressed sparse row in typed arrays, edited in place. Nodes are numbered densely
 * ("slots", reused after removal); their stable indices are kept beside. Arcs are directed and kept in both
 * directions, since tables are computed per destination.
 */
import { ArcSegments, grown } from './arc-segments.ts';

export class CsrGraph {
  /** Arcs leaving a slot, and entering it. Read-only for others; the arrays may be replaced by an edit. */
  readonly out = new ArcSegments();
  readonly into = new ArcSegments();
  readonly #slots = new Map<number, number>();
  readonly #free: number[] = [];
  #index = new Int32Array(0);
  #transit = new Int32Array(0);
  #used = 0;
  #version = 0;
  #edited = false;

  /** Slots ever used: arrays by slot need this length. */
  get slotCount(): number {
    return this.#used;
  }

  get nodeCount(): number {
    return this.#slots.size;
  }

  /** Rises by one with each batch that changed something. */
  get version(): number {
    return this.#version;
  }

  /** Ends a batch of edits. True when it changed something. */
  commit(): boolean {
    const edited = this.#edited;
    if (edited) this.#version++;
    this.#edited = false;
    return edited;
  }

  slotOf(index: number): number | undefined {
    return this.#slots.get(index);
  }

  /** Stable index by slot; 0 where the slot is free. */
  indexOf(slot: number): number {
    return this.#index[slot] ?? 0;
  }

  isTransit(slot: number): boolean {
    return this.#transit[slot] === 1;
  }

  slots(): IterableIterator<number> {
    return this.#slots.values();
  }

  /** Adds the node, or returns its slot. */
  addNode(index: number, transit: boolean): number {
    const known = this.#slots.get(index);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.#index.length) {
      const capacity = Math.max(16, this.#index.length * 2);
      this.#index = grown(this.#index, capacity);
      this.#transit = grown(this.#transit, capacity);
      this.out.grow(capacity);
      this.into.grow(capacity);
    }
    this.#slots.set(index, slot);
    this.#index[slot] = index;
    this.#transit[slot] = transit ? 1 : 0;
    this.#edited = true;
    return slot;
  }

  removeNode(index: number): void {
    const slot = this.#slots.get(index);
    if (slot === undefined) return;
    for (const [mine, theirs] of [
      [this.out, this.into],
      [this.into, this.out],
    ] as const) {
      const from = mine.start[slot] ?? 0;
      const to = from + (mine.length[slot] ?? 0);
      for (let k = from; k < to; k++) {
        const peer = mine.neighbour[k] ?? 0;
        theirs.removeAt(peer, theirs.find(peer, slot));
      }
      mine.length[slot] = 0;
    }
    this.#slots.delete(index);
    this.#index[slot] = 0;
    this.#transit[slot] = 0;
    this.#free.push(slot);
    this.#edited = true;
  }

  setTransit(slot: number, transit: boolean): void {
    const bit = transit ? 1 : 0;
    if (this.#transit[slot] === bit) return;
    this.#transit[slot] = bit;
    this.#edited = true;
  }

  /** Weight of the arc in microseconds; Infinity: there is none. */
  weight(from: number, to: number): number {
    const k = this.out.find(from, to);
    return k < 0 ? Number.POSITIVE_INFINITY : (this.out.weight[k] ?? 0);
  }

  /** Adds the arc or changes its weight: a whole number of microseconds, 1 to 2^31 - 1. */
  setArc(from: number, to: number, weight: number): void {
    const k = this.out.find(from, to);
    if (k < 0) {
      this.out.append(from, to, weight);
      this.into.append(to, from, weight);
    } else {
      if (this.out.weight[k] === weight) return;
      this.out.weight[k] = weight;
      this.into.weight[this.into.find(to, from)] = weight;
    }
    this.#edited = true;
  }

  removeArc(from: number, to: number): void {
    const k = this.out.find(from, to);
    if (k < 0) return;
    this.out.removeAt(from, k);
    this.into.removeAt(to, this.into.find(to, from));
    this.#edited = true;
  }
}
