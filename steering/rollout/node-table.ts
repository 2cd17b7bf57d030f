/**
 * The table of one node from the core's side: what the node is known to hold, what is on its way, and what it should
 * hold. At most one delta is on its way at a time; what changes meanwhile goes with the next one. Pure. Rows are numbers
 * in typed arrays (see RowDictionary): a mesh of 1,000 nodes has three million of them.
 */
import type { RouteDelta, RouteRow, RowKey } from '../../protocol/route-table.ts';
import { RowDelta } from './row-delta.ts';
import { longer, NO_CONTENT, RowDictionary } from './row-dictionary.ts';
import { RowSum } from './row-sum.ts';

export interface NodeTableOptions {
  /** After this long without an answer the node is not waited for: ten times what a busy host takes to apply. */
  readonly ackTimeoutMs: number;
  /** Pause after a node refused a delta; doubles up to `retryMaxMs`. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
}

export const DEFAULT_NODE_TABLE_OPTIONS: NodeTableOptions = { ackTimeoutMs: 2_000, retryMs: 1_000, retryMaxMs: 30_000 };

interface InFlight {
  readonly delta: RowDelta;
  readonly sentAtMs: number;
}

/** Flags of a cell: the delta on its way changes it; it must be looked at for the next delta. */
const COMING = 1;
const TOUCHED = 2;

export class NodeTable {
  readonly #options: NodeTableOptions;
  readonly #dictionary: RowDictionary;
  /** By cell: the content that the node should hold, and that it is known to hold. */
  #wanted = new Int32Array(0);
  #held = new Int32Array(0);
  #flags = new Uint8Array(0);
  #touched: number[] = [];
  /** Rows wanted. */
  #size = 0;
  #heldGeneration = 0n;
  /** Of the rows held. */
  readonly #sum = new RowSum();
  /** False: what the node holds is not what `#held` says, so the next delta is full. */
  #known = true;
  #inFlight: InFlight | null = null;
  #connected = false;
  #late = false;
  #refusals = 0;
  #retryAtMs = 0;

