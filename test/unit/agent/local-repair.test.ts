import { describe, expect, it } from 'vitest';
import { LocalRepair } from '../../../agent/local-repair.ts';
import type { LinkSummary } from '../../../overlay/stamp/prober.ts';
import { UNMEASURED } from '../../fake/fake-prober.ts';

describe('LocalRepair', () => {
  const seen = (repair: LocalRepair, link: Partial<LinkSummary>, monoMs: number, generation: bigint) =>
    repair.observe([{ ...UNMEASURED, peerIndex: 2, ...link }], monoMs, generation);

  it('leaves a neighbour at once and comes back after it stayed up and the core has spoken', () => {
    const repair = new LocalRepair(3000, 30_000);
    const see = (health: LinkSummary['health'], monoMs: number, generation: bigint) =>
      seen(repair, { health }, monoMs, generation);
    expect(see('up', 0, 7n)).toBe(false);
    expect(see('down', 100, 7n)).toBe(true);
    expect(see('down', 200, 8n)).toBe(false);
    expect(see('up', 1000, 8n)).toBe(false);
    expect(see('down', 1500, 8n)).toBe(false);
    expect(see('up', 2000, 8n)).toBe(false);
    expect(see('up', 4999, 8n)).toBe(false);
    expect([...repair.down]).toEqual([2]);
    expect(see('up', 5000, 8n)).toBe(true);
    expect([...repair.down]).toEqual([]);
  });

  it('lets a neighbour in at once that only stalled, but not again and again', () => {
    const repair = new LocalRepair(3000, 30_000);
    expect(seen(repair, { health: 'down' }, 0, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 200, 7n)).toBe(true);
    expect(repair.down.size).toBe(0);
    expect(seen(repair, { health: 'down' }, 2000, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 2200, 8n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 5200, 8n)).toBe(true);
    expect(seen(repair, { health: 'down' }, 11_000, 8n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 11_600, 9n)).toBe(false);
  });

  it('waits long for a core that says nothing, and not for ever', () => {
    const repair = new LocalRepair(3000, 30_000);
    expect(seen(repair, { health: 'down' }, 0, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 1000, 7n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 30_999, 7n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 31_000, 7n)).toBe(true);
  });

  it('moves once for a link that goes up and down more often than it trusts one', () => {
    const repair = new LocalRepair(3000, 30_000);
    let moves = 0;
    for (let monoMs = 0; monoMs < 60_000; monoMs += 250) {
      const health = monoMs % 4000 < 2000 ? 'down' : 'up';
      if (seen(repair, { health }, monoMs, BigInt(1 + Math.floor(monoMs / 5000)))) moves++;
    }
    expect(moves).toBe(1);
  });

  it('avoids a link that loses a good part of its packets', () => {
    const repair = new LocalRepair(3000, 30_000);
    expect(seen(repair, { health: 'up', grey: true }, 0, 1n)).toBe(true);
    expect([...repair.down]).toEqual([2]);
    expect(seen(repair, { health: 'up' }, 1000, 2n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 4000, 2n)).toBe(true);
  });

  it('forgets a neighbour that is gone', () => {
    const repair = new LocalRepair();
    seen(repair, { health: 'down' }, 0, 1n);
    expect(repair.observe([], 1, 1n)).toBe(true);
    expect(repair.down.size).toBe(0);
  });
});
