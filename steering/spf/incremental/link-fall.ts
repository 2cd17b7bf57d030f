/**
 * An arc (near, far) that became shorter, or is new, in all trees at once: in the row of each root the distances to
 * what lies beyond the arc fall to
 *
 *   distance(root, near) + weight + distance(far, x)      where that is less
 *
 * with the predecessor of the far end's row. Where it is not less, nothing that hangs on x falls either: no queue is
 * needed, and no arc is looked at.
 */
import { type PathTable, UNREACHABLE } from '../path-table.ts';
import type { ChangedTree } from './changed-tree.ts';
import type { TableChanges } from './table-changes.ts';
import type { TransposedDistance } from './transposed-distance.ts';
import type { TreeArc, TreeRules } from './tree-rules.ts';

export class LinkFall {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #turned: TransposedDistance;
  readonly #tree: ChangedTree;
  /** A path may have become too long for the table. */
  isDoubtful = false;

  constructor(rules: TreeRules, table: PathTable, turned: TransposedDistance, tree: ChangedTree) {
    this.#rules = rules;
    this.#table = table;
    this.#turned = turned;
    this.#tree = tree;
  }

  run(arc: TreeArc, changes: TableChanges): void {
    const { near, far, after } = arc;
    const { graph, transitHopUs } = this.#rules;
    const { stride } = this.#table;
    const turned = this.#turned.distance;
    this.isDoubtful = false;
    let loaded = false;
    const [toNear, toFar] = [near * stride, far * stride];
    // a node that does not forward is on nobody's path but its own
    const [first, past] = graph.transit[near] === 1 ? [0, graph.slotCount] : [near, near + 1];
    for (let root = first; root < past; root++) {
      const base = turned[toNear + root] ?? 0;
      const through = base + after + (root === near ? 0 : transitHopUs);
      const known = turned[toFar + root] ?? 0;
      if (base === UNREACHABLE || (through > known && known !== UNREACHABLE)) continue;
      if (!loaded) this.#load(arc);
      loaded = true;
      this.#row(root, near, through, changes);
    }
  }

  #load(arc: TreeArc): void {
    const { distance, stride } = this.#table;
    const row = arc.near * stride;
    this.#tree.load(arc, (slot, _via, beyond) => {
      const known = distance[row + slot] ?? 0;
      return arc.after + beyond <= known || known === UNREACHABLE;
    });
  }

  /** The row of `root`, whose path to `far` over the arc is `base` long. */
  #row(root: number, near: number, base: number, changes: TableChanges): void {
    const { index } = this.#rules.graph;
    const { distance, hops, predecessor, stride } = this.#table;
    const { distance: turned } = this.#turned;
    const { slot, past, via: ways, beyond, hopsBeyond, count } = this.#tree;
    const row = root * stride;
    const baseHops = (hops[row + near] ?? 0) + 1;
    let changed = 0;
    for (let i = 0; i < count; ) {
      const x = slot[i] ?? 0;
      const at = row + x;
      const through = base + (beyond[i] ?? 0);
      const known = distance[at] ?? 0;
      if (through > known || through === UNREACHABLE) {
        if (known === UNREACHABLE) this.isDoubtful = true;
        i = past[i] ?? count;
        continue;
      }
      const h = baseHops + (hopsBeyond[i] ?? 0);
      const via = ways[i] ?? 0;
      const before = predecessor[at] ?? 0;
      const nearer = through < known || h < (hops[at] ?? 0);
      if (!nearer && (h !== hops[at] || (index[via] ?? 0) >= (index[before] ?? 0))) {
        i = past[i] ?? count;
        continue;
      }
      changed++;
      if (before !== via) {
        predecessor[at] = via;
        changes.addEntry(root, x);
      }
      if (!nearer) {
        // as near as before, by a way that goes first: nothing changes for what hangs on it
        i = past[i] ?? count;
        continue;
      }
      distance[at] = through;
      hops[at] = h;
      turned[x * stride + root] = through;
      i++;
    }
    changes.entries += changed;
    if (changed > 0) changes.addRow(root);
  }
}
