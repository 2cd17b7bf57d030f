/** Backups in rows: what they are, when they change, and that they change nothing else. */
import { describe, expect, it } from 'vitest';
import { SteeringLab } from './steering-lab.ts';

/**
 *        2              1 - 4 costs 100 ms, so 1 sends to 4 by 2; 3 is the other way round
 *   5   /   \   10
 *     1       4
 *   8   \   /   9
 *        3
 */
function diamond(): SteeringLab {
  const lab = new SteeringLab();
  for (const index of [1, 2, 3, 4]) lab.join(index);
  lab.link(1, 2, 5_000);
  lab.link(2, 4, 10_000);
  lab.link(1, 3, 8_000);
  lab.link(3, 4, 9_000);
  lab.link(1, 4, 100_000);
  lab.run(60_000);
  return lab;
}

const sourceRow = (lab: SteeringLab, from: number, to: number) =>
  lab.node(from).table.get({ table: 'source', destination: to, blockBits: 0 });

describe('backups', () => {
  it('come with the rows, and avoid the next hop', () => {
    const lab = diamond();
    expect(sourceRow(lab, 1, 4)).toMatchObject({ nextHops: [{ neighbour: 2, weight: 1 }], backups: [3] });
    expect(sourceRow(lab, 1, 2)).toMatchObject({ nextHops: [{ neighbour: 2, weight: 1 }], plane: null, backups: [4] });
    const transit = lab.node(2).table.get({ table: 'transitA', destination: 4, blockBits: 0 });
    // by way of 1 packets would come back: its next hop towards 4 is 2
    expect(transit).toMatchObject({ nextHops: [{ neighbour: 4, weight: 1 }], backups: [] });
    const { direct, detour } = lab.engine.backupCounts();
    expect(direct.pairs + detour.pairs).toBe(12);
    expect(detour.node).toBeGreaterThan(0);
    expect(detour.link).toBeGreaterThanOrEqual(detour.node);
  });

  it('are taken away with their link, and no path changes by that', () => {
    const lab = diamond();
    const changes = lab.engine.pathChangesAfter(0).length;
    lab.sent.splice(0);
    lab.link(1, 3, null);
    lab.run(5_000);
    expect(sourceRow(lab, 1, 4)?.nextHops).toEqual([{ neighbour: 2, weight: 1 }]);
    expect(sourceRow(lab, 1, 4)?.backups).toEqual([4]);
    const moved = lab.engine.pathChangesAfter(0).slice(changes);
    expect(moved.map(({ from, to }) => `${from} ${to}`).filter((pair) => pair === 'n1 n4')).toEqual([]);
  });

  it('stay when links only cost more or less: not one delta', () => {
    const lab = diamond();
    lab.sent.splice(0);
    // by way of 3 is now dearer than 1 - 4 is, and protects as before
    lab.link(3, 4, 16_000);
    lab.link(1, 4, 20_000);
    lab.run(30_000);
    const towards4 = lab.sent.filter(({ index, delta }) => index === 1 && delta.set.some((r) => r.destination === 4));
    expect(sourceRow(lab, 1, 4)?.backups).toEqual([3]);
    expect(towards4).toEqual([]);
  });

  it('do not follow a link that comes and goes', () => {
    const lab = diamond();
    lab.link(1, 3, null);
    lab.run(30_000);
    const kept = sourceRow(lab, 1, 4)?.backups;
    lab.sent.splice(0);
    for (let beat = 0; beat < 5; beat++) {
      lab.link(1, 4, 100_000 + beat);
      lab.run(1_000);
    }
    expect(sourceRow(lab, 1, 4)?.backups).toEqual(kept);
    expect(lab.sent).toEqual([]);
  });

  it('survive a restart of the core without a delta', () => {
    const lab = diamond();
    const saved = lab.engine.exportState();
    lab.sent.splice(0);
    lab.restart(saved);
    for (const index of [1, 2, 3, 4]) lab.reconnect(index);
    lab.run(60_000);
    expect(lab.sent).toEqual([]);
    expect(sourceRow(lab, 1, 4)?.backups).toEqual([3]);
  });

  it('are given up for a node that left, and counted anew', () => {
    const lab = diamond();
    const before = lab.engine.backupCounts();
    lab.engine.upsertNode({ index: 3, name: 'n3', transit: false }, lab.nowMs);
    lab.run(30_000);
    expect(sourceRow(lab, 1, 4)?.backups).toEqual([4]);
    lab.engine.removeNode(3, lab.nowMs);
    lab.nodes.delete(3);
    lab.run(30_000);
    const after = lab.engine.backupCounts();
    expect(after.direct.pairs + after.detour.pairs).toBe(6);
    expect(before.direct.pairs + before.detour.pairs).toBe(12);
  });
});
