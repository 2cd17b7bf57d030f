/**
 * The graph that SPF runs on: compressed sparse row in typed arrays in shared memory, edited in place. Nodes are
 * numbered densely ("slots", reused after removal); their stable indices are kept beside. Arcs are directed and kept
 * in both directions, since tables are computed per destination. Edits are grouped into batches by `commit`; a journal
 * tells what a batch changed.
 */
import { ThalwegError } from '../../protocol/error.ts';
import { ArcSegments } from './arc-segments.ts';
import { type ArcTable, checkIndex, checkTable, checkWeight, MAX_NODES } from './arc-table.ts';
import { EditJournal, type GraphEdits } from './edit-journal.ts';
import { type GraphDescription, type GraphView, HEADER } from './graph-view.ts';
import { grownInt32, grownUint8, sharedInt32, sharedUint8 } from './slot-array.ts';
import { WeightClasses } from './weight-classes.ts';

export class CsrGraph implements GraphView {
  /** Arcs leaving a slot, and entering it. Read-only for others; the arrays may be replaced by an edit. */
  readonly out = new ArcSegments();
  readonly into = new ArcSegments();
  readonly #slots = new Map<number, number>();
  readonly #weights = new WeightClasses();
  readonly #journal = new EditJournal();
  readonly #header = sharedInt32(HEADER.words);
  #free: number[] = [];
  /** Slots freed in this batch: they are reused after it, so that a batch is about one node per slot. */
  #freed: number[] = [];
  #index = sharedInt32(0);
  #transit = sharedUint8(0);
  #used = 0;
  #version = 0;
  #arcs = 0;
  #transitCount = 0;
  #edited = false;

  /**
   * A graph of version 1 with all of a table: its slots, and its arcs without those from a slot to itself and with the
   * lightest of those between the same two slots, neither of which can be on a shortest path. Throws as checkTable.
   */
  static fromTable(table: ArcTable): CsrGraph {
    return CsrGraph.load(table).graph;
  }

