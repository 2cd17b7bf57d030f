/**
 * The trees towards all destinations, as steering wants them: from a table that is kept current where that gives what
 * the reference algorithm would, and from the reference algorithm where it does not.
 *
 * Frozen nodes restrict which arcs a tree may have. If a tree that was found without the restriction keeps to it, it is
 * also the best one within it; so the table serves unless a frozen node would have to change.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import { IncrementalTable } from './incremental/incremental-table.ts';
import type { TableChanges } from './incremental/table-changes.ts';
import { type ComputeTree, FREE, mayUse, type SpfRules, SpfTree } from './spf-tree.ts';
import { KeptRow, type TreeRow } from './tree-row.ts';

/** A table of more takes above a gigabyte: then each tree is computed by itself. */
const MOST_SLOTS = 8192;

export class KeptTrees {
  readonly #graph: CsrGraph;
  readonly #transitHopUs: number;
  readonly #compute: ComputeTree;
  readonly #row = new KeptRow();
  #table: IncrementalTable | null = null;

  constructor(graph: CsrGraph, transitHopUs: number, compute: ComputeTree) {
    this.#graph = graph;
    this.#transitHopUs = transitHopUs;
    this.#compute = compute;
  }

  /**
   * Takes over the graph's last commit: before trees are asked for. What changed since the last call, to be read before
   * the next one; null: there is no table, and everything may have changed.
   */
  refresh(): TableChanges | null {
    const graph = this.#graph;
    if (graph.slotCount > MOST_SLOTS || !Number.isInteger(this.#transitHopUs)) {
      this.#table = null;
      return null;
    }
    try {
      this.#take(graph);
      return this.#table?.changes ?? null;
    } catch (error) {
      // a path of more than an hour: the reference algorithm has no such limit
      if (!(error instanceof ThalwegError)) throw error;
      this.#table = null;
      return null;
    }
  }

  /**
   * The tree of a root, if the table has the one that the rules allow: valid until the next call. `limited`: the slots that
   * are not free in `rules.frozen`. Undefined: it must be computed (see `compute`).
   */
  row(root: number, rules: SpfRules, limited: readonly number[]): TreeRow | undefined {
    if (this.#table === null || rules.banned !== null) return undefined;
    this.#row.of(this.#table, root);
    for (const slot of limited) if (slot !== root && !this.#allows(rules, root, slot)) return undefined;
    return this.#row;
  }

  /** The tree of a root by the reference algorithm. */
  compute(root: number, rules: SpfRules): SpfTree {
    const tree = new SpfTree();
    this.#compute(this.#graph, root, rules, tree);
    return tree;
  }

  /** The present row uses a slot that is not free only as the rules allow: by its own next hop, and by those who use it. */
  #allows(rules: SpfRules, root: number, slot: number): boolean {
    const next = this.#row.hopOf(slot);
    if (next >= 0 && !mayUse(this.#graph, root, rules, slot, next)) return false;
    if (rules.frozen?.[slot] === FREE) return true;
    const { start, length, neighbour } = this.#graph.into;
    const end = (start[slot] ?? 0) + (length[slot] ?? 0);
    for (let k = start[slot] ?? 0; k < end; k++) {
      const from = neighbour[k] ?? 0;
      if (this.#row.hopOf(from) === slot && !mayUse(this.#graph, root, rules, from, slot)) return false;
    }
    return true;
  }

  #take(graph: CsrGraph): void {
    if (this.#table === null) {
      this.#table = new IncrementalTable(graph, { direction: 'to', transitHopUs: this.#transitHopUs });
    } else {
      this.#table.refresh();
    }
  }
}
