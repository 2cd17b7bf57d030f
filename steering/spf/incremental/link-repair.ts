/** One changed arc, or the two of one link, in all trees at once. */
import type { PathTable } from '../path-table.ts';
import { ChangedTree } from './changed-tree.ts';
import { LinkFall } from './link-fall.ts';
import { LinkRise } from './link-rise.ts';
import type { RowRepair } from './row-repair.ts';
import type { TableChanges } from './table-changes.ts';
import type { TransposedDistance } from './transposed-distance.ts';
import { isRise, type TreeArc, type TreeRules } from './tree-rules.ts';

export class LinkRepair {
  readonly #rise: LinkRise;
  readonly #fall: LinkFall;

  constructor(rules: TreeRules, table: PathTable, turned: TransposedDistance, row: RowRepair) {
    const tree = new ChangedTree(rules, table);
    this.#rise = new LinkRise(rules, table, turned, tree, row);
    this.#fall = new LinkFall(rules, table, turned, tree);
  }

  /**
   * The arcs can be taken one after the other though the graph has both already: a single one, or a link whose
   * directions both rise or both fall. No shortest path goes over a link in both directions, so no tree is changed by
   * both arcs.
   */
  static takes(arcs: readonly TreeArc[]): boolean {
    const [first, second] = arcs;
    if (first === undefined || arcs.length > 2) return false;
    if (second === undefined) return true;
    const opposite = first.near === second.far && first.far === second.near;
    return opposite && isRise(first) === isRise(second);
  }

  /**
   * Brings the table up to the arc's new weight. False: all rows are to be computed afresh, since more than about
   * `mostEntries` would be lifted (then nothing was done), or a path may have become too long for the table.
   */
  run(arc: TreeArc, mostEntries: number, changes: TableChanges): boolean {
    if (isRise(arc)) return this.#rise.run(arc, mostEntries, changes) && !this.#rise.isDoubtful;
    this.#fall.run(arc, changes);
    return !this.#fall.isDoubtful;
  }
}
