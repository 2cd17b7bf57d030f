/**
 * The measured pairs of a set of nodes, by slot (the place of the node in the sorted list), as one compressed sparse row
 * table: each node's measured peers in the order of their slots. A pair that is outside of the set is left out.
 */
export interface MeasuredPair {
  readonly low: number;
  readonly high: number;
  readonly rttUs: number;
}

export class LinkTable {
  readonly nodes: readonly number[];
  readonly start: Int32Array;
  readonly peer: Int32Array;
  readonly rtt: Float64Array;
  readonly #slots = new Map<number, number>();

  /** `nodes`: stable indices, sorted, each once. A pair that comes twice counts as it came last. */
  constructor(nodes: readonly number[], pairs: readonly MeasuredPair[]) {
    this.nodes = nodes;
    for (const [slot, node] of nodes.entries()) this.#slots.set(node, slot);
    const inside = new Map<number, number>();
    const n = nodes.length;
    for (const { low, high, rttUs } of pairs) {
      const [a, b] = [this.#slots.get(low), this.#slots.get(high)];
      if (a === undefined || b === undefined || a === b) continue;
      inside.set(a * n + b, rttUs);
      inside.set(b * n + a, rttUs);
    }
    const keys = Float64Array.from(inside.keys()).sort();
    this.start = new Int32Array(n + 1);
    this.peer = new Int32Array(keys.length);
    this.rtt = new Float64Array(keys.length);
    for (const [k, key] of keys.entries()) {
      const from = Math.floor(key / n);
      this.start[from + 1] = k + 1;
      this.peer[k] = key - from * n;
      this.rtt[k] = inside.get(key) ?? Number.NaN;
    }
    for (let v = 0; v < n; v++) if ((this.start[v + 1] ?? 0) === 0) this.start[v + 1] = this.start[v] ?? 0;
  }

  get nodeCount(): number {
    return this.nodes.length;
  }

  nodeOf(slot: number): number {
    return this.nodes[slot] ?? 0;
  }

  slotOf(node: number): number | undefined {
    return this.#slots.get(node);
  }

  /** Measured peers of a slot. */
  countOf(slot: number): number {
    return (this.start[slot + 1] ?? 0) - (this.start[slot] ?? 0);
  }

  /** NaN: not measured. */
  rttUs(a: number, b: number): number {
    let [low, high] = [this.start[a] ?? 0, (this.start[a + 1] ?? 0) - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const peer = this.peer[middle] ?? 0;
      if (peer === b) return this.rtt[middle] ?? Number.NaN;
      if (peer < b) low = middle + 1;
      else high = middle - 1;
    }
    return Number.NaN;
  }

  /** The nearest measured peers of a slot, nearest first. */
  nearest(slot: number, count: number): Int32Array {
    const [from, to] = [this.start[slot] ?? 0, this.start[slot + 1] ?? 0];
    const places = Array.from({ length: to - from }, (_, i) => from + i);
    places.sort((i, j) => (this.rtt[i] ?? 0) - (this.rtt[j] ?? 0) || i - j);
    return Int32Array.from(places.slice(0, count), (i) => this.peer[i] ?? 0);
  }
}
