import { describe, expect, it } from 'vitest';
import { RouteTable } from '../../../protocol/route-table.ts';
import { PathChangeLog } from '../../../steering/rib/path-change-log.ts';
import { rowKey, sourceRow } from '../../../steering/rib/rib.ts';
import { DEFAULT_NODE_TABLE_OPTIONS, NodeTable } from '../../../steering/rollout/node-table.ts';

function connected(): { table: NodeTable; agent: RouteTable; take: (nowMs: number) => bigint | null } {
  const table = new NodeTable(DEFAULT_NODE_TABLE_OPTIONS);
  const agent = new RouteTable();
  let generation = 0n;
  table.connect(0n, 0n);
  const take = (nowMs: number) => {
    const delta = table.takeDelta(nowMs, () => ++generation);
    if (delta === null) return null;
    const applied = agent.apply(delta);
    if (!applied.ok) throw new Error(applied.reason);
    return delta.generation;
  };
  return { table, agent, take };
}

describe('node table', () => {
  it('has one delta on its way at a time and sends later changes with the next', () => {
    const { table, agent, take } = connected();
    table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
    expect(take(0)).toBe(1n);
    table.want(sourceRow(2, [{ neighbour: 3, weight: 1 }], 'a'));
    expect(take(0)).toBeNull();
    expect(table.certain(rowKey('source', 2))).toBeUndefined();
    table.acknowledge(1n, agent.checksum, null, 0);
    expect([table.holdsWanted(rowKey('source', 2)), take(0)]).toEqual([false, 2n]);
    table.acknowledge(2n, agent.checksum, null, 0);
    expect([table.holdsWanted(rowKey('source', 2)), table.converged, take(0)]).toEqual([true, true, null]);
  });

  it('sends everything to a node that comes back without a table, though nothing has changed', () => {
    const { table, agent, take } = connected();
    table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
    take(0);
    table.acknowledge(1n, agent.checksum, null, 0);
    table.disconnect();
    table.connect(0n, 0n);
    const delta = table.takeDelta(0, () => 2n);
    expect(delta).toMatchObject({ full: true, generation: 2n });
    expect(delta?.set).toHaveLength(1);
  });

  it('sends nothing for a change that was taken back', () => {
    const { table, agent, take } = connected();
    table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
    take(0);
    table.acknowledge(1n, agent.checksum, null, 0);
    table.want(sourceRow(2, [{ neighbour: 3, weight: 1 }], 'a'));
    table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
    expect([take(0), table.converged]).toEqual([null, true]);
  });

  it('is frozen while it is late or refuses, and tries again after growing pauses', () => {
    const { table, agent, take } = connected();
    table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
    take(0);
    expect([table.tick(1_999), table.dueMs, table.tick(2_000), table.frozen]).toEqual([false, 2_000, true, true]);
    table.acknowledge(1n, agent.checksum, null, 2_100);
    expect(table.frozen).toBe(false);
    table.want(sourceRow(2, [{ neighbour: 4, weight: 1 }], 'a'));
    const refused = table.takeDelta(3_000, () => 2n);
    table.acknowledge(refused?.generation ?? 0n, 0n, 'command_failed', 3_000);
    expect([table.frozen, table.dueMs, take(3_999), take(4_000)]).toEqual([true, 4_000, null, 2n]);
  });

  it('knows at reconnect whether the delta on its way arrived', () => {
    for (const arrived of [true, false]) {
      const { table, agent, take } = connected();
      table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
      take(0);
      table.acknowledge(1n, agent.checksum, null, 0);
      const [generation, checksum] = [agent.generation, agent.checksum];
      table.want(sourceRow(2, [{ neighbour: 3, weight: 1 }], 'a'));
      take(0);
      table.disconnect();
      table.connect(arrived ? agent.generation : generation, arrived ? agent.checksum : checksum);
      const delta = table.takeDelta(0, () => 9n);
      if (arrived) expect(delta).toBeNull();
      else
        expect(delta).toMatchObject({
          full: false,
          baseGeneration: 1n,
          set: [sourceRow(2, [{ neighbour: 3, weight: 1 }], 'a')],
        });
    }
  });

  it('sends a full table to a node that holds something else, or asks for it', () => {
    const { table, agent, take } = connected();
    table.want(sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a'));
    take(0);
    table.acknowledge(1n, agent.checksum, null, 0);
    table.disconnect();
    table.connect(77n, 5n);
    expect(table.takeDelta(0, () => 78n)).toMatchObject({
      full: true,
      set: [sourceRow(2, [{ neighbour: 2, weight: 1 }], 'a')],
    });
    table.request();
    expect(table.takeDelta(0, () => 79n)).toMatchObject({ full: true, generation: 79n });
  });
});

describe('path change log', () => {
  it('is bounded, numbered and read from any number on', () => {
    const log = new PathChangeLog({ capacity: 3 });
    const change = { atMs: 0, from: 'a', to: 'b', before: [], after: [], reason: 'better_path' as const, detail: '' };
    for (let i = 0; i < 5; i++) log.append({ ...change, atMs: i, beforeCostUs: null, afterCostUs: null });
    expect(log.after(0).map((c) => [c.seq, c.atMs])).toEqual([
      [3, 2],
      [4, 3],
      [5, 4],
    ]);
    expect(log.after(4).map((c) => c.seq)).toEqual([5]);
    expect(log.recent('a', 'b', 2).map((c) => c.seq)).toEqual([5, 4]);
    expect(log.recent('b', 'a', 2)).toEqual([]);
  });
});
