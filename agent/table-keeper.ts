/**
 * The table this node forwards by: takes the core's deltas, owes an acknowledgement until the kernel has them, and
 * remembers on disk what the kernel took.
 */

import type { ThalwegError } from '../protocol/error.ts';
import type { AgentBody } from '../protocol/frame-codec.ts';
import type { Logger } from '../protocol/log.ts';
import { type RouteDelta, type RouteRow, RouteTable } from '../protocol/route-table.ts';

/** Which table something was computed from. */
export interface TableTag {
  readonly generation: bigint;
  readonly checksum: bigint;
}

export interface TableKeeperDeps {
  readonly log: Logger;
  readonly send: (body: AgentBody) => void;
}

export class TableKeeper {
  readonly #deps: TableKeeperDeps;
  readonly #table = new RouteTable();
  #applied: TableTag = { generation: 0n, checksum: 0n };
  #ackOwed = false;

  constructor(deps: TableKeeperDeps) {
    this.#deps = deps;
  }

  /** The newest table, applied or not. */
  get table(): Pick<RouteTable, 'generation' | 'checksum' | 'rows' | 'size'> {
    return this.#table;
  }

  get rows(): readonly RouteRow[] {
    return this.#table.rows();
  }

  get tag(): TableTag {
    return { generation: this.#table.generation, checksum: this.#table.checksum };
  }

  /** What the kernel holds. */
  get applied(): TableTag {
    return this.#applied;
  }

  /** Starts from a table that was remembered. */
  remember(table: RouteTable): void {
    this.#table.apply(table.toFullDelta());
  }

  /** Starts from nothing. */
  clear(): void {
    this.#table.apply(new RouteTable().toFullDelta());
  }

  /** A new session: what the last one was owed is void. */
  sessionBegan(): void {
    this.#ackOwed = false;
  }

  /** True when the table is another one now. Where the delta does not fit, the whole table is asked for. */
  take(delta: RouteDelta): boolean {
    const result = this.#table.apply(delta);
    if (result.ok) {
      this.#ackOwed = true;
      return true;
    }
    this.#deps.log.warn('the table does not fit the delta; asking for the whole table', { reason: result.reason });
    const { generation, checksum } = this.#table;
    this.#deps.send({ case: 'tableRequest', value: { haveGeneration: generation, haveChecksum: checksum } });
    return false;
  }

  /** The kernel holds `tag`, or refused it. True when it holds another table than before. */
  outcome(tag: TableTag, error: ThalwegError | undefined): boolean {
    if (error !== undefined) {
      if (this.#ackOwed) this.#ack(tag, error);
      return false;
    }
    const isNew = tag.generation !== this.#applied.generation || tag.checksum !== this.#applied.checksum;
    this.#applied = tag;
    if (this.#ackOwed) {
      // A newer delta may have come while this one was applied: its own acknowledgement follows.
      this.#ackOwed = tag.generation !== this.#table.generation;
      this.#ack(tag, undefined);
    }
    return isNew;
  }

  #ack({ generation, checksum }: TableTag, error: ThalwegError | undefined): void {
    this.#deps.send({
      case: 'tableAck',
      value: { generation, checksum, error: error?.code ?? '', message: error?.message.slice(0, 1000) ?? '' },
    });
  }
}
