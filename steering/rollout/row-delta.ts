/** A delta of a node's table as numbers (see RowDictionary); rows are made when they are asked for. */
import type { RouteDelta, RouteRow, RowKey } from '../../protocol/route-table.ts';
import { NO_CONTENT, type RowDictionary } from './row-dictionary.ts';

export class RowDelta implements RouteDelta {
  readonly generation: bigint;
  readonly baseGeneration: bigint;
  readonly full: boolean;
  readonly checksum: bigint;
  /** Each cell once, and what is to stand in it from now on; NO_CONTENT: nothing. */
  readonly cells: Int32Array;
  readonly contents: Int32Array;
  readonly dictionary: RowDictionary;

  constructor(
    dictionary: RowDictionary,
    head: Pick<RouteDelta, 'generation' | 'baseGeneration' | 'full' | 'checksum'>,
    cells: Int32Array,
    contents: Int32Array,
  ) {
    this.dictionary = dictionary;
    this.generation = head.generation;
    this.baseGeneration = head.baseGeneration;
    this.full = head.full;
    this.checksum = head.checksum;
    this.cells = cells;
    this.contents = contents;
  }

  /** Made anew at each call. */
  get set(): readonly RouteRow[] {
    const rows: RouteRow[] = [];
    for (let i = 0; i < this.cells.length; i++) {
      const content = this.contents[i] ?? NO_CONTENT;
      if (content !== NO_CONTENT) rows.push(this.dictionary.row(this.cells[i] ?? 0, content));
    }
    return rows;
  }

  /** Made anew at each call. */
  get remove(): readonly RowKey[] {
    const keys: RowKey[] = [];
    for (let i = 0; i < this.cells.length; i++) {
      if (this.contents[i] === NO_CONTENT) keys.push(this.dictionary.key(this.cells[i] ?? 0));
    }
    return keys;
  }

  /** Rows set and removed. */
  get size(): number {
    return this.cells.length;
  }

  /** Content by cell of any other delta. */
  static of(dictionary: RowDictionary, delta: RouteDelta): RowDelta {
    const cells = new Map<number, number>();
    for (const key of delta.remove) cells.set(dictionary.cellOf(key), NO_CONTENT);
    for (const row of delta.set) cells.set(dictionary.cellOf(row), dictionary.contentOf(row));
    return new RowDelta(dictionary, delta, Int32Array.from(cells.keys()), Int32Array.from(cells.values()));
  }
}
