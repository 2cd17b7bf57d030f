/**
 * The rows towards one destination that a phase of its rollout waits for. Each question looks from where the last one found
 * a row missing, so that an answer of one node costs little.
 */
import type { PlaneName } from '../../protocol/route-table.ts';
import type { HopChoice } from '../rib/hop-choice.ts';
import type { DestinationRows } from './destination-rows.ts';
import type { Tables } from './tables.ts';

export class AwaitedRows {
  readonly #root: number;
  readonly #tables: Tables;
  readonly #rows: DestinationRows;
  /** Slots whose rows were missing; others may be missing too. */
  #missing: number[] = [];

  constructor(root: number, tables: Tables, rows: DestinationRows) {
    this.#root = root;
    this.#tables = tables;
    this.#rows = rows;
  }

  /** Another phase begins, or nodes went: everybody is asked for. */
  reset(): void {
    this.#missing = [];
  }

  /** Every transit node on a path of `choice` holds its row on `plane`. */
  transitHeld({ nextHops, spread }: HopChoice, plane: PlaneName): boolean {
    if (!this.#isAnswered((v) => this.#rows.holdsTransit(v, plane))) return false;
    const { graph, marks } = this.#tables;
    marks.clear();
    marks.add(this.#root);
    const look = (hop: number) => {
      if (marks.add(hop) && !this.#rows.holdsTransit(hop, plane)) this.#missing.push(hop);
    };
    for (let v = 0; v < graph.slotCount; v++) {
      const hop = nextHops[v] ?? -1;
      if (hop >= 0 && !marks.has(hop) && !spread.has(v)) look(hop);
    }
    for (const members of spread.values()) for (const member of members) look(member.slot);
    return this.#missing.length === 0;
  }

  /** Every source that can be told holds its row. */
  sourcesHeld(): boolean {
    const isThere = (v: number) => this.#tables.table(v).frozen || this.#rows.holdsSource(v);
    if (!this.#isAnswered(isThere)) return false;
    for (const v of this.#tables.graph.slots()) if (v !== this.#root && !isThere(v)) this.#missing.push(v);
    return this.#missing.length === 0;
  }

  /** None of those that were missing is any more. Looks at them from the last on, up to the first missing. */
  #isAnswered(isThere: (slot: number) => boolean): boolean {
    const missing = this.#missing;
    for (let last = missing.at(-1); last !== undefined; last = missing.at(-1)) {
      if (!isThere(last)) return false;
      missing.pop();
    }
    return true;
  }
}
