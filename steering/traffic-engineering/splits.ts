/** The optimiser's working state: for each destination an acyclic set of links, with shares that are real numbers. */
import type { TrafficNetwork } from './traffic-network.ts';
import type { WeightedTables } from './weighted-tables.ts';

/**
 * Group of node v towards t: slots (t * nodeCount + v) * width and on, `count` of them in use, each a link and the share
 * of v's traffic that takes it; the shares of a group sum to 1. `order` holds for each destination the nodes that reach
 * it, the destination first, each node after every member of its group: so no loop is possible.
 */
export class Splits {
  readonly nodeCount: number;
  readonly width: number;
  readonly link: Int32Array;
  readonly share: Float64Array;
  readonly count: Uint8Array;
  /** Per destination a row of nodes; the first `reached[t]` count. */
  readonly order: Int32Array;
  /** Place of each node in its destination's order; -1 where it is not reached. */
  readonly place: Int32Array;
  readonly reached: Int32Array;
  /** Groups that were changed since this was last cleared: 1. */
  readonly changed: Uint8Array;
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #forwards: Uint8Array | undefined;
  readonly #mark: Int32Array;
  readonly #moved: Int32Array;
  /** Scratch of #sort. */
  #sorting: { readonly first: Int32Array; readonly after: Int32Array } | null = null;
  #epoch = 0;

  constructor(network: TrafficNetwork, width: number) {
    const n = network.nodeCount;
    this.nodeCount = n;
    this.width = width;
    this.link = new Int32Array(n * n * width);
    this.share = new Float64Array(n * n * width);
    this.count = new Uint8Array(n * n);
    this.order = new Int32Array(n * n);
    this.place = new Int32Array(n * n).fill(-1);
    this.reached = new Int32Array(n);
    this.changed = new Uint8Array(n * n);
    this.#from = network.from;
    this.#to = network.to;
    this.#forwards = network.forwards;
    this.#mark = new Int32Array(n);
    this.#moved = new Int32Array(n);
  }

  /** Becomes what `other`, of the same network and width, is. */
  copy(other: Splits): void {
    this.link.set(other.link);
    this.share.set(other.share);
    this.count.set(other.count);
    this.order.set(other.order);
    this.place.set(other.place);
    this.reached.set(other.reached);
    this.changed.set(other.changed);
  }

  /** Makes the groups towards `t` those of a tree: `firstLink` per node, nodes in `order`, the root first. */
  plantTree(t: number, firstLink: Int32Array, order: Int32Array, reached: number): void {
    const row = t * this.nodeCount;
    this.place.fill(-1, row, row + this.nodeCount);
    this.count.fill(0, row, row + this.nodeCount);
    this.changed.fill(1, row, row + this.nodeCount);
    this.reached[t] = reached;
    for (let at = 0; at < reached; at++) {
      const v = order[at] ?? 0;
      this.order[row + at] = v;
      this.place[row + v] = at;
      if (at === 0) continue;
      this.count[row + v] = 1;
      this.link[(row + v) * this.width] = firstLink[v] ?? 0;
      this.share[(row + v) * this.width] = 1;
    }
  }

