/**
 * Numbers for what rows say, from 1; 0 is no row. Contents that forward alike have one number; without backups there are three
 * for each neighbour, with backups as many as there are combinations in use. Kept for good.
 */
import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';
import type { NextHop, RouteRow, RowPlane } from '../../protocol/route-table.ts';

/** What stands in a cell; rows that forward alike have one. */
export interface RowContent {
  readonly plane: RowPlane | null;
  readonly nextHops: readonly NextHop[];
  readonly backups: readonly number[];
  /** The end of the row's text, from the plane on, in ASCII. */
  readonly text: string;
}

/** In the place of a backup's node index. */
export const NO_BACKUP = 0;

const PLANE: Record<RowPlane, number> = { a: 1, b: 2, uplink: 3 };
const PLANES = 4;

export class RowContents {
  readonly #contents: RowContent[] = [{ plane: null, nextHops: [], backups: [], text: '' }];
  /** One next hop of weight 1 and at most one backup, by backup, neighbour and plane; and everything else by its text. */
  readonly #plain = new Map<number, number>();
  readonly #others = new Map<string, number>();

  /** What a number stands for; it must have been given. */
  at(number: number): RowContent {
    return this.#contents[number] as RowContent;
  }

  /** The number of what a row says. */
  numberOf(row: RouteRow): number {
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
    return this.numberOf({ table: 'source', destination: 0, blockBits: 0, plane, nextHops, backups });
  }

  #add({ plane, nextHops, backups }: RouteRow, text: string): number {
    this.#contents.push({ plane, nextHops, backups, text });
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
