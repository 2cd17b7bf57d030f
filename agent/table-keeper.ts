/**
 * The table this node forwards by: takes the core's deltas, and owes an acknowledgement until the kernel has them and the
 * disk too. The core builds on what was acknowledged, so a node that is switched off and on may not come back with less: it
 * would forward by one generation what the others forward by the next (rollout/model/two-planes.pml shows it).
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
  /** The kernel holds another table than before: to be remembered. */
  readonly onHeld: () => void;
  /** Resolves when what is to be remembered is on the disk, or cannot be. Never rejects. */
  readonly remembered: () => Promise<void>;
}

export class TableKeeper {
  readonly #deps: TableKeeperDeps;
  readonly #table = new RouteTable();
  #applied: TableTag = { generation: 0n, checksum: 0n };
  #ackOwed = false;
  /** Counts sessions: what one was owed is void in the next. */
  #session = 0;

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

  /**
   * What the core is told when a session begins. While the kernel is being given another table, or has refused one, nobody
   * knows what it will hold when the core hears of it: then a checksum that fits no table, and the core sends all of it.
   */
  get told(): TableTag {
    const { generation, checksum } = this.#applied;
    const isSettled = generation === this.#table.generation && checksum === this.#table.checksum;
    return { generation, checksum: isSettled ? checksum : checksum ^ 1n };
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
    this.#session++;
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

  /** The kernel holds `tag`, or refused it. */
  outcome(tag: TableTag, error: ThalwegError | undefined): void {
    if (error !== undefined) {
      if (this.#ackOwed) this.#ack(tag, error);
      return;
    }
    const isNew = tag.generation !== this.#applied.generation || tag.checksum !== this.#applied.checksum;
    this.#applied = tag;
    if (isNew) this.#deps.onHeld();
    if (!this.#ackOwed) return;
    // A newer delta may have come while this one was applied: its own acknowledgement follows.
    this.#ackOwed = tag.generation !== this.#table.generation;
    const session = this.#session;
    void this.#deps.remembered().then(() => {
      if (session === this.#session) this.#ack(tag, undefined);
    });
  }

  #ack({ generation, checksum }: TableTag, error: ThalwegError | undefined): void {
    this.#deps.send({
      case: 'tableAck',
      value: { generation, checksum, error: error?.code ?? '', message: error?.message.slice(0, 1000) ?? '' },
    });
  }
}
