import { describe, expect, it } from 'vitest';
import { LocalRepair } from '../../../agent/local-repair.ts';
import type { LinkSummary } from '../../../overlay/stamp/prober.ts';
import { UNMEASURED } from '../../fake/fake-prober.ts';

describe('LocalRepair', () => {
  const seen = (repair: LocalRepair, link: Partial<LinkSummary>, monoMs: number, generation: bigint) =>
    repair.observe([{ ...UNMEASURED, peerIndex: 2, ...link }], monoMs, generation);

  /** One that has failed once, and been let in at once, at 0 and 1 ms. */
  const relapsing = (): LocalRepair => {
    const repair = new LocalRepair(3000, 30_000);
    expect(seen(repair, { health: 'down' }, 0, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 1, 7n)).toBe(true);
    return repair;
  };

  it('lets a neighbour in at once the first time in a minute', () => {
    const repair = relapsing();
    expect(repair.down.size).toBe(0);
    expect(seen(repair, { health: 'down' }, 60_000, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 60_001, 7n)).toBe(true);
    expect(seen(repair, { health: 'down' }, 100_000, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 120_000, 7n)).toBe(false);
  });

  it('leaves a neighbour at once and comes back after it stayed up and the core has spoken', () => {
    const repair = relapsing();
    const see = (health: LinkSummary['health'], monoMs: number, generation: bigint) =>
      seen(repair, { health }, monoMs, generation);
    expect(see('up', 50, 7n)).toBe(false);
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

  it('waits long for a core that says nothing, and not for ever', () => {
    const repair = relapsing();
    expect(seen(repair, { health: 'down' }, 500, 7n)).toBe(true);
    expect(seen(repair, { health: 'up' }, 1000, 7n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 30_999, 7n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 31_000, 7n)).toBe(true);
  });

  it('moves and goes back once, and moves once more, for a link that goes up and down more often than it trusts one', () => {
    const repair = new LocalRepair(3000, 30_000);
    let moves = 0;
    for (let monoMs = 0; monoMs < 60_000; monoMs += 250) {
      const health = monoMs % 4000 < 2000 ? 'down' : 'up';
      if (seen(repair, { health }, monoMs, BigInt(1 + Math.floor(monoMs / 5000)))) moves++;
    }
    expect(moves).toBe(3);
  });

  it('avoids a link that loses a good part of its packets', () => {
    const repair = relapsing();
    expect(seen(repair, { health: 'up', grey: true }, 100, 7n)).toBe(true);
    expect([...repair.down]).toEqual([2]);
    expect(seen(repair, { health: 'up' }, 1000, 8n)).toBe(false);
    expect(seen(repair, { health: 'up' }, 4000, 8n)).toBe(true);
  });

  it('forgets a neighbour that is gone', () => {
    const repair = new LocalRepair();
    seen(repair, { health: 'down' }, 0, 1n);
    expect(repair.observe([], 1, 1n)).toBe(true);
    expect(repair.down.size).toBe(0);
  });
});
