/** The rows towards one destination in the tables of all nodes: writing them, and asking who holds them. */
import type { PlaneName } from '../../protocol/route-table.ts';
import type { BackupChoice } from '../rib/backup-choice.ts';
import type { SpreadMember } from '../rib/hop-choice.ts';
import { rowKey, sourceRow, transitRow, transitTable } from '../rib/rib.ts';
import { LINK } from '../spf/backup/loop-free-alternates.ts';
import { NO_BACKUP } from './row-contents.ts';
import type { Tables } from './tables.ts';

export class DestinationRows {
  readonly #destination: number;
  readonly #root: number;
  readonly #tables: Tables;
  readonly #sourceCell: number;
  readonly #transitCell: Readonly<Record<PlaneName, number>>;

  /** `destination`: stable index of the node at slot `root`. */
  constructor(destination: number, root: number, tables: Tables) {
    this.#destination = destination;
    this.#root = root;
    this.#tables = tables;
    const cellOf = (table: 'source' | 'transitA' | 'transitB') => tables.rows.cellOf(rowKey(table, destination));
    this.#sourceCell = cellOf('source');
    this.#transitCell = { a: cellOf('transitA'), b: cellOf('transitB') };
  }

  /** Packets of the node at `slot` itself; without members they go directly. */
  writeSource(slot: number, members: readonly SpreadMember[], plane: PlaneName, choice: BackupChoice): void {
    if (slot === this.#root) return;
    // a row for each source of each destination: by numbers where it has one next hop
    const [only] = members;
    if (only !== undefined && members.length === 1) {
      const { graph, rows } = this.#tables;
      const backup = choice.backup[slot] ?? -1;
      const isDirect = only.slot === this.#root;
      const content = rows.plain(
        graph.indexOf(only.slot),
        isDirect ? null : plane,
        backup < 0 ? NO_BACKUP : graph.indexOf(backup),
      );
      this.#tables.table(slot).wantCell(this.#sourceCell, content);
      return;
    }
    const backups = members.length === 0 ? [] : this.#backups(choice, slot);
    this.#tables.table(slot).want(sourceRow(this.#destination, this.#neighbours(members), plane, backups));
  }

  /** Packets that others send through the node at `slot`; none without members. */
  writeTransit(slot: number, plane: PlaneName, members: readonly SpreadMember[], choice: BackupChoice): void {
    if (slot === this.#root) return;
    const table = this.#tables.table(slot);
    if (members.length === 0 || !this.isTransit(slot)) table.unwant(rowKey(transitTable(plane), this.#destination));
    else {
      const backups = this.#backups(choice, slot);
      table.want(transitRow(this.#destination, this.#neighbours(members), plane, backups));
    }
  }

  /** No packets of others any more. */
  clearTransit(slot: number, plane: PlaneName): void {
    if (slot !== this.#root) this.#tables.table(slot).unwant(rowKey(transitTable(plane), this.#destination));
  }

  /** The node certainly forwards by the source row that is wanted. */
  holdsSource(slot: number): boolean {
    return this.#tables.table(slot).holdsCell(this.#sourceCell);
  }

  /** A transit row is wanted, and the node certainly forwards by it. */
  holdsTransit(slot: number, plane: PlaneName): boolean {
    const table = this.#tables.table(slot);
    const cell = this.#transitCell[plane];
    return table.wantsCell(cell) && table.holdsCell(cell);
  }

  wantsTransit(slot: number, plane: PlaneName): boolean {
    return this.#tables.table(slot).wantsCell(this.#transitCell[plane]);
  }

  isTransit(slot: number): boolean {
    return slot !== this.#root && this.#tables.keepsTransitRows(slot);
  }

  /** What nodes are known to have as backups: after a restart these stay where they are right. */
  heldBackups(): BackupChoice {
    const { graph } = this.#tables;
    const backup = new Int32Array(graph.slotCount).fill(-1);
    for (const slot of graph.slots()) {
      const held = this.#tables.table(slot).certain(rowKey('source', this.#destination))?.backups[0];
      if (held !== undefined) backup[slot] = graph.slotOf(held) ?? -1;
    }
    return { backup, protection: Uint8Array.from(backup, (slot) => (slot < 0 ? 0 : LINK)) };
  }

  #backups({ backup }: BackupChoice, slot: number): number[] {
    const chosen = backup[slot] ?? -1;
    return chosen < 0 ? [] : [this.#tables.graph.indexOf(chosen)];
  }

  #neighbours(members: readonly SpreadMember[]): { neighbour: number; weight: number }[] {
    const { graph } = this.#tables;
    return members.map((member) => ({ neighbour: graph.indexOf(member.slot), weight: member.weight }));
  }
}