  /** The same, and how many arcs were left out. */
  static load(table: ArcTable): { graph: CsrGraph; selfLoops: number; duplicates: number } {
    checkTable(table);
    const graph = new CsrGraph();
    const slots = table.index.length;
    graph.#index = sharedInt32(slots);
    graph.#index.set(table.index);
    graph.#transit = sharedUint8(slots);
    graph.#transit.set(table.transit);
    graph.#used = slots;
    for (let slot = 0; slot < slots; slot++) {
      graph.#transitCount += table.transit[slot] ?? 0;
      graph.#slots.set(table.index[slot] ?? 0, slot);
    }
    const { from, to, weight } = table;
    const dropped = graph.out.load(slots, table.transit, { tail: from, head: to, weight });
    const kept = graph.out.columns(slots);
    graph.into.load(slots, table.transit, { tail: kept.head, head: kept.tail, weight: kept.weight });
    graph.#arcs = kept.weight.length;
    for (let i = 0; i < graph.#arcs; i++) graph.#weights.add(kept.weight[i] ?? 1);
    graph.#journal.lose();
    graph.#edited = true;
    graph.commit();
    return { graph, ...dropped };
  }

  /** Slots ever used: arrays by slot need this length. */
  get slotCount(): number {
    return this.#used;
  }

  get nodeCount(): number {
    return this.#slots.size;
  }

  get transitCount(): number {
    return this.#transitCount;
  }

  get arcCount(): number {
    return this.#arcs;
  }

  get version(): number {
    return this.#version;
  }

  get weightFloor(): number {
    return this.#weights.floor;
  }

  get weightCeiling(): number {
    return this.#weights.ceiling;
  }

  get index(): Int32Array {
    return this.#index;
  }

  get transit(): Uint8Array {
    return this.#transit;
  }

  /** Ends a batch of edits. True when it changed something. */
  commit(): boolean {
    if (!this.#edited) return false;
    this.#edited = false;
    this.#version++;
    this.#journal.close(this.#version);
    this.#free = this.#free.concat(this.#freed);
    this.#freed = [];
    const header = this.#header;
    header[HEADER.slotCount] = this.#used;
    header[HEADER.nodeCount] = this.#slots.size;
    header[HEADER.transitCount] = this.#transitCount;
    header[HEADER.version] = this.#version;
    header[HEADER.layout] = this.#layout;
    header[HEADER.weightFloor] = this.weightFloor;
    header[HEADER.weightCeiling] = this.weightCeiling;
    return true;
  }

  /**
   * What changed from `version` to the last commit; null when that is no longer known (a graph loaded at once, or more
   * edits than the journal keeps): compute afresh. Throws inside a batch, since arcs and journal would disagree.
   */
  editsSince(version: number): GraphEdits | null {
    if (this.#edited) throw new ThalwegError('internal', 'the graph has edits that were not committed');
    return this.#journal.since(version, this.#version);
  }

  /** What a worker thread needs to attach (see graph-view.ts). Take it after `commit`. */
  describe(): GraphDescription {
    return {
      layout: this.#layout,
      header: this.#header,
      index: this.#index,
      transit: this.#transit,
      out: listsOf(this.out),
      into: listsOf(this.into),
    };
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

  /** Adds the node, or returns its slot. The index is a whole number from 1 to 2^31 - 1. */
  addNode(index: number, transit: boolean): number {
    const known = this.#slots.get(index);
    if (known !== undefined) return known;
    checkIndex(index);
    if (this.#free.length === 0 && this.#used === MAX_NODES) {
      throw new ThalwegError('invalid_argument', `a graph holds at most ${MAX_NODES} nodes`);
    }
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.#index.length) {
      const capacity = Math.max(16, this.#index.length * 2);
      this.#index = grownInt32(this.#index, capacity);
      this.#transit = grownUint8(this.#transit, capacity);
      this.out.grow(capacity);
      this.into.grow(capacity);
    }
    this.#slots.set(index, slot);
    this.#index[slot] = index;
    this.#journal.index(slot, 0, index);
    this.#edited = true;
    if (transit) this.setTransit(slot, true);
    return slot;
  }

  removeNode(index: number): void {
    const slot = this.#slots.get(index);
    if (slot === undefined) return;
    this.#dropArcs(slot);
    this.setTransit(slot, false);
    this.#slots.delete(index);
    this.#index[slot] = 0;
    this.#freed.push(slot);
    this.#journal.index(slot, index, 0);
    this.#edited = true;
  }

  /** O(arcs of the node x arcs of its neighbours) when the bit changes. */
  setTransit(slot: number, transit: boolean): void {
    this.#checkSlot(slot);
    const bit = transit ? 1 : 0;
    if (this.#transit[slot] === bit) return;
    this.#transit[slot] = bit;
    this.#transitCount += bit === 1 ? 1 : -1;
    for (const [mine, theirs] of [
      [this.out, this.into],
      [this.into, this.out],
    ] as const) {
      const from = mine.start[slot] ?? 0;
      const to = from + (mine.length[slot] ?? 0);
      for (let k = from; k < to; k++) {
        const peer = mine.neighbour[k] ?? 0;
        theirs.reclassify(peer, theirs.find(peer, slot), transit);
      }
    }
    this.#journal.transit(slot, 1 - bit, bit);
    this.#edited = true;
  }

  /** Weight of the arc in microseconds; Infinity: there is none. */
  weight(from: number, to: number): number {
    const k = this.#find(from, to);
    if (k < 0) return Number.POSITIVE_INFINITY;
    return (this.#searchesOut(from, to) ? this.out.weight[k] : this.into.weight[k]) ?? 0;
  }

  /**
   * Adds the arc or changes its weight: a whole number of microseconds, 1 to 2^31 - 1. Throws `invalid_argument` on
   * another weight, on a slot that holds no node and on an arc from a slot to itself; nothing is changed then.
   */
  setArc(from: number, to: number, weight: number): void {
    this.#checkSlot(from);
    this.#checkSlot(to);
    checkWeight(weight);
    if (from === to) {
      throw new ThalwegError('invalid_argument', `arc from slot ${from} to itself`, { fields: { from, to } });
    }
    if (this.#find(from, to) < 0) {
      this.out.insert(from, to, weight, this.isTransit(to));
      this.into.insert(to, from, weight, this.isTransit(from));
      this.#journal.arc(from, to, 0, weight);
      this.#arcs++;
    } else {
      const before = this.weight(from, to);
      if (before === weight) return;
      this.out.setWeight(from, this.out.find(from, to), weight);
      this.into.setWeight(to, this.into.find(to, from), weight);
      this.#weights.remove(before);
      this.#journal.arc(from, to, before, weight);
    }
    this.#weights.add(weight);
    this.#edited = true;
  }

  removeArc(from: number, to: number): void {
    if (this.#find(from, to) < 0) return;
    const k = this.out.find(from, to);
    const before = this.out.weight[k] ?? 0;
    this.out.removeAt(from, k);
    this.into.removeAt(to, this.into.find(to, from));
    this.#forgetArc(from, to, before);
  }

  get #layout(): number {
    // every replacement of an array is counted by one of them: #index and #transit grow together with the lists
    return this.out.layout + this.into.layout;
  }

  /** An arc stands in two lists: the shorter one is searched, since a hub may have very many leaves. */
  #searchesOut(from: number, to: number): boolean {
    return (this.out.length[from] ?? 0) <= (this.into.length[to] ?? 0);
  }

  #find(from: number, to: number): number {
    return this.#searchesOut(from, to) ? this.out.find(from, to) : this.into.find(to, from);
  }

  #dropArcs(slot: number): void {
    for (const [mine, theirs, leaving] of [
      [this.out, this.into, true],
      [this.into, this.out, false],
    ] as const) {
      const start = mine.start[slot] ?? 0;
      const end = start + (mine.length[slot] ?? 0);
      for (let k = start; k < end; k++) {
        const peer = mine.neighbour[k] ?? 0;
        theirs.removeAt(peer, theirs.find(peer, slot));
        this.#forgetArc(leaving ? slot : peer, leaving ? peer : slot, mine.weight[k] ?? 0);
      }
      mine.clear(slot);
    }
  }

  #forgetArc(from: number, to: number, before: number): void {
    this.#weights.remove(before);
    this.#journal.arc(from, to, before, 0);
    this.#arcs--;
    this.#edited = true;
  }

  #checkSlot(slot: number): void {
    if (this.indexOf(slot) !== 0) return;
    throw new ThalwegError('invalid_argument', `slot ${slot} holds no node`, {
      nextStep: 'add the node first',
      fields: { slot },
    });
  }
}

function listsOf({ start, length, transitLength, neighbour, weight }: ArcSegments): GraphDescription['out'] {
  return { start, length, transitLength, neighbour, weight };
}
