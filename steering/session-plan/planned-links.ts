/**
 * The plan while it is made: which slots hold a session with which, under a bound that holds at both ends, and whether
 * there is a way between two slots that is short enough.
 */
import { DelayHeap } from './delay-heap.ts';

/** Places per slot beyond the bound, for sessions without which the mesh would fall apart. */
const SPARE = 4;

export class PlannedLinks {
  readonly bound: number;
  readonly degree: Int32Array;
  readonly #union: Int32Array;
  #stride: number;
  #peer: Int32Array;
  #rtt: Float64Array;
  readonly #heaps = [new DelayHeap(), new DelayHeap()] as const;
  readonly #reached: readonly [Float64Array, Float64Array];
  readonly #stamp: readonly [Int32Array, Int32Array];
  #round = 0;

  constructor(slots: number, bound: number) {
    this.bound = bound;
    this.degree = new Int32Array(slots);
    this.#union = Int32Array.from({ length: slots }, (_, v) => v);
    this.#stride = bound + SPARE;
    this.#peer = new Int32Array(slots * this.#stride);
    this.#rtt = new Float64Array(slots * this.#stride);
    this.#reached = [new Float64Array(slots), new Float64Array(slots)];
    this.#stamp = [new Int32Array(slots), new Int32Array(slots)];
  }

  isFull(slot: number): boolean {
    return (this.degree[slot] ?? 0) >= this.bound;
  }

  has(a: number, b: number): boolean {
    const from = a * this.#stride;
    for (let k = from; k < from + (this.degree[a] ?? 0); k++) if (this.#peer[k] === b) return true;
    return false;
  }

  /** Adds the pair; the caller looks at the bound. */
  add(a: number, b: number, rttUs: number): void {
    this.#append(a, b, rttUs);
    this.#append(b, a, rttUs);
    this.#union[this.componentOf(a)] = this.componentOf(b);
  }

  /** The same number for slots that are connected. */
  componentOf(slot: number): number {
    const union = this.#union;
    let root = slot;
    while ((union[root] ?? 0) !== root) {
      union[root] = union[union[root] ?? 0] ?? 0;
      root = union[root] ?? 0;
    }
    return root;
  }

  peersOf(slot: number): Int32Array {
    const from = slot * this.#stride;
    return this.#peer.subarray(from, from + (this.degree[slot] ?? 0));
  }

  /**
   * Length of some way of planned links between the two of at most `limitUs`, not always the shortest one; Infinity:
   * there is none. Dijkstra from both ends, which stops at the first way that is short enough.
   */
  wayWithin(a: number, b: number, limitUs: number): number {
    const round = ++this.#round;
    const [heapA, heapB] = this.#heaps;
    for (const [side, heap, source] of [
      [0, heapA, a],
      [1, heapB, b],
    ] as const) {
      heap.clear();
      heap.push(0, source);
      this.#reached[side][source] = 0;
      this.#stamp[side][source] = round;
    }
    while (heapA.size > 0 && heapB.size > 0 && heapA.leastKey + heapB.leastKey <= limitUs) {
      const side = heapA.size <= heapB.size ? 0 : 1;
      const found = this.#expand(side, round, limitUs);
      if (found <= limitUs) return found;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Settles one slot of a side; the length of a way that is short enough, or Infinity. */
  #expand(side: 0 | 1, round: number, limitUs: number): number {
    const heap = this.#heaps[side];
    const [mine, marks] = [this.#reached[side], this.#stamp[side]];
    const [theirs, theirMarks] = [this.#reached[1 - side], this.#stamp[1 - side]];
    const us = heap.leastKey;
    const v = heap.pop();
    if (us > (mine[v] ?? 0)) return Number.POSITIVE_INFINITY;
    const from = v * this.#stride;
    const to = from + (this.degree[v] ?? 0);
    for (let k = from; k < to; k++) {
      const through = us + (this.#rtt[k] ?? 0);
      if (through > limitUs) continue;
      const w = this.#peer[k] ?? 0;
      if (marks[w] === round && (mine[w] ?? 0) <= through) continue;
      if (theirMarks?.[w] === round && through + (theirs?.[w] ?? 0) <= limitUs) return through + (theirs?.[w] ?? 0);
      marks[w] = round;
      mine[w] = through;
      heap.push(through, w);
    }
    return Number.POSITIVE_INFINITY;
  }

  #append(slot: number, peer: number, rttUs: number): void {
    const degree = this.degree[slot] ?? 0;
    if (degree === this.#stride) this.#widen();
    this.#peer[slot * this.#stride + degree] = peer;
    this.#rtt[slot * this.#stride + degree] = rttUs;
    this.degree[slot] = degree + 1;
  }

  #widen(): void {
    const [old, wide] = [this.#stride, this.#stride * 2];
    const [peer, rtt] = [new Int32Array(this.degree.length * wide), new Float64Array(this.degree.length * wide)];
    for (let v = 0; v < this.degree.length; v++) {
      peer.set(this.#peer.subarray(v * old, (v + 1) * old), v * wide);
      rtt.set(this.#rtt.subarray(v * old, (v + 1) * old), v * wide);
    }
    [this.#stride, this.#peer, this.#rtt] = [wide, peer, rtt];
  }
}
