/**
 * The tables of the transit nodes, as streams of changes. For every address a transit node X forwards to the next hop of
 * the path to the home of whoever holds the address. In X's table that is
 *
 *   block -> next hop towards its owner         aggregated (aggregation/), nothing for X's own blocks
 *   leaf/0 -> next hop towards its home         a leaf that moved, if the home's next hop is not the owner's
 *   leaf/0 -> leaf                              each leaf that hangs off X
 *
 * so it grows with transit nodes, moved leaves and X's own leaves. Kept are the next hops that every X was told (two
 * bytes for each pair of transit nodes), the aggregated entries and the home that each leaf is told to have: the rows
 * of moved and own leaves follow from those, before and after a change alike, and are made while they are sent.
 */
import type { BlockTables, EntryChange } from '../aggregation/block-tables.ts';
import { NO_LABEL } from '../aggregation/ortc.ts';
import { NO_HOME } from '../aggregation/prefix-trie.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import { MovedLeaves } from '../leaf/moved-leaves.ts';
import type { HomeBlocks } from '../registry/home-blocks.ts';
import type { PathTable } from '../spf/path-table.ts';
import type { DeltaSink, DeltaStream } from './delta-stream.ts';
import { NO_NEXT_HOP } from './delta-writer.ts';
import type { EntryList } from './entry-list.ts';

/** The paths to all transit nodes, kept current; `table` is another one after it grew. */
export interface TransitTrees {
  readonly table: PathTable;
}

/** What the tables are made from; `graph` holds transit nodes alone. */
export interface TransitTableDeps {
  readonly graph: CsrGraph;
  readonly trees: TransitTrees;
  readonly blocks: HomeBlocks;
  readonly blockTables: BlockTables;
  readonly stream: DeltaStream;
}

export class TransitTables {
  readonly #deps: TransitTableDeps;
  #stride = 0;
  /** Next hop (slot) at X towards r, as X was told: X * stride + r. */
  #told = new Uint16Array(0);
  /** Home of each leaf as the tables say, by node index. */
  readonly #toldHome: Uint16Array;
  readonly #moved: MovedLeaves;
  readonly #takeBlock: EntryChange;
  readonly #roots: number[] = [];
  readonly #touched: number[] = [];
  readonly #before: number[] = [];
  readonly #stampOf: Uint32Array;
  #stamp = 0;

  /** Room for leaves with node indices below `capacity`. */
  constructor(deps: TransitTableDeps, capacity: number) {
    this.#deps = deps;
    this.#toldHome = new Uint16Array(capacity).fill(NO_HOME);
    this.#moved = new MovedLeaves(capacity);
    this.#stampOf = new Uint32Array(capacity);
    this.#takeBlock = (first, bits, before, after) =>
      this.#deps.stream.entry(first, bits, this.#nextHop(before), this.#nextHop(after));
  }

  /** Leaves that hang elsewhere than where their block is. */
  get movedCount(): number {
    return this.#moved.count;
  }

  /** Takes the homes of leaves as they are, without telling anybody: before the first tables are sent. */
  placeLeaves(leaves: Iterable<number>, home: Uint16Array): void {
    for (const leaf of leaves) this.#place(leaf, home[leaf] ?? NO_HOME);
  }

