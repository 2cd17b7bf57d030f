import { describe, expect, it } from 'vitest';
import { detectionSettings, linkUse, neighboursInUse } from '../../../agent/link-use.ts';
import type { RouteRow } from '../../../protocol/route-table.ts';

describe('link use', () => {
  const row = (destination: number, neighbour: number, backups: number[] = []): RouteRow => ({
    table: 'source',
    destination,
    blockBits: 0,
    plane: neighbour === destination ? null : 'a',
    nextHops: [{ neighbour, weight: 1 }],
    backups,
  });
  const peers = [{ index: 2 }, { index: 3 }, { index: 4 }, { index: 5 }];

  it('is watched as next hop, as backup, and where a peer has no row', () => {
    expect([...neighboursInUse([row(2, 2, [3]), row(4, 2), row(3, 2)], peers)].sort()).toEqual([2, 3, 5]);
    expect([...neighboursInUse([{ ...row(0, 3), blockBits: 3 }], peers)]).toEqual([3]);
  });

  it('is busy with traffic, whatever the tables say', () => {
    expect(linkUse(false, 1e6)).toBe('busy');
    expect(linkUse(false, 5000)).toBe('idle');
    expect(linkUse(true, undefined)).toBe('watched');
  });

  it('follows the pace of the core, and of who wants it fast', () => {
    const rules = { guard: 'normal', packetsPerSecond: 500, processorShare: 0.1 } as const;
    expect(detectionSettings({ intervalMs: 250 }, rules)).toMatchObject({ watchedMs: 250, idleMs: 1000 });
    expect(detectionSettings({ intervalMs: 5000 }, rules)).toMatchObject({ watchedMs: 5000, idleMs: 5000 });
    const fast = detectionSettings({ intervalMs: 250 }, { ...rules, guard: 'fast' });
    expect(fast).toMatchObject({ watchedMs: 50, idleMs: 1000, guard: 'fast' });
  });
});
