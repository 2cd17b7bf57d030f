/** What an agent holds, as far as the simulation needs it: the generation and the checksum that it answers with. */
import { type RouteDelta, RouteTable } from '../../protocol/route-table.ts';
import { RowDelta } from '../../steering/rollout/row-delta.ts';
import { NO_CONTENT } from '../../steering/rollout/row-dictionary.ts';
import { RowSum } from '../../steering/rollout/row-sum.ts';

export interface AgentTable {
  readonly generation: bigint;
  readonly checksum: bigint;
  /** Not ok: nothing has changed; the delta started from another table, or leads to another checksum than it says. */
  apply(delta: RouteDelta): { readonly ok: boolean };
}

/** Nodes up to which each agent holds rows as real agents do; a big mesh's millions of rows are numbers. */
const MOST_WITH_ROWS = 200;

export function agentTable(nodes: number): AgentTable {
  return nodes <= MOST_WITH_ROWS ? new RouteTable() : new NumberedTable();
}

/** A table of the numbers that the core's deltas are made of. The checksum is of its own rows, hashed as they are held. */
export class NumberedTable implements AgentTable {
  generation = 0n;
  #held = new Int32Array(0);
  readonly #sum = new RowSum();

  get checksum(): bigint {
    return this.#sum.value;
  }

  apply(delta: RouteDelta): { readonly ok: boolean } {
    if (!(delta instanceof RowDelta)) throw new Error('a delta that is not of the simulated core');
    if (!delta.full && delta.baseGeneration !== this.generation) return { ok: false };
    const { cells, contents, dictionary } = delta;
    if (this.#held.length < dictionary.cells) {
      const longer = new Int32Array(Math.ceil(1.25 * dictionary.cells));
      longer.set(this.#held);
      this.#held = longer;
    }
    if (delta.full) {
      this.#held.fill(NO_CONTENT);
      this.#sum.clear();
    }
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] ?? 0;
      const content = contents[i] ?? NO_CONTENT;
      this.#sum.replace(dictionary, cell, this.#held[cell] ?? NO_CONTENT, content);
      this.#held[cell] = content;
    }
    if (this.checksum !== delta.checksum) throw new Error(`generation ${delta.generation} has another checksum`);
    this.generation = delta.generation;
    return { ok: true };
  }
}