  /** Computes the whole table of a transit node and sends it. */
  sendWhole(node: number, sink: DeltaSink): void {
    const { graph, blockTables, stream } = this.#deps;
    this.#makeRoom();
    for (const root of graph.slots()) this.#told[node * this.#stride + root] = this.#computed(node, root);
    blockTables.clear(node);
    stream.open(graph.indexOf(node), true, true);
    blockTables.aggregate(node, this.#labels(node), this.#takeBlock);
    this.#forEachLeafRow(node, (leaf, nextHop) => stream.entry(leaf, 0, NO_NEXT_HOP, nextHop));
    stream.close(sink);
  }

  /** Entries of the node's table at present: blocks, moved leaves, own leaves. */
  sizeOf(node: number): { blocks: number; moved: number; own: number } {
    const size = { blocks: this.#deps.blockTables.size(node), moved: 0, own: 0 };
    const ownIndexOf = (leaf: number) => this.#toldHome[leaf] === node;
    this.#forEachLeafRow(node, (leaf) => (ownIndexOf(leaf) ? size.own++ : size.moved++));
    return size;
  }

  /** Gives the leaves the homes that they have now, and tells whoever forwards to them otherwise than before. */
  moveLeaves(leaves: readonly number[], home: Uint16Array, sink: DeltaSink): void {
    const { graph, stream, blocks } = this.#deps;
    const moving = leaves.filter((leaf) => this.#toldHome[leaf] !== home[leaf]);
    if (moving.length === 0) return;
    const owners = moving.map((leaf) => blocks.ownerOf(leaf));
    for (const node of graph.slots()) {
      stream.open(graph.indexOf(node), true, false);
      for (let i = 0; i < moving.length; i++) {
        const leaf = moving[i] ?? 0;
        const owner = owners[i] ?? NO_HOME;
        const before = this.#leafRow(node, leaf, owner, this.#toldHome[leaf] ?? NO_HOME);
        const after = this.#leafRow(node, leaf, owner, home[leaf] ?? NO_HOME);
        if (before !== after) stream.entry(leaf, 0, before, after);
      }
      stream.close(sink);
    }
    for (const leaf of moving) this.#place(leaf, home[leaf] ?? NO_HOME);
  }

  /** Tells every transit node about blocks that homes got since. */
  growBlocks(homes: Iterable<number>, sink: DeltaSink): void {
    const { graph, stream, blockTables } = this.#deps;
    const grown = [...new Set(homes)];
    if (grown.length === 0) return;
    for (const node of graph.slots()) {
      stream.open(graph.indexOf(node), true, false);
      const labels = this.#labels(node);
      // what is not reached, or is the node's own, may lie in a block that others' entries cover
      if (grown.some((home) => labels[home] === NO_LABEL)) blockTables.aggregate(node, labels, this.#takeBlock);
      else for (const home of grown) blockTables.patch(node, home, labels[home] ?? NO_LABEL, this.#takeBlock);
      stream.close(sink);
    }
  }

  /**
   * Follows about `most` of the entries of the path table that changed, whole nodes at a time; the rest stays in the list.
   * An entry may be there twice, or be as before. Each node's table is right by what that node was told, so other changes
   * can be sent in between.
   */
  followPaths(changed: EntryList, most: number, sink: DeltaSink): void {
    const { graph } = this.#deps;
    this.#makeRoom();
    changed.drain(most, (node, roots) => {
      this.#roots.length = 0;
      for (const root of roots) {
        if (this.#told[node * this.#stride + root] !== this.#computed(node, root)) this.#roots.push(root);
      }
      if (this.#roots.length > 0 && graph.slotOf(graph.indexOf(node)) === node) this.#follow(node, sink);
    });
  }

  #follow(node: number, sink: DeltaSink): void {
    const { graph, blockTables, stream } = this.#deps;
    const row = node * this.#stride;
    this.#noteTouched(node);
    let worn = blockTables.isWorn(node, this.#roots.length);
    for (const root of this.#roots) {
      const now = this.#computed(node, root);
      this.#told[row + root] = now;
      // a hole below an entry cannot be patched in
      if (now === NO_LABEL) worn = true;
    }
    stream.open(graph.indexOf(node), true, false);
    if (worn) blockTables.aggregate(node, this.#labels(node), this.#takeBlock);
    else
      for (const root of this.#roots)
        blockTables.patch(node, root, this.#told[row + root] ?? NO_LABEL, this.#takeBlock);
    for (const [i, leaf] of this.#touched.entries()) {
      const before = this.#before[i] ?? NO_NEXT_HOP;
      const after = this.#rowOf(node, leaf);
      if (before !== after) stream.entry(leaf, 0, before, after);
    }
    stream.close(sink);
  }

  /** Remembers the rows of the moved leaves that the changed roots have to do with. */
  #noteTouched(node: number): void {
    this.#touched.length = 0;
    this.#before.length = 0;
    if (this.#moved.count === 0) return;
    const stamp = ++this.#stamp;
    for (const root of this.#roots) {
      this.#moved.forEachTouching(root, (leaf) => {
        if (this.#stampOf[leaf] === stamp) return;
        this.#stampOf[leaf] = stamp;
        this.#touched.push(leaf);
        this.#before.push(this.#rowOf(node, leaf));
      });
    }
  }

  #rowOf(node: number, leaf: number): number {
    return this.#leafRow(node, leaf, this.#deps.blocks.ownerOf(leaf), this.#toldHome[leaf] ?? NO_HOME);
  }

  /** Next hop (node index) of the row that `node` has for this leaf alone, or NO_NEXT_HOP when it needs none. */
  #leafRow(node: number, leaf: number, owner: number, home: number): number {
    if (home === node) return leaf;
    if (home === NO_HOME || home === owner) return NO_NEXT_HOP;
    const row = node * this.#stride;
    const label = this.#told[row + home] ?? NO_LABEL;
    const covered = owner === NO_HOME ? NO_LABEL : (this.#told[row + owner] ?? NO_LABEL);
    return label === covered ? NO_NEXT_HOP : this.#nextHop(label);
  }

  #forEachLeafRow(node: number, take: (leaf: number, nextHop: number) => void): void {
    const { blocks, graph } = this.#deps;
    const { trie } = blocks;
    const own = graph.indexOf(node);
    for (const at of blocks.nodesOf(node)) {
      const first = trie.first[at] ?? 0;
      const end = first + 2 ** (trie.freeBits[at] ?? 0);
      for (let leaf = first; leaf < end; leaf++) {
        if (this.#toldHome[leaf] === node && leaf !== own) take(leaf, leaf);
      }
    }
    this.#moved.forEach((leaf) => {
      const nextHop = this.#rowOf(node, leaf);
      if (nextHop !== NO_NEXT_HOP) take(leaf, nextHop);
    });
  }

  #place(leaf: number, home: number): void {
    this.#toldHome[leaf] = home;
    const owner = this.#deps.blocks.ownerOf(leaf);
    if (home === NO_HOME || home === owner) this.#moved.delete(leaf);
    else this.#moved.put(leaf, owner, home);
  }

  /** Next hop at `node` towards `root`, as the paths are now. */
  #computed(node: number, root: number): number {
    const { table } = this.#deps.trees;
    return table.predecessor[root * table.stride + node] ?? NO_LABEL;
  }

  /** Follows the path table to a larger one. */
  #makeRoom(): void {
    const { capacity } = this.#deps.trees.table;
    if (capacity <= this.#stride) return;
    const told = new Uint16Array(capacity * capacity).fill(NO_LABEL);
    for (let node = 0; node < this.#stride; node++) {
      told.set(this.#told.subarray(node * this.#stride, (node + 1) * this.#stride), node * capacity);
    }
    this.#told = told;
    this.#stride = capacity;
  }

  #labels(node: number): Uint16Array {
    return this.#told.subarray(node * this.#stride, node * this.#stride + this.#deps.graph.slotCount);
  }

  #nextHop(label: number): number {
    return label === NO_LABEL ? NO_NEXT_HOP : this.#deps.graph.indexOf(label);
  }
}
