/**
 * Deltas of a fleet's nodes, one after the other: entries of one node go in, the finished bytes go to the sink at once.
 * Of each node only what the next delta starts from is kept (generation and checksum: 16 bytes), no table. A node whose
 * table turns out not to be that asks for a full one (TableRequest).
 */
import { DeltaWriter } from './delta-writer.ts';

/** Takes the RouteDelta message of one node. The bytes are overwritten after the call. */
export type DeltaSink = (index: number, delta: Uint8Array) => void;

export class DeltaStream {
  /** Deltas and rows handed over so far. */
  deltas = 0;
  rows = 0;
  bytes = 0;
  readonly #writer = new DeltaWriter();
  readonly #held: Float64Array;
  readonly #sumLow: Uint32Array;
  readonly #sumHigh: Uint32Array;
  #generation: number;
  #index = 0;
  #transit = false;
  #full = false;
  #begun = false;

  /** Room for nodes with indices below `capacity`. Generations start above `firstGeneration`. */
  constructor(capacity: number, firstGeneration = 0) {
    this.#held = new Float64Array(capacity);
    this.#sumLow = new Uint32Array(capacity);
    this.#sumHigh = new Uint32Array(capacity);
    this.#generation = firstGeneration;
  }

  /** The last generation given out. */
  get generation(): number {
    return this.#generation;
  }

  /** Generation of the table that the node has once it took what it was sent; 0: it has none. */
  generationOf(index: number): number {
    return this.#held[index] ?? 0;
  }

  /** Starts on one node. `full`: its whole table follows, whatever it holds. */
  open(index: number, transit: boolean, full: boolean): void {
    this.#index = index;
    this.#transit = transit;
    this.#full = full;
    this.#begun = false;
  }

  /** One prefix of the node's table: next hops as node indices, NO_NEXT_HOP for none. Each prefix at most once. */
  entry(destination: number, bits: number, before: number, after: number): void {
    if (before === after) return;
    if (!this.#begun) this.#begin();
    this.#writer.entry(destination, bits, before, after);
  }

  /** Hands the delta over, if there is one. True when there was. */
  close(sink: DeltaSink): boolean {
    if (!this.#begun && !(this.#full && this.#held[this.#index] !== 0)) return false;
    if (!this.#begun) this.#begin();
    const delta = this.#writer.finish();
    this.#held[this.#index] = this.#generation;
    this.#sumLow[this.#index] = this.#writer.checksumLow;
    this.#sumHigh[this.#index] = this.#writer.checksumHigh;
    this.deltas++;
    this.rows += this.#writer.rows;
    this.bytes += delta.length;
    sink(this.#index, delta);
    return true;
  }

  /** The node is gone: its index may be another's. */
  forget(index: number): void {
    this.#held[index] = 0;
    this.#sumLow[index] = 0;
    this.#sumHigh[index] = 0;
  }

  #begin(): void {
    this.#begun = true;
    this.#generation++;
    const base = this.#full ? 0 : (this.#held[this.#index] ?? 0);
    this.#writer.begin(
      this.#transit,
      this.#generation,
      base,
      this.#sumLow[this.#index] ?? 0,
      this.#sumHigh[this.#index] ?? 0,
    );
  }
}
