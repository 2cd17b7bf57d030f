/**
 * Any batch of edits, row by row: each row is tested against all changed arcs while it is in the cache, and repaired
 * once. The graph has the state after the batch; the table is right for the state before it.
 */
import type { GraphEdits } from '../../graph/edit-journal.ts';
import { type PathTable, UNREACHABLE } from '../path-table.ts';
import type { RowRepair } from './row-repair.ts';
import type { TableChanges } from './table-changes.ts';
import type { TransposedDistance } from './transposed-distance.ts';
import { isRise, type TreeArc, type TreeRules } from './tree-rules.ts';

/** Rows after which the work of the rest is reckoned from what they took. */
const ROWS_PER_RECKONING = 32;

export class BatchRepair {
  readonly #rules: TreeRules;
  readonly #table: PathTable;
  readonly #turned: TransposedDistance;
  readonly #row: RowRepair;

  constructor(rules: TreeRules, table: PathTable, turned: TransposedDistance, row: RowRepair) {
    this.#rules = rules;
    this.#table = table;
    this.#turned = turned;
    this.#row = row;
  }

  /**
   * Brings all rows up to date. False: all are to be computed afresh, since it was going to lift more than about
   * `mostLifted` entries, or a path may have become too long for the table. It stopped in the middle then.
   */
  run(
    arcs: readonly TreeArc[],
    edits: Pick<GraphEdits, 'transit' | 'renumbered'>,
    mostLifted: number,
    changes: TableChanges,
  ): boolean {
    const { graph } = this.#rules;
    const batch = new Batch(arcs, edits);
    const startedAt = this.#row.lifted;
    for (let root = 0; root < graph.slotCount; root++) {
      if ((root + 1) % ROWS_PER_RECKONING === 0) {
        const expected = ((this.#row.lifted - startedAt) / root) * graph.slotCount;
        if (expected > mostLifted) return false;
      }
      if (graph.index[root] === 0) {
        if (batch.renumbered.has(root)) {
          this.#clearRow(root);
          changes.addRow(root);
        }
        continue;
      }
      this.#row.begin(root);
      if (batch.renumbered.has(root)) this.#startRow(root);
      else this.#repair(root, batch);
      this.#row.settle();
      this.#row.finish(changes);
      if (this.#row.isDoubtful) return false;
    }
    return true;
  }

  /** The row of a new node: nothing but itself is reached so far. */
  #startRow(root: number): void {
    this.#clearRow(root);
    this.#table.distance[root * this.#table.stride + root] = 0;
    this.#turned.distance[root * this.#turned.stride + root] = 0;
    this.#row.expand(root);
  }

  #clearRow(root: number): void {
    this.#table.clearRow(root);
    this.#turned.loadRow(this.#table, root);
  }

  #repair(root: number, batch: Batch): void {
    const { distance, stride } = this.#table;
    const row = root * stride;
    const seeds = this.#seeds(root, batch);
    if (seeds.length > 0) {
      // nearest first, so that what hangs on a seed is lifted with it and not by itself
      if (seeds.length > 1) seeds.sort((a, b) => (distance[row + a.far] ?? 0) - (distance[row + b.far] ?? 0));
      for (const seed of seeds) this.#liftSeed(root, seed);
      this.#row.rescanLifted();
    }
    const { falls } = batch;
    for (let i = 0; i < falls.length; i += 3) {
      this.#row.offer(falls[i] ?? 0, falls[i + 1] ?? 0, falls[i + 2] ?? 0);
    }
    for (const slot of batch.opened) if (slot !== root) this.#row.expand(slot);
  }

  /** Arcs of the row's tree that became longer or are gone. */
  #seeds(root: number, { rises, closed }: Batch): { near: number; far: number; after: number }[] {
    const { predecessor, stride } = this.#table;
    const { start, length, neighbour } = this.#rules.ahead;
    const row = root * stride;
    const seeds: { near: number; far: number; after: number }[] = [];
    for (let i = 0; i < rises.length; i += 3) {
      const [near, far] = [rises[i] ?? 0, rises[i + 1] ?? 0];
      if (predecessor[row + far] === near) seeds.push({ near, far, after: rises[i + 2] ?? 0 });
    }
    for (const near of closed) {
      if (near === root) continue;
      const end = (start[near] ?? 0) + (length[near] ?? 0);
      for (let k = start[near] ?? 0; k < end; k++) {
        const far = neighbour[k] ?? 0;
        if (predecessor[row + far] === near) seeds.push({ near, far, after: 0 });
      }
    }
    return seeds;
  }

  #liftSeed(root: number, { near, far, after }: { near: number; far: number; after: number }): void {
    if (this.#row.isTouched(far)) return;
    const { graph, transitHopUs } = this.#rules;
    const { distance, hops, stride } = this.#table;
    const at = root * stride + near;
    const stands = after > 0 && (near === root || graph.transit[near] === 1);
    const through = stands ? (distance[at] ?? 0) + after + (near === root ? 0 : transitHopUs) : UNREACHABLE;
    this.#row.lift(far, through, (hops[at] ?? 0) + 1);
    this.#row.liftSubtrees();
  }
}

/** A batch, sorted by what has to be done about it. */
class Batch {
  /** Near, far and new weight (0: gone) of each arc that became longer; and of each that became shorter or is new. */
  readonly rises: Int32Array;
  readonly falls: Int32Array;
  /** Slots that ceased to forward, and that began to. */
  readonly closed: readonly number[];
  readonly opened: readonly number[];
  readonly renumbered: ReadonlySet<number>;

  constructor(arcs: readonly TreeArc[], { transit, renumbered }: Pick<GraphEdits, 'transit' | 'renumbered'>) {
    const triples = (wanted: readonly TreeArc[]) =>
      Int32Array.from(wanted.flatMap(({ near, far, after }) => [near, far, after]));
    this.rises = triples(arcs.filter(isRise));
    this.falls = triples(arcs.filter((arc) => !isRise(arc)));
    this.closed = transit.filter(({ after }) => after === 0).map(({ slot }) => slot);
    this.opened = transit.filter(({ after }) => after === 1).map(({ slot }) => slot);
    this.renumbered = new Set(renumbered.map(({ slot }) => slot));
  }
}
