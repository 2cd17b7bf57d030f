/**
 * Which trees an arc (near, far) matters to, found from `near` backwards: if it matters to root r it matters to every
 * slot on r's path to `near`, since the rest of that path is a shortest path too and as much shorter or longer. So a
 * search that goes on only from roots that are affected finds all of them (the "affected sources" of Ramalingam and
 * Reps), at the cost of their neighbours instead of one table entry in each row.
 */
import { NO_PREDECESSOR, type PathTable, UNREACHABLE } from '../path-table.ts';
import type { TreeArc, TreeRules } from './tree-rules.ts';

export class AffectedRoots {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #mark: Int32Array;
  #round = 0;
  /** What `find` found: the first `count` are roots, in the order of the search. */
  readonly roots: Int32Array;
  count = 0;

  constructor(rules: TreeRules, table: PathTable) {
    this.#rules = rules;
    this.#table = table;
    this.#mark = new Int32Array(table.capacity);
    this.roots = new Int32Array(table.capacity);
  }

  /**
   * Finds the roots whose trees the arc changes. The table must be right for the graph as it was before; but arcs that
   * do not lie on a path to `near` may have changed already.
   */
  find(arc: TreeArc): void {
    const { near } = arc;
    const { graph, behind } = this.#rules;
    const { transit } = graph;
    const { start, length, neighbour } = behind;
    const [mark, roots] = [this.#mark, this.roots];
    const round = ++this.#round;
    this.count = 0;
    mark[near] = round;
    if (!this.#isAffected(near, arc)) return;
    roots[this.count++] = near;
    for (let i = 0; i < this.count; i++) {
      const x = roots[i] ?? 0;
      // a path that goes on from another root passes through this one
      if (transit[x] === 0) continue;
      const end = (start[x] ?? 0) + (length[x] ?? 0);
      for (let k = start[x] ?? 0; k < end; k++) {
        const y = neighbour[k] ?? 0;
        if (mark[y] === round) continue;
        mark[y] = round;
        if (this.#isAffected(y, arc)) roots[this.count++] = y;
      }
    }
  }

  #isAffected(root: number, { near, far, before, after }: TreeArc): boolean {
    const { distance, hops, predecessor, stride } = this.#table;
    const row = root * stride;
    if (before > 0 && (after === 0 || after > before)) return predecessor[row + far] === near;
    const base = distance[row + near] ?? 0;
    if (base === UNREACHABLE) return false;
    const { graph, transitHopUs } = this.#rules;
    const through = base + after + (root === near ? 0 : transitHopUs);
    const known = distance[row + far] ?? 0;
    if (through !== known) return through < known || known === UNREACHABLE;
    const h = (hops[row + near] ?? 0) + 1;
    const knownHops = hops[row + far] ?? 0;
    if (h !== knownHops) return h < knownHops;
    const via = predecessor[row + far] ?? NO_PREDECESSOR;
    return via !== NO_PREDECESSOR && (graph.index[near] ?? 0) < (graph.index[via] ?? 0);
  }
}
