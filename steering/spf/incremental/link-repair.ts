/**
 * One changed arc, or the two of one link, in all trees at once. Below the arc's far end every tree that uses the arc
 * looks like the far end's own tree, since the rest of a shortest path is a shortest path. So that one tree, as a list
 * in preorder, tells for each root what hangs on the arc:
 *
 *   longer   of the tree of `far`, what has the same predecessor in the root's row: lifted by the difference
 *   shorter  distance(root, x) falls to distance(root, far) + distance(far, x) where that is less, with the predecessor
 *            of the far end's row; where it is not less, nothing behind x falls either. No queue is needed.
 */
import { type PathTable, UNREACHABLE } from '../path-table.ts';
import { AffectedRoots } from './affected-roots.ts';
import { Preorder } from './preorder.ts';
import type { RowRepair } from './row-repair.ts';
import type { TableChanges } from './table-changes.ts';
import type { TreeArc, TreeRules } from './tree-rules.ts';

/** Laying out a tree costs as much as about so many small repairs that look for the subtree arc by arc. */
export const FEW_ROOTS = 12;
/** Entries looked at in a row from which on it is faster to read all of it first, in order. */
const MANY_ENTRIES = 64;
/** Rows whose lifted part is counted to reckon the work beforehand. */
const SAMPLED_ROOTS = 16;

export class LinkRepair {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #row: RowRepair;
  readonly #affected: AffectedRoots;
  readonly #preorder: Preorder;

  readonly #fewRoots: number;
  /** Entries of the last row that were looked at. */
  #looked = 0;
  /** Keeps the reads of `bring` from being optimised away. */
  #sum = 0;

  constructor(rules: TreeRules, table: PathTable, row: RowRepair, fewRoots = FEW_ROOTS) {
    this.#rules = rules;
    this.#table = table;
    this.#row = row;
    this.#fewRoots = fewRoots;
    this.#affected = new AffectedRoots(rules, table);
    this.#preorder = new Preorder(table.capacity);
  }

  /** The arcs can be taken one after the other: a single one, or a link whose directions both rise or both fall. */
  static takes(arcs: readonly TreeArc[]): boolean {
    const [first, second] = arcs;
    if (first === undefined || arcs.length > 2) return false;
    if (second === undefined) return true;
    const opposite = first.near === second.far && first.far === second.near;
    return opposite && isRise(first) === isRise(second);
  }