  /** `dictionary`: shared by the tables of a mesh. */
  constructor(options: NodeTableOptions, dictionary = new RowDictionary()) {
    this.#options = options;
    this.#dictionary = dictionary;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** It cannot be told anything at present: no session, or it does not answer or refuses. */
  get frozen(): boolean {
    return !this.#connected || this.#late || this.#refusals > 0;
  }

  get acknowledged(): bigint {
    return this.#known ? this.#heldGeneration : 0n;
  }

  get inFlightGeneration(): bigint | null {
    return this.#inFlight?.delta.generation ?? null;
  }

  /** Generation of the table that the node is to hold, given the newest of the mesh: one more while nothing is on its way. */
  newest(generation: bigint): bigint {
    return this.#inFlight?.delta.generation ?? (this.converged ? this.acknowledged : generation + 1n);
  }

  /** Everything wanted is held. */
  get converged(): boolean {
    return this.#known && this.#inFlight === null && this.#touched.length === 0;
  }

  get dueMs(): number {
    if (!this.#connected) return Number.POSITIVE_INFINITY;
    if (this.#inFlight !== null) {
      return this.#late ? Number.POSITIVE_INFINITY : this.#inFlight.sentAtMs + this.#options.ackTimeoutMs;
    }
    return this.converged ? Number.POSITIVE_INFINITY : this.#retryAtMs;
  }

  want(row: RouteRow): void {
    this.#want(this.#cellOf(row), this.#dictionary.contentOf(row));
  }

  unwant(rowKey: RowKey): void {
    this.#want(this.#cellOf(rowKey), NO_CONTENT);
  }

  /** As `want` and `unwant`, by the numbers of the dictionary. */
  wantCell(cell: number, content: number): void {
    if (cell >= this.#wanted.length) this.#grow();
    this.#want(cell, content);
  }

  wanted(key: RowKey): RouteRow | undefined {
    const cell = this.#cellOf(key);
    return this.#rowOf(cell, this.#wanted[cell] ?? NO_CONTENT);
  }

  /** A row is wanted in a cell of the dictionary. */
  wantsCell(cell: number): boolean {
    return (this.#wanted[cell] ?? NO_CONTENT) !== NO_CONTENT;
  }

  /** As `holdsWanted`, by cell. */
  holdsCell(cell: number): boolean {
    return this.#isCertain(cell) && this.#held[cell] === this.#wanted[cell];
  }

  /** The node certainly forwards by what is wanted for this key now. */
  holdsWanted(key: RowKey): boolean {
    return this.holdsCell(this.#cellOf(key));
  }

  /** The row that the node certainly forwards by; undefined: none, or not certain. */
  certain(key: RowKey): RouteRow | undefined {
    const cell = this.#cellOf(key);
    return this.#isCertain(cell) ? this.#rowOf(cell, this.#held[cell] ?? NO_CONTENT) : undefined;
  }

  /** Neighbours of rows that the node holds, may hold soon, or is to hold. Null: nobody knows what it holds. */
  neighbours(): Set<number> | null {
    return this.#known ? this.#dictionary.neighbours(this.#held, this.#wanted, this.#inFlight?.delta.contents) : null;
  }

  /** A session began; the node holds the table with this generation and checksum (0 and 0: none). */
  connect(generation: bigint, checksum: bigint): void {
    this.#connected = true;
    this.#late = false;
    this.#refusals = 0;
    this.#retryAtMs = 0;
    const flight = this.#land();
    if (flight !== null && generation === flight.delta.generation && checksum === flight.delta.checksum) {
      this.#complete(flight.delta);
    } else if (this.#known && generation === this.#heldGeneration && checksum === this.#sum.value) {
      if (flight !== null) this.#touchAll(flight.delta.cells);
    } else {
      this.#forget();
      // a node without a table is known to hold nothing, of all that is wanted
      if (generation === 0n && checksum === 0n) {
        this.#known = true;
        this.#touchAll(this.#allWanted());
      }
    }
  }

  disconnect(): void {
    this.#connected = false;
  }

  /** An answer. True when it was to the delta on its way and changed what is known. */
  acknowledge(generation: bigint, checksum: bigint, error: string | null, nowMs: number): boolean {
    if (this.#inFlight === null || generation !== this.#inFlight.delta.generation) return false;
    const { delta } = this.#land() as InFlight;
    this.#late = false;
    if (error !== null) {
      this.#touchAll(delta.cells);
      if (delta.full) this.#forget();
      const pause = Math.min(this.#options.retryMs * 2 ** this.#refusals, this.#options.retryMaxMs);
      this.#refusals++;
      this.#retryAtMs = nowMs + pause;
      return true;
    }
    this.#refusals = 0;
    this.#retryAtMs = 0;
    if (checksum === delta.checksum) this.#complete(delta);
    else this.#forget();
    return true;
  }

  /** The node asked for the whole table. */
  request(): void {
    this.#land();
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
    if (this.#known && this.#touched.length === 0) return null;
    const full = !this.#known || this.#heldGeneration === 0n;
    if (full && this.#known && this.#size === 0) {
      this.#untouch();
      return null;
    }
    const cells = full ? this.#allWanted() : this.#changed();
    this.#untouch();
    if (!full && cells.length === 0) return null;
    const delta = this.#deltaOf(cells, full, nextGeneration());
    this.#launch(delta, nowMs);
    return delta;
  }

  /** Rows and generation that the node certainly holds, and the delta whose fate is unknown. */
  export(): { generation: bigint; rows: RouteRow[]; known: boolean; inFlight: RouteDelta | null } {
    const rows: RouteRow[] = [];
    for (let cell = 0; cell < this.#held.length; cell++) {
      const row = this.#rowOf(cell, this.#held[cell] ?? NO_CONTENT);
      if (row !== undefined) rows.push(row);
    }
    return {
      generation: this.#heldGeneration,
      rows,
      known: this.#known,
      inFlight: this.#inFlight?.delta ?? null,
    };
  }

  /** Takes over what an earlier core knew. Before any other call. */
  import(generation: bigint, rows: readonly RouteRow[], known: boolean, inFlight: RouteDelta | null): void {
    this.#forget();
    this.#heldGeneration = generation;
    this.#known = known;
    for (const row of rows) {
      const cell = this.#cellOf(row);
      this.#hold(cell, this.#dictionary.contentOf(row));
      this.#touch(cell);
    }
    if (inFlight !== null) this.#launch(RowDelta.of(this.#dictionary, inFlight), 0);
  }

  // ---- cells

  #cellOf(key: RowKey): number {
    const cell = this.#dictionary.cellOf(key);
    if (cell >= this.#wanted.length) this.#grow();
    return cell;
  }

  /** Makes room for all cells of the mesh. */
  #grow(): void {
    if (this.#wanted.length >= this.#dictionary.cells) return;
    const length = Math.max(48, Math.ceil(1.25 * this.#dictionary.cells));
    this.#wanted = longer(this.#wanted, length);
    this.#held = longer(this.#held, length);
    const flags = new Uint8Array(length);
    flags.set(this.#flags);
    this.#flags = flags;
  }

  #rowOf(cell: number, content: number): RouteRow | undefined {
    return content === NO_CONTENT ? undefined : this.#dictionary.row(cell, content);
  }

  #want(cell: number, content: number): void {
    const before = this.#wanted[cell] ?? NO_CONTENT;
    if (before === content) return;
    this.#wanted[cell] = content;
    if (before === NO_CONTENT) this.#size++;
    else if (content === NO_CONTENT) this.#size--;
    this.#touch(cell);
  }

  #isCertain(cell: number): boolean {
    return this.#known && ((this.#flags[cell] ?? 0) & COMING) === 0;
  }

  #touch(cell: number): void {
    const flags = this.#flags[cell] ?? 0;
    if ((flags & TOUCHED) !== 0) return;
    this.#flags[cell] = flags | TOUCHED;
    this.#touched.push(cell);
  }

  #touchAll(cells: Int32Array): void {
    for (let i = 0; i < cells.length; i++) this.#touch(cells[i] ?? 0);
  }

  #untouch(): void {
    for (const cell of this.#touched) this.#flags[cell] = (this.#flags[cell] ?? 0) & ~TOUCHED;
    this.#touched = [];
  }

  // ---- deltas

  #allWanted(): Int32Array {
    const cells = new Int32Array(this.#size);
    let count = 0;
    for (let cell = 0; cell < this.#wanted.length; cell++) {
      if (this.#wanted[cell] !== NO_CONTENT) cells[count++] = cell;
    }
    return cells;
  }

  /** Touched cells in which something else is wanted than held. */
  #changed(): Int32Array {
    return Int32Array.from(this.#touched.filter((cell) => this.#wanted[cell] !== this.#held[cell]));
  }

  #deltaOf(cells: Int32Array, full: boolean, generation: bigint): RowDelta {
    const contents = new Int32Array(cells.length);
    const sum = full ? new RowSum() : this.#sum.copy();
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] ?? 0;
      const content = this.#wanted[cell] ?? NO_CONTENT;
      contents[i] = content;
      sum.replace(this.#dictionary, cell, full ? NO_CONTENT : (this.#held[cell] ?? NO_CONTENT), content);
    }
    const checksum = sum.value;
    const baseGeneration = full ? 0n : this.#heldGeneration;
    return new RowDelta(this.#dictionary, { generation, baseGeneration, full, checksum }, cells, contents);
  }

  #hold(cell: number, content: number): void {
    this.#sum.replace(this.#dictionary, cell, this.#held[cell] ?? NO_CONTENT, content);
    this.#held[cell] = content;
  }

  #launch(delta: RowDelta, nowMs: number): void {
    this.#grow();
    this.#inFlight = { delta, sentAtMs: nowMs };
    const flags = this.#flags;
    // a full delta also does away with what it does not name
    if (delta.full && this.#heldGeneration !== 0n) {
      for (let cell = 0; cell < flags.length; cell++) {
        if (this.#held[cell] !== NO_CONTENT) flags[cell] = (flags[cell] ?? 0) | COMING;
      }
    }
    for (let i = 0; i < delta.cells.length; i++) {
      const cell = delta.cells[i] ?? 0;
      const differs = this.#held[cell] !== delta.contents[i];
      flags[cell] = differs ? (flags[cell] ?? 0) | COMING : (flags[cell] ?? 0) & ~COMING;
    }
  }

  /** The delta is not on its way any more. */
  #land(): InFlight | null {
    const flight = this.#inFlight;
    this.#inFlight = null;
    if (flight === null) return null;
    const flags = this.#flags;
    if (flight.delta.full) for (let cell = 0; cell < flags.length; cell++) flags[cell] = (flags[cell] ?? 0) & ~COMING;
    for (const cell of flight.delta.cells) flags[cell] = (flags[cell] ?? 0) & ~COMING;
    return flight;
  }

  /** The node holds what the delta made of its table. */
  #complete(delta: RowDelta): void {
    if (!delta.full && delta.baseGeneration !== this.#heldGeneration) {
      this.#forget();
      return;
    }
    if (delta.full) {
      this.#held.fill(NO_CONTENT);
      this.#sum.clear();
    }
    const { cells, contents } = delta;
    for (let i = 0; i < cells.length; i++) this.#hold(cells[i] ?? 0, contents[i] ?? NO_CONTENT);
    if (this.#sum.value !== delta.checksum) {
      this.#forget();
      return;
    }
    this.#known = true;
    this.#heldGeneration = delta.generation;
    if (delta.full) return;
    // rows that an import brought but that are wanted no more must be looked at again
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] ?? 0;
      if (contents[i] !== NO_CONTENT && this.#wanted[cell] === NO_CONTENT) this.#touch(cell);
    }
  }

  #forget(): void {
    this.#known = false;
    this.#held.fill(NO_CONTENT);
    this.#heldGeneration = 0n;
    this.#sum.clear();
  }
}
