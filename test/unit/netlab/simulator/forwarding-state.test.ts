import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForwardingState } from '../../../../netlab/simulator/forwarding-state.ts';
import { checksumOf, type RouteDelta, type RouteRow, type TableKind } from '../../../../protocol/route-table.ts';

function row(table: TableKind, to: number, neighbour: number, plane: 'a' | 'b' | null = null): RouteRow {
  return {
    table,
    destination: to + 1,
    blockBits: 0,
    plane,
    nextHops: [{ neighbour: neighbour + 1, weight: 1 }],
    backups: [],
  };
}

function full(set: readonly RouteRow[]): RouteDelta {
  return { generation: 1n, baseGeneration: 0n, full: true, set, remove: [], checksum: checksumOf(set) };
}

function change(set: readonly RouteRow[], remove: readonly RouteRow[] = []): RouteDelta {
  return { generation: 2n, baseGeneration: 1n, full: false, set, remove, checksum: 0n };
}

function mesh(size: number): ForwardingState {
  const state = new ForwardingState(size);
  for (let v = 0; v < size; v++) state.setMember(v, true);
  return state;
}

describe('forwarding', () => {
  it('follows the plane that the source named', () => {
    const state = mesh(4);
    expect(state.apply(1, full([row('source', 3, 3), row('transitA', 3, 2), row('transitB', 3, 3)]))).toEqual([]);
    expect(state.apply(2, full([row('transitA', 3, 3)]))).toEqual([]);
    expect(state.apply(0, full([row('source', 3, 1, 'a')]))).toEqual([]);
    expect(state.path(0, 3)).toEqual({ fate: 'delivered', path: [0, 1, 2, 3] });
    expect(state.apply(0, change([row('source', 3, 1, 'b')]))).toEqual([]);
    expect(state.path(0, 3)).toEqual({ fate: 'delivered', path: [0, 1, 3] });
  });

  it('sees a loop and a missing row when they arise, on a plane that packets are on', () => {
    const state = mesh(4);
    state.apply(1, full([row('transitA', 3, 2)]));
    // 2 sends back to 1, but nobody is on plane a
    expect(state.apply(2, full([row('transitA', 3, 1)]))).toEqual([]);
    expect(state.apply(0, full([row('source', 3, 1, 'a')]))).toEqual([
      { fate: 'loop', from: 0, to: 3, path: expect.arrayContaining([1, 2]) },
    ]);
    expect(state.apply(2, change([row('transitA', 3, 3)]))).toEqual([]);
    expect(state.apply(2, change([], [row('transitA', 3, 3)]))).toEqual([
      { fate: 'no_row', from: 0, to: 3, path: [0, 1, 2] },
    ]);
    // a full table that lacks the row is no better
    state.apply(2, change([row('transitA', 3, 3)]));
    expect(state.apply(1, full([]))).toHaveLength(1);
  });

  it('is no fault at a node without power, nor of packets for a node that is gone', () => {
    const state = mesh(3);
    state.setPower(1, false);
    expect(state.apply(0, full([row('source', 2, 1, 'a')]))).toEqual([]);
    expect(state.path(0, 2).fate).toBe('dark');
    state.setPower(1, true);
    expect(state.checkAll()).toHaveLength(1);
    state.setMember(2, false);
    expect(state.checkAll()).toEqual([]);
  });

  it('finds after each change every fault that looking at every pair finds anew', () => {
    const node = fc.nat(3);
    const anyRow = fc
      .tuple(
        fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const),
        node,
        node,
        fc.constantFrom('a' as const, 'b' as const),
      )
      .map(([table, to, next, plane]) => row(table, to, next, table === 'source' && next !== to ? plane : null));
    const delta = fc
      .tuple(fc.array(anyRow, { maxLength: 6 }), fc.array(anyRow, { maxLength: 3 }), fc.boolean())
      .map(([set, remove, isFull]) => (isFull ? full(set) : change(set, remove)));
    fc.assert(
      fc.property(fc.array(fc.tuple(node, delta), { minLength: 1, maxLength: 12 }), (steps) => {
        const state = mesh(4);
        const name = (fault: { from: number; to: number; fate: string }) => `${fault.fate} ${fault.from} ${fault.to}`;
        let before = new Set<string>();
        for (const [at, change_] of steps) {
          const found = new Set(state.apply(at, change_).map(name));
          const all = new Set(state.checkAll().map(name));
          for (const fault of all) if (!before.has(fault)) expect([...found]).toContain(fault);
          for (const fault of found) expect([...all]).toContain(fault);
          before = all;
        }
      }),
    );
  });
});
