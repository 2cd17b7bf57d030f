/**
 * Numbers for the rows of a mesh's tables, so that a table is typed arrays and a comparison of rows is one of numbers.
 *
 *   cell      = 3 * position + kind: one (table, destination or block); kind 0 source, 1 transit on plane a, 2 transit on plane b
 *   content   what stands in it: plane, next hops and backups, from 1; 0 is no row
 *
 * Positions are given to destinations and blocks as they come up and are kept: node indices are used again when a node
 * is gone, so there are as many as the mesh was ever large. Hashes are those of protocol/route-table.ts, whose text of a
 * row is `table/destination/bits|plane|neighbour*weight,...|backup,...`.
 */

import type { RouteRow, RowKey, RowPlane, TableKind } from '../../protocol/route-table.ts';
import { type RowContent, RowContents } from './row-contents.ts';

/** No row. */
export const NO_CONTENT = 0;
export const KINDS = 3;

const TABLES = ['source', 'transitA', 'transitB'] as const;
const KIND: Record<TableKind, number> = { source: 0, transitA: 1, transitB: 2 };
/** Blocks have at most 2^20 nodes: a destination and its block bits are one exact number. */
const BLOCK_SIZES = 32;

const OFFSET_LOW = 0x8422_2325 | 0;
const OFFSET_HIGH = 0xcbf2_9ce4 | 0;

export class RowDictionary {
  /** Hash of the row that `hash` was called for last: two halves. */
  hashLow = 0;
  hashHigh = 0;
  readonly #positions = new Map<number, number>();
  readonly #destinations: number[] = [];
  readonly #blockBits: number[] = [];
  readonly #contents: RowContents;
  /** By cell: the hash's state after the text up to the plane. */
  #prefixLow = new Int32Array(0);
  #prefixHigh = new Int32Array(0);

  /** `contents`: of several dictionaries, since tables that name other destinations have the same next hops. */
  constructor(contents = new RowContents()) {
    this.#contents = contents;
  }

  /** Cells in use: arrays by cell need this length. */
  get cells(): number {
    return KINDS * this.#destinations.length;
  }

  /** The cell of a key; gives the destination a position if it has none. */
  cellOf(key: RowKey): number {
    return KINDS * this.#positionOf(key.destination, key.blockBits) + KIND[key.table];
  }

  /** The number of what a row says. */
  contentOf(row: RouteRow): number {
    return this.#contents.numberOf(row);
  }

  /** The content of a row with one next hop of weight 1 and at most one backup. */
  plain(neighbour: number, plane: RowPlane | null, backup: number): number {
    return this.#contents.plain(neighbour, plane, backup);
  }

  /** Destination of a cell's rows: where it is a block, its first. */
  destinationOf(cell: number): number {
    return this.#destinations[Math.floor(cell / KINDS)] ?? 0;
  }

  /** Next hops and plane of a content. */
  contentAt(content: number): Pick<RowContent, 'plane' | 'nextHops'> {
    return this.#contents.at(content);
  }

  key(cell: number): RowKey {
    return {
      table: TABLES[cell % KINDS] ?? 'source',
      destination: this.#destinations[Math.floor(cell / KINDS)] ?? 0,
      blockBits: this.#blockBits[Math.floor(cell / KINDS)] ?? 0,
    };
  }

  row(cell: number, content: number): RouteRow {
    const { plane, nextHops, backups } = this.#contents.at(content);
    return {
      table: TABLES[cell % KINDS] ?? 'source',
      destination: this.#destinations[Math.floor(cell / KINDS)] ?? 0,
      blockBits: this.#blockBits[Math.floor(cell / KINDS)] ?? 0,
      plane,
      nextHops,
      backups,
    };
  }

  /** Next hops and backups of all contents in the lists. */
  neighbours(...lists: readonly (Int32Array | undefined)[]): Set<number> {
    const used = new Set<number>();
    for (const list of lists) for (const content of list ?? []) used.add(content);
    const neighbours = new Set<number>();
    for (const content of used) {
      const { nextHops, backups } = this.#contents.at(content);
      for (const { neighbour } of nextHops) neighbours.add(neighbour);
      for (const backup of backups) neighbours.add(backup);
    }
    return neighbours;
  }

  /** Puts the 64-bit hash of a row into `hashLow` and `hashHigh`. */
  hash(cell: number, content: number): void {
    const { text } = this.#contents.at(content);
    let low = this.#prefixLow[cell] ?? 0;
    let high = this.#prefixHigh[cell] ?? 0;
    for (let i = 0; i < text.length; i++) {
      low ^= text.charCodeAt(i);
      // times the prime 2^40 + 0x1b3, in 16- and 32-bit parts that stay whole numbers of 32 bits
      const least = (low & 0xffff) * 0x1b3;
      const upper = (low >>> 16) * 0x1b3 + (least >>> 16);
      high = (Math.imul(high, 0x1b3) + (upper >>> 16) + (low << 8)) | 0;
      low = (upper << 16) | (least & 0xffff);
    }
    this.hashLow = low >>> 0;
    this.hashHigh = high >>> 0;
  }

  #positionOf(destination: number, blockBits: number): number {
    const place = destination * BLOCK_SIZES + blockBits;
    const known = this.#positions.get(place);
    if (known !== undefined) return known;
    const position = this.#destinations.length;
    this.#positions.set(place, position);
    this.#destinations.push(destination);
    this.#blockBits.push(blockBits);
    if (this.#prefixLow.length < this.cells) {
      this.#prefixLow = longer(this.#prefixLow, 2 * this.cells);
      this.#prefixHigh = longer(this.#prefixHigh, 2 * this.cells);
    }
    for (let kind = 0; kind < KINDS; kind++) {
      const text = `${kind + 1}/${destination}/${blockBits}|`;
      let [low, high] = [OFFSET_LOW, OFFSET_HIGH];
      for (let i = 0; i < text.length; i++) {
        low ^= text.charCodeAt(i);
        const least = (low & 0xffff) * 0x1b3;
        const upper = (low >>> 16) * 0x1b3 + (least >>> 16);
        high = (Math.imul(high, 0x1b3) + (upper >>> 16) + (low << 8)) | 0;
        low = (upper << 16) | (least & 0xffff);
      }
      this.#prefixLow[KINDS * position + kind] = low;
      this.#prefixHigh[KINDS * position + kind] = high;
    }
    return position;
  }
}

/** The array with at least `length` entries, the new ones 0. */
export function longer(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length);
  copy.set(array);
  return copy;
}
