/** The tables of a mesh as a rollout sees them. */
import type { CsrGraph } from '../graph/csr-graph.ts';
import type { BackupChoice } from '../rib/backup-choice.ts';
import type { HopChoice } from '../rib/hop-choice.ts';
import type { NodeTable } from './node-table.ts';
import type { RowDictionary } from './row-dictionary.ts';
import type { SlotMarks } from './slot-marks.ts';

/** Where rows go: the tables of the mesh, by slot. */
export interface Tables {
  readonly graph: CsrGraph;
  /** Numbers of the rows of all tables. */
  readonly rows: RowDictionary;
  table(slot: number): NodeTable;
  /** The node keeps transit rows: it is willing to forward. */
  keepsTransitRows(slot: number): boolean;
  /** The backups of all nodes towards `root` when they forward by `choice`. `only` null: all are looked at. */
  backups(root: number, choice: HopChoice, before: BackupChoice, only: ReadonlySet<number> | null): BackupChoice;
  /** Slots that do not keep transit rows any more, while they may still have some. */
  retiringSlots(): Iterable<number>;
  /** Scratch. */
  readonly marks: SlotMarks;
}
