/**
 * An arc (near, far) that became longer, or is gone, in all trees at once. In the row of each root whose tree has it:
 *
 *   lift     what hangs on the arc
 *   far      takes its best way, which is final; what hangs on it becomes as much longer, by its growth
 *   rescan   each of them looks at its arcs from behind
 *   settle   what found a better way spreads it to the others
 */
import { type PathTable, UNREACHABLE } from '../path-table.ts';
import type { ChangedTree } from './changed-tree.ts';
import type { RowRepair } from './row-repair.ts';
import type { TableChanges } from './table-changes.ts';
import type { TransposedDistance } from './transposed-distance.ts';
import type { TreeArc, TreeRules } from './tree-rules.ts';

/** Rows whose lifted part is counted to reckon the work beforehand. */
const SAMPLED_ROOTS = 16;

export class LinkRise {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #turned: TransposedDistance;
  readonly #row: RowRepair;
  readonly #tree: ChangedTree;
  /** Roots in whose trees the arc is. */
  readonly #roots: Int32Array;
  #rootCount = 0;
  /** Positions in the changed tree that hang on the arc in the present row, and what their entries were. */
  readonly #hanging: Int32Array;
  readonly #before: Float64Array;
  readonly #hopsBefore: Int32Array;
  /** A path may have become too long for the table. */
  isDoubtful = false;

  constructor(rules: TreeRules, table: PathTable, turned: TransposedDistance, tree: ChangedTree, row: RowRepair) {
    this.#rules = rules;
    this.#table = table;
    this.#turned = turned;
    this.#tree = tree;
    this.#row = row;
    this.#roots = new Int32Array(table.capacity);
    this.#hanging = new Int32Array(table.capacity);
    this.#before = new Float64Array(table.capacity);
    this.#hopsBefore = new Int32Array(table.capacity);
  }

  /** False: more than about `mostEntries` would be lifted, and nothing was changed. */
  run(arc: TreeArc, mostEntries: number, changes: TableChanges): boolean {
    this.isDoubtful = false;
    this.#findRoots(arc);
    if (this.#rootCount === 0) return true;
    const { predecessor, stride } = this.#table;
    const row = arc.near * stride;
    this.#tree.load(arc, (slot, via) => predecessor[row + slot] === via);
    if (this.#rootCount * this.#tree.count > mostEntries && this.#expectedEntries() > mostEntries) return false;
    for (let i = 0; i < this.#rootCount; i++) this.#repair(this.#roots[i] ?? 0, arc, changes);
    return true;
  }

  #findRoots({ near, far, before }: TreeArc): void {
    const { graph, transitHopUs } = this.#rules;
    const { predecessor, stride } = this.#table;
    const turned = this.#turned.distance;
    const [toNear, toFar] = [near * stride, far * stride];
    // a node that does not forward is on nobody's path but its own
    const [first, past] = graph.transit[near] === 1 ? [0, graph.slotCount] : [near, near + 1];
    let count = 0;
    for (let root = first; root < past; root++) {
      const through = (turned[toNear + root] ?? 0) + before + (root === near ? 0 : transitHopUs);
      if (through !== turned[toFar + root] || predecessor[root * stride + far] !== near) continue;
      this.#roots[count++] = root;
    }
    this.#rootCount = count;
  }

  /** Entries that hang on the arc, reckoned from some of the rows. */
  #expectedEntries(): number {
    const step = Math.ceil(this.#rootCount / SAMPLED_ROOTS);
    let entries = 0;
    let rows = 0;
    for (let i = 0; i < this.#rootCount; i += step, rows++) entries += this.#findHanging(this.#roots[i] ?? 0);
    return (entries / rows) * this.#rootCount;
  }

  #findHanging(root: number): number {
    const { predecessor, stride } = this.#table;
    const { slot, past, via, count } = this.#tree;
    const row = root * stride;
    let found = 0;
    for (let i = 0; i < count; ) {
      const hangs = predecessor[row + (slot[i] ?? 0)] === via[i];
      if (hangs) this.#hanging[found++] = i;
      i = hangs ? i + 1 : (past[i] ?? count);
    }
    return found;
  }

  #repair(root: number, { far, before, after }: TreeArc, changes: TableChanges): void {
    const { distance, hops, stride } = this.#table;
    const { slot, via } = this.#tree;
    const [row, hanging] = [this.#row, this.#hanging];
    const base = root * stride;
    const count = this.#findHanging(root);
    row.begin(root);
    for (let i = 0; i < count; i++) {
      const x = slot[hanging[i] ?? 0] ?? 0;
      const was = distance[base + x] ?? 0;
      this.#before[i] = was;
      this.#hopsBefore[i] = hops[base + x] ?? 0;
      row.lift(x, after === 0 ? UNREACHABLE : was + after - before, hops[base + x] ?? 0);
    }
    row.rescan(far, false);
    const best = distance[base + far] ?? 0;
    const growth = best === UNREACHABLE ? UNREACHABLE : best - (this.#before[0] ?? 0);
    const moreHops = (hops[base + far] ?? 0) - (this.#hopsBefore[0] ?? 0);
    for (let i = 1; i < count; i++) {
      const place = hanging[i] ?? 0;
      const distanceNow = (this.#before[i] ?? 0) + growth;
      row.relift(slot[place] ?? 0, distanceNow, (this.#hopsBefore[i] ?? 0) + moreHops, via[place] ?? 0);
    }
    for (let i = 1; i < count; i++) row.rescan(slot[hanging[i] ?? 0] ?? 0, true);
    row.settle(true);
    row.finish(changes);
    if (row.isDoubtful) this.isDoubtful = true;
  }
}
