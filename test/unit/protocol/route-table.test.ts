import { describe, expect, it } from 'vitest';
import { checksumOf, deltaFrom, fnv1a64, type RouteRow, RouteTable, rowFault } from '../../../protocol/route-table.ts';

function row(destination: number, neighbour: number, more: Partial<RouteRow> = {}): RouteRow {
  const plane = neighbour === destination ? null : 'a';
  const base: RouteRow = {
    table: 'source',
    destination,
    blockBits: 0,
    plane,
    nextHops: [{ neighbour, weight: 1 }],
    backups: [],
  };
  return { ...base, ...more };
}

describe('RouteTable', () => {
  it('follows deltas and keeps the checksum of its rows', () => {
    const table = new RouteTable();
    const first = deltaFrom(table, 1n, [row(2, 2), row(3, 3)], []);
    expect(table.apply(first).ok).toBe(true);
    expect(table.checksum).toBe(checksumOf([row(3, 3), row(2, 2)]));
    const second = deltaFrom(table, 2n, [row(3, 2)], [{ table: 'source', destination: 2, blockBits: 0 }]);
    expect(table.apply(second).ok).toBe(true);
    expect(table.rows()).toEqual([row(3, 2)]);
    expect(table.checksum).toBe(checksumOf([row(3, 2)]));
    expect(table.generation).toBe(2n);
  });

  it('changes nothing when a delta starts from another generation', () => {
    const table = new RouteTable();
    table.apply(deltaFrom(table, 5n, [row(2, 2)], []));
    const stale = { ...deltaFrom(table, 7n, [row(2, 3)], []), baseGeneration: 4n };
    expect(table.apply(stale)).toMatchObject({ ok: false });
    expect([table.generation, table.rows()]).toEqual([5n, [row(2, 2)]]);
  });

  it('changes nothing when the checksum would be another', () => {
    const table = new RouteTable();
    const delta = { ...deltaFrom(table, 1n, [row(2, 2)], []), checksum: 1n };
    expect(table.apply(delta).ok).toBe(false);
    expect(table.size).toBe(0);
  });

  it('takes a full delta over whatever it had', () => {
    const other = new RouteTable();
    other.apply(deltaFrom(other, 9n, [row(4, 4), row(5, 4)], []));
    const table = new RouteTable();
    table.apply(deltaFrom(table, 1n, [row(2, 2)], []));
    expect(table.apply(other.toFullDelta()).ok).toBe(true);
    expect([table.generation, table.checksum, table.rows()]).toEqual([9n, other.checksum, other.rows()]);
  });

  it('has another checksum when only the backups differ', () => {
    expect(checksumOf([row(2, 2)])).not.toBe(checksumOf([row(2, 2, { backups: [3] })]));
  });
});

describe('fnv1a64', () => {
  it.each([
    ['', 0xcbf29ce484222325n],
    ['a', 0xaf63dc4c8601ec8cn],
    ['foobar', 0x85944171f73967e8n],
  ])('of %j is the published value', (text, hash) => expect(fnv1a64(text)).toBe(hash));
});

describe('rowFault', () => {
  it.each([
    [row(2, 2), undefined],
    [row(2, 3), undefined],
    [row(2, 3, { plane: null }), 'names no plane'],
    [row(3, 3, { table: 'transitA', plane: null }), undefined],
    [row(3, 3, { table: 'transitA', plane: 'a' }), 'plane of its own'],
    [row(2, 2, { nextHops: [] }), '0 next hops'],
    [row(2, 2, { nextHops: [{ neighbour: 2, weight: 257 }] }), 'weight 257'],
    [row(2, 2, { nextHops: [{ neighbour: 2, weight: 1.5 }] }), 'weight 1.5'],
    [
      row(2, 2, {
        nextHops: [
          { neighbour: 3, weight: 1 },
          { neighbour: 2, weight: 1 },
        ],
      }),
      'out of order',
    ],
    [row(3, 2, { blockBits: 1 }), 'not the first of a block'],
    [row(2, 2, { blockBits: 1 }), 'names no plane'],
    [row(2, 2, { destination: Number.NaN }), 'destination NaN'],
    [row(2, 2, { backups: [0] }), 'backup'],
  ])('%#', (candidate, fault) => {
    if (fault === undefined) expect(rowFault(candidate)).toBeUndefined();
    else expect(rowFault(candidate)).toContain(fault);
  });
});
