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
import { NO_PREDECESSOR, UNREACHABLE } from './path-table.ts';
import { type ComputeTree, mayUse, type SpfRules, type SpfTree } from './spf-tree.ts';

/** A table of more takes above a gigabyte: then each tree is computed by itself. */
const MOST_SLOTS = 8192;
/** In the place of a version: the tree is not from the table. */
const COMPUTED = -1;

export class KeptTrees {
  readonly #graph: CsrGraph;
  readonly #transitHopUs: number;
  readonly #compute: ComputeTree;
  #table: IncrementalTable | null = null;
  /** By slot of the root: version at which its row changed last, and of the row that its tree was made from. */
  #changedAt = new Int32Array(0);
  #madeAt = new Int32Array(0);

  constructor(graph: CsrGraph, transitHopUs: number, compute: ComputeTree) {
    this.#graph = graph;
    this.#transitHopUs = transitHopUs;
    this.#compute = compute;
  }

  /** Takes over the graph's last commit: before trees are asked for. */
  refresh(): void {
    const graph = this.#graph;
    if (graph.slotCount > MOST_SLOTS || !Number.isInteger(this.#transitHopUs)) {
      this.#table = null;
      return;
    }
    try {
      this.#take(graph);
    } catch (error) {
      // a path of more than an hour: the reference algorithm has no such limit
      if (!(error instanceof ThalwegError)) throw error;
      this.#table = null;
    }
  }

  /** Brings the tree of a root, the same object each time, up to date. */
  load(root: number, rules: SpfRules, tree: SpfTree): void {
    if (this.#table === null || !this.#keepsTo(rules, root, this.#table)) {
      this.#compute(this.#graph, root, rules, tree);
      this.#madeAt[root] = COMPUTED;
      return;
    }
    const fits = tree.distance.length >= this.#graph.slotCount;
    if (fits && this.#madeAt[root] === this.#changedAt[root]) return;
    this.#copy(this.#table, root, tree);
    this.#madeAt[root] = this.#changedAt[root] ?? 0;
  }

  #take(graph: CsrGraph): void {
    const table = this.#table;
    const changes = table?.refresh();
    if (changes === undefined || this.#changedAt.length < (table?.table.capacity ?? 0)) {
      this.#table = table ?? new IncrementalTable(graph, { direction: 'to', transitHopUs: this.#transitHopUs });
      this.#changedAt = new Int32Array(this.#table.table.capacity).fill(graph.version);
      this.#madeAt = new Int32Array(this.#table.table.capacity).fill(COMPUTED);
      return;
    }
    for (const root of changes.roots) this.#changedAt[root] = graph.version;
  }

  #keepsTo(rules: SpfRules, root: number, { table }: IncrementalTable): boolean {
    if (rules.banned !== null) return false;
    if (rules.frozen === null) return true;
    const row = root * table.stride;
    for (const slot of this.#graph.slots()) {
      const next = table.predecessor[row + slot] ?? NO_PREDECESSOR;
      if (next !== NO_PREDECESSOR && !mayUse(this.#graph, root, rules, slot, next)) return false;
    }
    return true;
  }

  #copy({ table }: IncrementalTable, root: number, tree: SpfTree): void {
    const slots = this.#graph.slotCount;
    const row = root * table.stride;
    tree.reset(slots);
    let deepest = 0;
    const atDepth = new Int32Array(slots + 1);
    for (let slot = 0; slot < slots; slot++) {
      const distance = table.distance[row + slot] ?? UNREACHABLE;
      if (distance === UNREACHABLE) continue;
      const hops = table.hops[row + slot] ?? 0;
      tree.distance[slot] = distance;
      tree.hops[slot] = hops;
      tree.nextHop[slot] = slot === root ? -1 : (table.predecessor[row + slot] ?? -1);
      atDepth[hops + 1] = (atDepth[hops + 1] ?? 0) + 1;
      if (hops > deepest) deepest = hops;
    }
    for (let hops = 1; hops <= deepest; hops++) atDepth[hops] = (atDepth[hops] ?? 0) + (atDepth[hops - 1] ?? 0);
    for (let slot = 0; slot < slots; slot++) {
      if (tree.distance[slot] === Number.POSITIVE_INFINITY) continue;
      const hops = tree.hops[slot] ?? 0;
      const place = atDepth[hops] ?? 0;
      atDepth[hops] = place + 1;
      tree.order[place] = slot;
      tree.reached++;
    }
  }
}
