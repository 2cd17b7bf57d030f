/** What the roles of the session plan do to links, paths and tables. */
import { describe, expect, it } from 'vitest';
import type { LinkRole } from '../../../steering/steering-engine-port.ts';
import { SteeringLab } from './steering-lab.ts';

const all: readonly (readonly [number, number])[] = [
  [1, 2],
  [1, 3],
  [2, 3],
];

/** 1 - 2 directly 5 ms, by way of 3: 8 + 5 ms. */
function triangle(): SteeringLab {
  const lab = new SteeringLab();
  for (const index of [1, 2, 3]) lab.join(index);
  lab.link(1, 2, 5_000);
  lab.link(1, 3, 8_000);
  lab.link(2, 3, 5_000);
  limit(lab, ...all.map(([low, high]) => [low, high, 'planned'] as const));
  lab.run(10_000);
  return lab;
}

function limit(lab: SteeringLab, ...pairs: (readonly [number, number, LinkRole])[]): void {
  lab.engine.linkRolesChanged(
    pairs.map(([low, high, role]) => ({ low, high, role })),
    lab.nowMs,
  );
}

const uses = (lab: SteeringLab, from: number, to: number) => lab.engine.neighboursInUse(from)?.has(to);

describe('a link of the session plan', () => {
  it('that leaves loses its packets to another way, none of them on the way, and is then not in use', () => {
    const lab = triangle();
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
    expect([uses(lab, 1, 2), uses(lab, 2, 1)]).toEqual([true, true]);
    limit(lab, [1, 2, 'leaving']);
    for (let i = 0; i < 50; i++) {
      lab.run(100, 20);
      expect(lab.trace(1, 2).end).toBe('delivered');
      expect(lab.trace(2, 1).end).toBe('delivered');
    }
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    expect([uses(lab, 1, 2), uses(lab, 2, 1)]).toEqual([false, false]);
    limit(lab, [1, 2, 'draining']);
    lab.run(1_000);
    limit(lab, [1, 2, 'none']);
    lab.run(1_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    expect(lab.engine.links().map(({ from, to }) => `${from} ${to}`)).toEqual(['n1 n3', 'n2 n3', 'n3 n1', 'n3 n2']);
  });

  it('that leaves stays in use where there is no other way', () => {
    const lab = triangle();
    lab.link(2, 3, null);
    lab.link(1, 3, null);
    limit(lab, [1, 2, 'leaving']);
    lab.run(60_000);
    expect(lab.trace(1, 2)).toEqual({ end: 'delivered', path: [1, 2] });
    expect(uses(lab, 1, 2)).toBe(true);
  });

  it('that leaves is taken again when the other way breaks', () => {
    const lab = triangle();
    limit(lab, [1, 2, 'leaving']);
    lab.run(10_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    lab.link(1, 3, null);
    lab.run(5_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
  });

  it('is in use while nobody can tell a node to leave it, or knows what it holds', () => {
    const lab = triangle();
    lab.disconnect(1);
    limit(lab, [1, 2, 'leaving']);
    lab.run(20_000);
    expect(uses(lab, 1, 2)).toBe(true);
    lab.reconnect(1);
    lab.run(10_000);
    expect(uses(lab, 1, 2)).toBe(false);
    lab.engine.nodeDisconnected(1, lab.nowMs);
    lab.engine.nodeConnected(1, 7n, 7n, lab.nowMs);
    expect(lab.engine.neighboursInUse(1)).toBeNull();
    expect(lab.engine.neighboursInUse(99)?.size).toBe(0);
  });

  it('that is explored is measured and carries nothing until it is planned', () => {
    const lab = triangle();
    limit(lab, [1, 2, 'leaving']);
    lab.run(10_000);
    limit(lab, [1, 2, 'exploring']);
    lab.link(1, 2, 1_000);
    lab.run(30_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    expect(lab.engine.links()[0]).toMatchObject({
      from: 'n1',
      to: 'n2',
      role: 'exploring',
      health: 'up',
      rttUs: 1_000,
    });
    limit(lab, [1, 2, 'planned']);
    lab.run(5_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
  });

  it('that is gone is forgotten: a late report, and one from before, count no more', () => {
    const lab = triangle();
    limit(lab, [1, 3, 'none']);
    lab.run(5_000);
    expect(lab.trace(1, 3).path).toEqual([1, 2, 3]);
    lab.link(1, 3, 1_000);
    lab.run(5_000);
    expect(lab.trace(1, 3).path).toEqual([1, 2, 3]);
    limit(lab, [1, 3, 'planned']);
    lab.run(5_000);
    expect(lab.engine.links().find(({ from, to }) => from === 'n1' && to === 'n3')?.health).toBe('unmeasured');
    lab.reportAll(1);
    lab.run(5_000);
    expect(lab.trace(1, 3).path).toEqual([1, 3]);
  });

  it('counts again when every pair is planned', () => {
    const lab = triangle();
    limit(lab, [1, 2, 'exploring']);
    lab.run(5_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    lab.engine.linkRolesChanged(null, lab.nowMs);
    lab.run(5_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
  });

  it('does not come back with the saved state when it is gone meanwhile', () => {
    const lab = triangle();
    limit(lab, [1, 2, 'none']);
    lab.run(5_000);
    const saved = lab.engine.exportState();
    lab.restart(saved);
    limit(lab, [1, 3, 'planned'], [2, 3, 'planned']);
    for (const index of [1, 2, 3]) lab.reconnect(index);
    lab.run(5_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    expect(uses(lab, 1, 2)).toBe(false);
  });

  it('leaves a pair without any way unreachable, and does not call it direct', () => {
    const lab = triangle();
    limit(lab, [1, 2, 'none'], [1, 3, 'none']);
    lab.run(5_000);
    expect(lab.engine.paths().find(({ from, to }) => from === 'n1' && to === 'n2')?.kind).toBe('unreachable');
  });
});