  /**
   * Takes the groups towards `t` from tables of the same network. False, and the groups are of no use until a tree is
   * planted, where a node of `order` has no group there, a group is too wide or
   * has members that are not there, or the groups form a loop.
   */
  takeTables(t: number, tables: WeightedTables, order: Int32Array, reached: number): boolean {
    const row = t * this.nodeCount;
    this.count.fill(0, row, row + this.nodeCount);
    this.changed.fill(0, row, row + this.nodeCount);
    for (let at = 1; at < reached; at++) {
      const group = row + (order[at] ?? 0);
      const start = tables.start[group] ?? 0;
      const count = (tables.start[group + 1] ?? 0) - start;
      if (count === 0 || count > this.width) return false;
      let sum = 0;
      for (let k = 0; k < count; k++) sum += tables.weight[start + k] ?? 0;
      for (let k = 0; k < count; k++) {
        const member = tables.link[start + k] ?? -1;
        const head = this.#to[member] ?? -1;
        if (this.#from[member] !== order[at] || (head !== t && this.#forwards?.[head] === 0)) return false;
        this.link[group * this.width + k] = member;
        this.share[group * this.width + k] = (tables.weight[start + k] ?? 0) / sum;
      }
      this.count[group] = count;
    }
    return this.#sort(t, order, reached);
  }

  /** Whether traffic at `from` towards `t` can come by `node`. */
  passes(t: number, from: number, node: number): boolean {
    const { place, order } = this;
    const row = t * this.nodeCount;
    const least = place[row + node] ?? 0;
    const mark = this.#mark;
    const epoch = ++this.#epoch;
    mark[from] = epoch;
    for (let at = place[row + from] ?? 0; at >= least; at--) {
      const v = order[row + at] ?? 0;
      if (mark[v] !== epoch) continue;
      if (v === node) return true;
      const slot = (row + v) * this.width;
      const end = slot + (this.count[row + v] ?? 0);
      for (let k = slot; k < end; k++) mark[this.#to[this.link[k] ?? 0] ?? 0] = epoch;
    }
    return false;
  }

  /**
   * Makes room in the order for a link from `node` to `head`: where `head` stands after it, `head` and what it leads to
   * move before it. To be called right after `passes(t, head, node)` said false, whose marks it uses.
   */
  putBefore(t: number, head: number, node: number): void {
    const { place, order } = this;
    const row = t * this.nodeCount;
    const first = place[row + node] ?? 0;
    const last = place[row + head] ?? 0;
    if (last < first) return;
    const mark = this.#mark;
    const epoch = this.#epoch;
    let write = first;
    let kept = 0;
    for (let at = first; at <= last; at++) {
      const v = order[row + at] ?? 0;
      if (mark[v] === epoch) {
        order[row + write] = v;
        place[row + v] = write++;
      } else this.#moved[kept++] = v;
    }
    for (let k = 0; k < kept; k++) {
      const v = this.#moved[k] ?? 0;
      order[row + write] = v;
      place[row + v] = write++;
    }
  }

  /** Slot of `link` in the group, or -1. */
  slotOf(group: number, link: number): number {
    const slot = group * this.width;
    const end = slot + (this.count[group] ?? 0);
    for (let k = slot; k < end; k++) if (this.link[k] === link) return k;
    return -1;
  }

  /** Appends a member without a share. The caller saw that there is room. */
  append(group: number, link: number): number {
    this.changed[group] = 1;
    const slot = group * this.width + (this.count[group] ?? 0);
    this.count[group] = (this.count[group] ?? 0) + 1;
    this.link[slot] = link;
    this.share[slot] = 0;
    return slot;
  }

  /** Takes a member out; its share must have gone elsewhere. The last member takes its slot. */
  remove(group: number, slot: number): void {
    this.changed[group] = 1;
    const count = (this.count[group] ?? 0) - 1;
    const last = group * this.width + count;
    this.link[slot] = this.link[last] ?? 0;
    this.share[slot] = this.share[last] ?? 0;
    this.count[group] = count;
  }

  /** Sorts the reached nodes so that each stands after its members (Kahn). False: there is a loop. */
  #sort(t: number, nodes: Int32Array, reached: number): boolean {
    const n = this.nodeCount;
    const row = t * n;
    const waiting = this.#moved;
    // the slots whose link leads to a node, as a list: the first of each node, and the one after each slot of the row
    this.#sorting ??= { first: new Int32Array(n), after: new Int32Array(n * this.width) };
    const { first, after } = this.#sorting;
    first.fill(-1);
    for (let at = reached - 1; at > 0; at--) {
      const v = nodes[at] ?? 0;
      const count = this.count[row + v] ?? 0;
      for (let k = v * this.width; k < v * this.width + count; k++) {
        const head = this.#to[this.link[row * this.width + k] ?? 0] ?? 0;
        after[k] = first[head] ?? -1;
        first[head] = k;
      }
      waiting[v] = count;
    }
    this.place.fill(-1, row, row + n);
    this.reached[t] = reached;
    this.order[row] = t;
    this.place[row + t] = 0;
    let sorted = 1;
    for (let at = 0; at < sorted; at++) {
      for (let k = first[this.order[row + at] ?? 0] ?? -1; k >= 0; k = after[k] ?? -1) {
        const v = Math.floor(k / this.width);
        waiting[v] = (waiting[v] ?? 0) - 1;
        if (waiting[v] !== 0) continue;
        this.order[row + sorted] = v;
        this.place[row + v] = sorted++;
      }
    }
    return sorted === reached;
  }
}
