import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PERFECT_LINK } from '../../../netlab/link-shape.ts';
import { seededRandom } from '../../../netlab/seeded-random.ts';
import { MIN_QUEUE_BYTES, QUEUE_US, ShapedLink } from '../../../netlab/shaped-link.ts';

function linkWith(shape: Partial<typeof PERFECT_LINK>, seed = 1): ShapedLink {
  const link = new ShapedLink(seededRandom(seed));
  link.setShape({ ...PERFECT_LINK, ...shape });
  return link;
}

describe('ShapedLink', () => {
  test('a perfect link delivers at once', () => {
    expect(linkWith({}).enter(100, 5)).toBe(5);
  });

  test('adds the one-way delay', () => {
    expect(linkWith({ oneWayDelayUs: 2500 }).enter(100, 1000)).toBe(3500);
  });

  test('a cut link takes nothing, and heals', () => {
    const link = linkWith({ cut: true });
    expect(link.enter(100, 0)).toBe('cut');
    link.setShape(PERFECT_LINK);
    expect(link.enter(100, 1)).toBe(1);
  });

  test('a new delay holds from the next frame on and may let it overtake', () => {
    const link = linkWith({ oneWayDelayUs: 100_000 });
    expect(link.enter(100, 0)).toBe(100_000);
    link.setShape({ ...PERFECT_LINK, oneWayDelayUs: 5000 });
    expect(link.enter(100, 10)).toBe(5010);
  });

  test('jitter stays in its range and never reorders', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 2, maxLength: 200 }),
        fc.nat(),
        (gaps, seed) => {
          const link = linkWith({ oneWayDelayUs: 1000, jitterUs: 800 }, seed);
          let now = 0;
          let last = 0;
          for (const gap of gaps) {
            now += gap;
            const due = link.enter(60, now) as number;
            expect(due).toBeGreaterThanOrEqual(Math.max(last, now + 1000));
            expect(due).toBeLessThanOrEqual(now + 1800);
            last = due;
          }
        },
      ),
    );
  });

  test('loses the share that was asked for, the same frames for the same seed', () => {
    const run = (seed: number) => {
      const link = linkWith({ lossPpm: 100_000 }, seed);
      return Array.from({ length: 20_000 }, (_, i) => link.enter(60, i) === 'lost');
    };
    const lost = run(7).filter(Boolean).length;
    expect(lost).toBeGreaterThan(1800);
    expect(lost).toBeLessThan(2200);
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  test('loss of 1,000,000 ppm loses all, of 0 none', () => {
    const all = linkWith({ lossPpm: 1_000_000 });
    const none = linkWith({ lossPpm: 0 });
    for (let i = 0; i < 1000; i++) {
      expect(all.enter(60, i)).toBe('lost');
      expect(none.enter(60, i)).toBe(i);
    }
  });

  test('a rate spaces frames by their size: 1,250 bytes at 10 Mbit/s take 1 ms', () => {
    const link = linkWith({ rateBps: 10_000_000, oneWayDelayUs: 500 });
    expect([link.enter(1250, 0), link.enter(1250, 0), link.enter(625, 100)]).toEqual([1500, 2500, 3000]);
    expect(link.enter(1250, 50_000)).toBe(51_500);
  });

  test('the queue of a rate is bounded and drops its tail', () => {
    const link = linkWith({ rateBps: 10_000_000 });
    const dues = Array.from({ length: 200 }, () => link.enter(1250, 0));
    const taken = dues.filter((due) => typeof due === 'number');
    expect(taken.length).toBe(QUEUE_US / 1000 + 1);
    expect(dues.at(-1)).toBe('queueFull');
    expect(link.enter(1250, 2000)).toBe(52_000);
  });

  test('even a slow link takes a short burst of full frames', () => {
    const link = linkWith({ rateBps: 100_000 });
    const burst = Array.from({ length: MIN_QUEUE_BYTES / 1514 }, () => link.enter(1514, 0));
    expect(burst.every((due) => typeof due === 'number')).toBe(true);
  });
});