  /**
   * Brings the table up to the arc's new weight. False: it would lift more than `mostLifted` entries, and nothing was
   * done. The rows named in `doubtful` are to be computed afresh: a path may have become too long for the table.
   */
  run(arc: TreeArc, mostLifted: number, changes: TableChanges, doubtful: number[]): boolean {
    const affected = this.#affected;
    affected.find(arc);
    const { roots, count } = affected;
    if (count === 0) return true;
    const few = count <= this.#fewRoots || this.#rules.graph.transit[arc.far] === 0;
    const rises = isRise(arc);
    if (!few) {
      this.#preorder.load(this.#table, arc.far);
      if (rises && this.#expectedLifts() > mostLifted) return false;
    }
    for (let i = 0; i < count; i++) {
      const root = roots[i] ?? 0;
      if (rises || few) this.#row.begin(root);
      if (rises) this.#lift(root, arc, few);
      else if (few) this.#row.offer(arc.near, arc.far, arc.after);
      else if (this.#fall(root, arc, changes)) doubtful.push(root);
      if (!rises && !few) continue;
      this.#row.settle();
      this.#row.finish(changes);
      if (this.#row.isDoubtful) doubtful.push(root);
    }
    return true;
  }

  #lift(root: number, arc: TreeArc, few: boolean): void {
    const { distance, hops, predecessor, stride } = this.#table;
    const row = root * stride;
    // more than any distance where the arc is gone
    const by = arc.after === 0 ? UNREACHABLE : arc.after - arc.before;
    if (few) {
      this.#row.lift(arc.far, (distance[row + arc.far] ?? 0) + by, hops[row + arc.far] ?? 0);
      this.#row.liftSubtrees();
    } else {
      const { slot, past, predecessor: standing, count } = this.#preorder;
      for (let i = 0; i < count; ) {
        const x = slot[i] ?? 0;
        if (i > 0 && predecessor[row + x] !== standing[i]) {
          i = past[i] ?? count;
          continue;
        }
        this.#row.lift(x, (distance[row + x] ?? 0) + by, hops[row + x] ?? 0);
        i++;
      }
    }
    this.#row.rescan();
  }

  /** Entries that the rise would lift, from some of the rows. */
  #expectedLifts(): number {
    const { predecessor, stride } = this.#table;
    const { slot, past, predecessor: standing, count } = this.#preorder;
    const roots = this.#affected;
    const step = Math.max(1, Math.floor(roots.count / SAMPLED_ROOTS));
    let lifted = 0;
    let rows = 0;
    for (let k = 0; k < roots.count; k += step) {
      const row = (roots.roots[k] ?? 0) * stride;
      rows++;
      for (let i = 0; i < count; ) {
        const hangs = i === 0 || predecessor[row + (slot[i] ?? 0)] === standing[i];
        if (hangs) lifted++;
        i = hangs ? i + 1 : (past[i] ?? count);
      }
    }
    return (lifted / rows) * roots.count;
  }

  /**
   * Brings a row into the cache, a word of each line: in order the memory delivers several lines at once, at random one
   * after the other.
   */
  #bring(row: number): void {
    const { distance, hops, predecessor, stride } = this.#table;
    let sum = 0;
    for (let k = row; k < row + stride; k += 16) sum += distance[k] ?? 0;
    for (let k = row; k < row + stride; k += 32) sum += (predecessor[k] ?? 0) ^ (hops[k] ?? 0);
    this.#sum = sum % 2;
  }

  /** True when a path became too long for the table, or may have. */
  #fall(root: number, { near, far, after }: TreeArc, changes: TableChanges): boolean {
    const { graph, transitHopUs } = this.#rules;
    const { distance, hops, predecessor, stride } = this.#table;
    const { slot, past, count, distance: beyond, hops: hopsBeyond, predecessor: standing } = this.#preorder;
    const { index } = graph;
    const row = root * stride;
    const base = (distance[row + near] ?? 0) + after + (root === near ? 0 : transitHopUs);
    const baseHops = (hops[row + near] ?? 0) + 1;
    let changed = 0;
    let doubtful = false;
    let looked = 0;
    if (this.#looked > MANY_ENTRIES) this.#bring(row);
    for (let i = 0; i < count; ) {
      const x = slot[i] ?? 0;
      const at = row + x;
      looked++;
      const through = base + (i === 0 ? 0 : transitHopUs + (beyond[i] ?? 0));
      const h = baseHops + (hopsBeyond[i] ?? 0);
      const known = distance[at] ?? 0;
      if (through > known) {
        if (known === UNREACHABLE) doubtful = true;
        i = past[i] ?? count;
        continue;
      }
      const via = i === 0 ? near : (standing[i] ?? 0);
      const before = predecessor[at] ?? 0;
      if (through < known || h < (hops[at] ?? 0)) {
        distance[at] = through;
        hops[at] = h;
        predecessor[at] = via;
        changed++;
        if (before !== via) changes.addEntry(root, x);
        i++;
        continue;
      }
      if (through === UNREACHABLE) doubtful = true;
      else if (h === hops[at] && (index[via] ?? 0) < (index[before] ?? 0)) {
        predecessor[at] = via;
        changed++;
        changes.addEntry(root, x);
      }
      i = past[i] ?? count;
    }
    this.#looked = looked;
    changes.entries += changed;
    if (changed > 0) changes.addRow(root);
    return doubtful;
  }
}

export function isRise({ before, after }: TreeArc): boolean {
  return before > 0 && (after === 0 || after > before);
}
