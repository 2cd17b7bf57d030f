/** The backups towards one destination while its next hops move: of what is committed, and of what is prepared. */
import { type BackupChoice, changedBackups, NO_BACKUPS, withoutBackup } from '../rib/backup-choice.ts';
import type { HopChoice } from '../rib/hop-choice.ts';
import type { Tables } from './tables.ts';

export class DestinationBackups {
  readonly #root: number;
  readonly #tables: Tables;
  #committed = NO_BACKUPS;
  #prepared = NO_BACKUPS;
  /** Slots whose backups are to be looked at again when no move is on its way; null: all. */
  #unchecked: Set<number> | null = new Set();

  constructor(root: number, tables: Tables) {
    this.#root = root;
    this.#tables = tables;
  }

  get committed(): BackupChoice {
    return this.#committed;
  }

  get prepared(): BackupChoice {
    return this.#prepared;
  }

  /** Takes over what nodes hold; all are looked at when no move is on its way. */
  import(held: BackupChoice): void {
    this.#committed = held;
    this.#unchecked = null;
  }

  prepare(choice: HopChoice): void {
    this.#prepared = this.#tables.backups(this.#root, choice, this.#committed, null);
  }

  /** Calls back with the backups that the node at `slot` has or is to have. */
  each(slot: number, visit: (backup: number) => void): void {
    for (const { backup } of [this.#committed, this.#prepared]) {
      const chosen = backup[slot] ?? -1;
      if (chosen >= 0) visit(chosen);
    }
  }

  commit(): void {
    this.#committed = this.#prepared;
  }

  /** `slots`, and those that have another backup in what is prepared; each once. */
  turned(slots: Iterable<number>): number[] {
    return [...new Set([...slots, ...this.#present(changedBackups(this.#committed, this.#prepared))])];
  }

  /** Forgets a node, also as a backup of others. Returns the slots of these. */
  remove(slot: number): number[] {
    const [committed, prepared] = [this.#committed, this.#prepared];
    this.#committed = withoutBackup(committed, slot);
    this.#prepared = withoutBackup(prepared, slot);
    return [...changedBackups(committed, this.#committed), ...changedBackups(prepared, this.#prepared)];
  }

  /** Links of these slots came or went, or (null) other nodes forward than before. */
  note(slots: ReadonlySet<number> | null): void {
    if (slots === null) this.#unchecked = null;
    else for (const slot of slots) this.#unchecked?.add(slot);
  }

  /** No move is on its way: looks again at what was noted. Returns the slots whose backup is another one now. */
  renew(choice: HopChoice): number[] {
    this.#prepared = this.#committed;
    const slots = this.#unchecked;
    if (slots !== null && slots.size === 0) return [];
    this.#unchecked = new Set();
    const before = this.#committed;
    this.#committed = this.#tables.backups(this.#root, choice, before, slots);
    this.#prepared = this.#committed;
    return this.#committed === before ? [] : this.#present(changedBackups(before, this.#committed));
  }

  #present(slots: readonly number[]): number[] {
    return slots.filter((slot) => this.#tables.graph.indexOf(slot) !== 0);
  }
}
