/**
 * Numbers for the rows of a mesh's tables, so that a table is typed arrays and a comparison of rows is one of numbers.
 *
 *   cell      = 3 * position + kind: one (table, destination or block); kind 0 source, 1 transit on plane a, 2 transit on plane b
 *   content   what stands in it: plane, next hops and backups, from 1; 0 is no row
 *
 * Positions are given to destinations and blocks as they come up and are kept: node indices are used again when a node
 * is gone, so
 * there are as many as the mesh was ever large. Contents that forward alike have one number; without backups there are
 * three for each neighbour, with backups as many as there are combinations in use. Hashes are those of
 * protocol/route-table.ts, whose text of a row is `table/destination/bits|plane|neighbour*weight,...|backup,...`.
 */

import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';
import type { NextHop, RouteRow, RowKey, RowPlane, TableKind } from '../../protocol/route-table.ts';

/** No row. */
export const NO_CONTENT = 0;
export const KINDS = 3;
/** In the place of a backup's node index. */
export const NO_BACKUP = 0;

const TABLES = ['source', 'transitA', 'transitB'] as const;
const KIND: Record<TableKind, number> = { source: 0, transitA: 1, transitB: 2 };
const PLANE: Record<RowPlane, number> = { a: 1, b: 2, uplink: 3 };
const PLANES = 4;
/** Blocks have at most 2^20 nodes: a destination and its block bits are one exact number. */
const BLOCK_SIZES = 32;

const OFFSET_LOW = 0x8422_2325 | 0;
const OFFSET_HIGH = 0xcbf2_9ce4 | 0;

interface Content {
  readonly plane: RowPlane | null;
  readonly nextHops: readonly NextHop[];
  readonly backups: readonly number[];
  /** The end of the row's text, from the plane on, as ASCII. */
  readonly text: Uint8Array;
}

export class RowDictionary {
  /** Hash of the row that `hash` was called for last: two halves. */
  hashLow = 0;
  hashHigh = 0;
  readonly #positions = new Map<number, number>();
  readonly #destinations: number[] = [];
  readonly #blockBits: number[] = [];
  readonly #contents: Content[] = [{ plane: null, nextHops: [], backups: [], text: new Uint8Array(0) }];
  /** One next hop of weight 1 and at most one backup, by backup, neighbour and plane; and everything else by its text. */
  readonly #plain = new Map<number, number>();
  readonly #others = new Map<string, number>();
  /** By cell: the hash's state after the text up to the plane. */
  #prefixLow = new Int32Array(0);
  #prefixHigh = new Int32Array(0);

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
    const only = row.nextHops[0];
    if (row.nextHops.length === 1 && only !== undefined && only.weight === 1 && row.backups.length <= 1) {
      const key = plainKey(only.neighbour, row.plane, row.backups[0] ?? NO_BACKUP);
      const known = this.#plain.get(key);
      if (known !== undefined) return known;
      this.#plain.set(key, this.#contents.length);
      return this.#add(row, textOf(row));
    }
    const text = textOf(row);
    const known = this.#others.get(text);
    if (known !== undefined) return known;
    this.#others.set(text, this.#contents.length);
    return this.#add(row, text);
  }

  /** The content of a row with one next hop of weight 1 and at most one backup. */
  plain(neighbour: number, plane: RowPlane | null, backup: number): number {
    const known = this.#plain.get(plainKey(neighbour, plane, backup));
    if (known !== undefined) return known;
    const nextHops = [{ neighbour, weight: 1 }];
    const backups = backup === NO_BACKUP ? [] : [backup];
    return this.contentOf({ table: 'source', destination: 0, blockBits: 0, plane, nextHops, backups });
  }

  /** Destination of a cell's rows: where it is a block, its first. */
  destinationOf(cell: number): number {
    return this.#destinations[Math.floor(cell / KINDS)] ?? 0;
  }

  /** Next hops and plane of a content. */
  contentAt(content: number): Pick<RouteRow, 'plane' | 'nextHops'> {
    return this.#contents[content] as Content;
  }

  key(cell: number): RowKey {
    return {
      table: TABLES[cell % KINDS] ?? 'source',
      destination: this.#destinations[Math.floor(cell / KINDS)] ?? 0,
      blockBits: this.#blockBits[Math.floor(cell / KINDS)] ?? 0,
    };
  }

  row(cell: number, content: number): RouteRow {
    const { plane, nextHops, backups } = this.#contents[content] as Content;
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
      for (const { neighbour } of this.#contents[content]?.nextHops ?? []) neighbours.add(neighbour);
      for (const backup of this.#contents[content]?.backups ?? []) neighbours.add(backup);
    }
    return neighbours;
  }

  /** Puts the 64-bit hash of a row into `hashLow` and `hashHigh`. */
  hash(cell: number, content: number): void {
    const { text } = this.#contents[content] as Content;
    let low = this.#prefixLow[cell] ?? 0;
    let high = this.#prefixHigh[cell] ?? 0;
    for (let i = 0; i < text.length; i++) {
      low ^= text[i] ?? 0;
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

  #add({ plane, nextHops, backups }: RouteRow, text: string): number {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    this.#contents.push({ plane, nextHops, backups, text: bytes });
    return this.#contents.length - 1;
  }
}

function plainKey(neighbour: number, plane: RowPlane | null, backup: number): number {
  return (backup * (MAX_NODE_INDEX + 1) + neighbour) * PLANES + (plane === null ? 0 : PLANE[plane]);
}

/** The end of a row's text, from the plane on. */
function textOf({ plane, nextHops, backups }: RouteRow): string {
  const hops = nextHops.map((hop) => `${hop.neighbour}*${hop.weight}`).join(',');
  return `${plane ?? '-'}|${hops}|${backups.join(',')}`;
}

/** The array with at least `length` entries, the new ones 0. */
export function longer(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length);
  copy.set(array);
  return copy;
}
