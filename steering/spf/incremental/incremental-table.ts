/**
 * The shortest-path trees of all roots, kept current through edits of the graph. Each refresh leaves exactly what a
 * fresh run would, and takes the cheapest of three ways:
 *
 *   link    one arc, or both of one link, changed weight, came or went: only the trees that use it are opened
 *   batch   anything else: each row is tested against the batch and repaired where it is touched
 *   fresh   the journal does not reach back, or the repair is reckoned to cost more than all rows anew
 */
import type { CsrGraph } from '../../graph/csr-graph.ts';
import type { GraphEdits } from '../../graph/edit-journal.ts';
import { OneSource } from '../one-source.ts';
import { PathTable } from '../path-table.ts';
import { SourceTree } from '../source-tree.ts';
import { BatchRepair } from './batch-repair.ts';
import { LinkRepair } from './link-repair.ts';
import { RowRepair } from './row-repair.ts';
import { TableChanges } from './table-changes.ts';
import { TransposedDistance } from './transposed-distance.ts';
import { type TableDirection, type TreeArc, treeRules } from './tree-rules.ts';

export interface IncrementalTableOptions {
  readonly direction: TableDirection;
  /** Whole microseconds, added for each transit node of a path. */
  readonly transitHopUs: number;
  /** Computes all rows afresh; one source after the other when left out. */
  readonly fillAll?: (graph: CsrGraph, table: PathTable) => void;
  /**
   * What a fresh run costs, as the share of all entries whose repair takes as long. 0.25: measured on two meshes that one
   * link joins, an entry that loses its way takes three to four times as long as one of a fresh run, source by source.
   */
  readonly freshShare?: number;
}

export type RefreshWay = 'none' | 'link' | 'batch' | 'fresh';

/** Rows and entries beyond the slots in use, so that a growing mesh does not move its table with each node. */
function roomFor(slots: number): number {
  return Math.min(0xffff, slots + Math.max(16, slots >> 3));
}

interface Repairs {
  readonly table: PathTable;
  readonly turned: TransposedDistance;
  readonly link: LinkRepair;
  readonly batch: BatchRepair;
}

export class IncrementalTable {
  /** Since the refresh before the last one. Overwritten by the next refresh. */
  changes: TableChanges;
  /** How the last refresh was made. */
  way: RefreshWay = 'none';
  readonly #graph: CsrGraph;
  readonly #options: IncrementalTableOptions;
  #repairs: Repairs;
  #version = -1;

  /** The graph must have no edits that are not committed, now and at each refresh. */
  constructor(graph: CsrGraph, options: IncrementalTableOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#repairs = this.#withRoom(roomFor(graph.slotCount));
    this.changes = new TableChanges(this.table.capacity);
    this.refresh();
  }

  /** Another one after the graph outgrew it. */
  get table(): PathTable {
    return this.#repairs.table;
  }

  /** Version of the graph that the table is right for. */
  get version(): number {
    return this.#version;
  }

  /**
   * Brings the table up to the graph's last commit. Throws `invalid_argument` when a path is too long for a table or
   * the graph too large; the table is of no use then, until a later refresh succeeds.
   */
  refresh(): TableChanges {
    const graph = this.#graph;
    this.changes.clear();
    this.way = 'none';
    if (this.#version === graph.version) return this.changes;
    const edits = this.#version < 0 ? null : graph.editsSince(this.#version);
    this.#version = -1;
    if (graph.slotCount > this.table.capacity) {
      this.#repairs = this.#withRoom(roomFor(graph.slotCount));
      this.changes = new TableChanges(this.table.capacity);
      this.#refill();
    } else if (edits === null || !this.#repair(edits)) {
      this.#refill();
    }
    this.#version = graph.version;
    return this.changes;
  }

  #withRoom(capacity: number): Repairs {
    const { direction, transitHopUs } = this.#options;
    const rules = treeRules(this.#graph, direction, transitHopUs);
    const table = PathTable.allocate(capacity);
    const turned = new TransposedDistance(table);
    const row = new RowRepair(rules, table, turned);
    const link = new LinkRepair(rules, table, turned, row);
    return { table, turned, link, batch: new BatchRepair(rules, table, turned, row) };
  }

  /** False when all rows must be computed afresh. */
  #repair(edits: GraphEdits): boolean {
    const from = this.#options.direction === 'from';
    const arcs = edits.arcs.map(
      ({ from: tail, to: head, before, after }): TreeArc =>
        from ? { near: tail, far: head, before, after } : { near: head, far: tail, before, after },
    );
    const { link, batch } = this.#repairs;
    const most = (this.#options.freshShare ?? 0.25) * this.#graph.nodeCount ** 2;
    if (edits.transit.length + edits.renumbered.length === 0 && LinkRepair.takes(arcs)) {
      this.way = 'link';
      for (const arc of arcs) if (!link.run(arc, most / arcs.length, this.changes)) return false;
    } else {
      this.way = 'batch';
      // a slot that another node has now: its arcs changed ends without changing weight
      if (edits.renumbered.some(({ before, after }) => before !== 0 && after !== 0)) return false;
      if (!batch.run(arcs, edits, most, this.changes)) return false;
    }
    return true;
  }

  #refill(): void {
    this.way = 'fresh';
    this.changes.clear();
    this.changes.addAll(this.table.capacity);
    const { fillAll } = this.#options;
    if (fillAll !== undefined) fillAll(this.#graph, this.table);
    else this.#fillOneByOne();
    this.#repairs.turned.load(this.table);
  }

  #fillOneByOne(): void {
    const graph = this.#graph;
    const { direction, transitHopUs } = this.#options;
    const { table } = this;
    const oneSource = new OneSource();
    const tree = new SourceTree();
    for (let root = 0; root < table.capacity; root++) {
      table.clearRow(root);
      if ((graph.index[root] ?? 0) === 0) continue;
      oneSource.compute(graph, direction, root, tree, transitHopUs);
      const row = root * table.stride;
      table.distance.set(tree.distance.subarray(0, graph.slotCount), row);
      for (let slot = 0; slot < graph.slotCount; slot++) {
        const before = tree.predecessor[slot] ?? -1;
        if (before < 0) continue;
        table.predecessor[row + slot] = before;
        table.hops[row + slot] = tree.hopsOf(slot);
      }
    }
  }
}
