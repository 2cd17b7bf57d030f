/** NodeTable as it is easiest to see that it is right: rows as objects in maps by their text keys. The oracle of the typed arrays. */
import {
  checksumOf,
  deltaFrom,
  type RouteDelta,
  type RouteRow,
  RouteTable,
  type RowKey,
  rowKeyText,
  rowsEqual,
} from '../../protocol/route-table.ts';
import type { NodeTableOptions } from '../../steering/rollout/node-table.ts';

interface InFlight {
  readonly delta: RouteDelta;
  readonly keys: ReadonlyMap<string, RouteRow | undefined>;
  readonly sentAtMs: number;
}

export class KeyedNodeTable {
  readonly #options: NodeTableOptions;
  readonly #wanted = new Map<string, RouteRow>();
  readonly #touched = new Map<string, RowKey>();
  #held = new RouteTable();
  /** False: what the node holds is not what `#held` says, so the next delta is full. */
  #known = true;
  #inFlight: InFlight | null = null;
  #connected = false;
  #late = false;
  #refusals = 0;
  #retryAtMs = 0;

  constructor(options: NodeTableOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** It cannot be told anything at present: no session, or it does not answer or refuses. */
  get frozen(): boolean {
    return !this.#connected || this.#late || this.#refusals > 0;
  }

  get acknowledged(): bigint {
    return this.#known ? this.#held.generation : 0n;
  }

  get inFlightGeneration(): bigint | null {
    return this.#inFlight?.delta.generation ?? null;
  }

  /** Everything wanted is held. */
  get converged(): boolean {
    return this.#known && this.#inFlight === null && this.#touched.size === 0;
  }

  get dueMs(): number {
    if (!this.#connected) return Number.POSITIVE_INFINITY;
    if (this.#inFlight !== null) {
      return this.#late ? Number.POSITIVE_INFINITY : this.#inFlight.sentAtMs + this.#options.ackTimeoutMs;
    }
    return this.converged ? Number.POSITIVE_INFINITY : this.#retryAtMs;
  }

  want(row: RouteRow): void {
    const key = rowKeyText(row);
    const before = this.#wanted.get(key);
    if (before !== undefined && rowsEqual(before, row)) return;
    this.#wanted.set(key, row);
    this.#touch(key, row);
  }

  unwant(rowKey: RowKey): void {
    const key = rowKeyText(rowKey);
    if (this.#wanted.delete(key)) this.#touch(key, rowKey);
  }

  wanted(key: RowKey): RouteRow | undefined {
    return this.#wanted.get(rowKeyText(key));
  }

  /** The node certainly forwards by what is wanted for this key now. */
  holdsWanted(key: RowKey): boolean {
    const wanted = this.wanted(key);
    if (!this.#isCertain(key)) return false;
    const held = this.#held.get(key);
    return wanted === undefined ? held === undefined : held !== undefined && rowsEqual(held, wanted);
  }

  /** The row that the node certainly forwards by; undefined: none, or not certain. */
  certain(key: RowKey): RouteRow | undefined {
    return this.#isCertain(key) ? this.#held.get(key) : undefined;
  }

  /** A session began; the node holds the table with this generation and checksum (0 and 0: none). */
  connect(generation: bigint, checksum: bigint): void {
    this.#connected = true;
    this.#late = false;
    this.#refusals = 0;
    this.#retryAtMs = 0;
    const flight = this.#inFlight;
    this.#inFlight = null;
    if (flight !== null && generation === flight.delta.generation && checksum === flight.delta.checksum) {
      this.#complete(flight);
    } else if (this.#known && generation === this.#held.generation && checksum === this.#held.checksum) {
      for (const [key, row] of flight?.keys ?? []) this.#touch(key, row ?? parseKey(key));
    } else {
      this.#forget();
      // a node without a table is known to hold nothing, of all that is wanted
      if (generation === 0n && checksum === 0n) {
        this.#known = true;
        for (const [key, row] of this.#wanted) this.#touch(key, row);
      }
    }
  }

  disconnect(): void {
    this.#connected = false;
  }

  /** An answer. True when it was to the delta on its way and changed what is known. */
  acknowledge(generation: bigint, checksum: bigint, error: string | null, nowMs: number): boolean {
    const flight = this.#inFlight;
    if (flight === null || generation !== flight.delta.generation) return false;
    this.#inFlight = null;
    this.#late = false;
    if (error !== null) {
      for (const [key, row] of flight.keys) this.#touch(key, row ?? parseKey(key));
      if (flight.delta.full) this.#forget();
      const pause = Math.min(this.#options.retryMs * 2 ** this.#refusals, this.#options.retryMaxMs);
      this.#refusals++;
      this.#retryAtMs = nowMs + pause;
      return true;
    }
    this.#refusals = 0;
    this.#retryAtMs = 0;
    if (checksum === flight.delta.checksum) this.#complete(flight);
    else this.#forget();
    return true;
  }

  /** The node asked for the whole table. */
  request(): void {
    this.#inFlight = null;
    this.#late = false;
    this.#retryAtMs = 0;
    this.#forget();
  }

  /** Notices an answer that is overdue. True when the node became late. */
  tick(nowMs: number): boolean {
    if (this.#inFlight === null || this.#late || !this.#connected) return false;
    this.#late = nowMs >= this.#inFlight.sentAtMs + this.#options.ackTimeoutMs;
    return this.#late;
  }

  /** The delta to send now, if any; from then on it is on its way. `nextGeneration` is called only then. */
  takeDelta(nowMs: number, nextGeneration: () => bigint): RouteDelta | null {
    if (!this.#connected || this.#inFlight !== null || nowMs < this.#retryAtMs) return null;
    if (this.#known && this.#touched.size === 0) return null;
    const keys = new Map<string, RouteRow | undefined>();
    let delta: RouteDelta;
    if (!this.#known || this.#held.generation === 0n) {
      if (this.#known && this.#wanted.size === 0) {
        this.#touched.clear();
        return null;
      }
      for (const [key, row] of this.#wanted) keys.set(key, row);
      const set = [...this.#wanted.values()];
      delta = {
        generation: nextGeneration(),
        baseGeneration: 0n,
        full: true,
        set,
        remove: [],
        checksum: checksumOf(set),
      };
    } else {
      const set: RouteRow[] = [];
      const remove: RowKey[] = [];
      for (const [key, rowKey] of this.#touched) {
        const wanted = this.#wanted.get(key);
        const held = this.#held.get(rowKey);
        if (wanted === undefined) {
          if (held === undefined) continue;
          remove.push({ table: rowKey.table, destination: rowKey.destination, blockBits: rowKey.blockBits });
        } else {
          if (held !== undefined && rowsEqual(held, wanted)) continue;
          set.push(wanted);
        }
        keys.set(key, wanted);
      }
      if (keys.size === 0) {
        this.#touched.clear();
        return null;
      }
      delta = deltaFrom(this.#held, nextGeneration(), set, remove);
    }
    this.#touched.clear();
    this.#inFlight = { delta, keys, sentAtMs: nowMs };
    return delta;
  }

  /** Rows and generation that the node certainly holds, and the delta whose fate is unknown. */
  export(): { generation: bigint; rows: RouteRow[]; known: boolean; inFlight: RouteDelta | null } {
    return {
      generation: this.#held.generation,
      rows: this.#held.rows(),
      known: this.#known,
      inFlight: this.#inFlight?.delta ?? null,
    };
  }

  /** Takes over what an earlier core knew. Before any other call. */
  import(generation: bigint, rows: readonly RouteRow[], known: boolean, inFlight: RouteDelta | null): void {
    this.#held = tableOf(generation, rows);
    this.#known = known;
    for (const row of rows) this.#touch(rowKeyText(row), row);
    if (inFlight === null) return;
    const keys = new Map<string, RouteRow | undefined>();
    for (const key of inFlight.remove) keys.set(rowKeyText(key), undefined);
    for (const row of inFlight.set) keys.set(rowKeyText(row), row);
    this.#inFlight = { delta: inFlight, keys, sentAtMs: 0 };
  }

  #isCertain(key: RowKey): boolean {
    if (!this.#known) return false;
    const flight = this.#inFlight;
    if (flight === null) return true;
    const text = rowKeyText(key);
    if (!flight.delta.full && !flight.keys.has(text)) return true;
    const held = this.#held.get(key);
    const coming = flight.keys.get(text);
    return held === undefined || coming === undefined ? held === coming : rowsEqual(held, coming);
  }

  #complete(flight: InFlight): void {
    const applied = this.#held.apply(flight.delta);
    if (applied.ok) this.#known = true;
    else this.#forget();
    // rows that an import brought but that are wanted no more must be looked at again
    for (const row of flight.delta.full ? [] : flight.delta.set) {
      if (!this.#wanted.has(rowKeyText(row))) this.#touch(rowKeyText(row), row);
    }
  }

  #forget(): void {
    this.#known = false;
    this.#held = new RouteTable();
  }

  #touch(key: string, rowKey: RowKey): void {
    this.#touched.set(key, rowKey);
  }
}

function tableOf(generation: bigint, rows: readonly RouteRow[]): RouteTable {
  const table = new RouteTable();
  table.apply({ generation, baseGeneration: 0n, full: true, set: rows, remove: [], checksum: checksumOf(rows) });
  return table;
}

const TABLES = [undefined, 'source', 'transitA', 'transitB'] as const;

/** The inverse of rowKeyText. */
function parseKey(text: string): RowKey {
  const [table, destination, blockBits] = text.split('/').map(Number);
  return { table: TABLES[table ?? 1] ?? 'source', destination: destination ?? 0, blockBits: blockBits ?? 0 };
}
