/** What the agent knows beyond its own life: the table and the peers it forwards by, and when the core was last heard. */
import type { Clock } from '../protocol/clock.ts';
import type { Logger } from '../protocol/log.ts';
import type { MeshPeer, PeerSet } from './mesh-peer.ts';
import type { TableKeeper } from './table-keeper.ts';
import type { TableStore } from './table-store.ts';

export interface AgentMemoryDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: TableStore;
  readonly table: Pick<TableKeeper, 'table' | 'tag' | 'remember'>;
  readonly peers: () => PeerSet;
  /** The core's wall clock now; undefined before it was ever heard. */
  readonly coreNowUnixMs: () => number | undefined;
}

/** The core's time is worth a write this often. */
const SAVE_CLOCK_MS = 600_000;

export class AgentMemory {
  readonly #deps: AgentMemoryDeps;
  #confirmedAtMonoMs: number | undefined;
  #savedAtMonoMs = Number.NEGATIVE_INFINITY;

  constructor(deps: AgentMemoryDeps) {
    this.#deps = deps;
  }

  /** Seconds since the core last confirmed the table, in this run or an earlier one; null: never. */
  get tableAgeS(): number | null {
    return this.#confirmedAtMonoMs === undefined ? null : (this.#deps.clock.monoMs() - this.#confirmedAtMonoMs) / 1000;
  }

  /** Puts the table that was remembered in place; returns the peers that were. */
  async load(): Promise<readonly MeshPeer[]> {
    const { clock, log, store, table } = this.#deps;
    const remembered = await store.load();
    if (remembered === undefined) return [];
    table.remember(remembered.table);
    const ageMs = Math.max(0, clock.nowMs() - remembered.savedAtUnixMs);
    this.#confirmedAtMonoMs = clock.monoMs() - ageMs;
    const behindMs = remembered.coreClockUnixMs - clock.nowMs();
    if (behindMs > 0) {
      log.warn("this device's clock is behind the time last heard from the core", {
        behindS: Math.round(behindMs / 1000),
      });
    }
    log.info('remembered table', {
      generation: String(table.tag.generation),
      rows: table.table.size,
      peers: remembered.peers.length,
      ageS: Math.round(ageMs / 1000),
    });
    return remembered.peers;
  }

  /** The core was heard: the table is what it wants. */
  confirmed(): void {
    this.#confirmedAtMonoMs = this.#deps.clock.monoMs();
    if (this.#confirmedAtMonoMs - this.#savedAtMonoMs >= SAVE_CLOCK_MS) this.save();
  }

  /** Writes soon; never throws. */
  save(): void {
    const { clock, store, table, peers, coreNowUnixMs } = this.#deps;
    this.#savedAtMonoMs = clock.monoMs();
    store.save({
      table: table.table,
      peers: peers().list(),
      savedAtUnixMs: Math.max(0, Math.trunc(clock.nowMs())),
      coreClockUnixMs: Math.max(0, Math.trunc(coreNowUnixMs() ?? 0)),
    });
  }

  /** Resolves when what was saved is on the disk, or cannot be. */
  flush(): Promise<void> {
    return this.#deps.store.flush();
  }
}
