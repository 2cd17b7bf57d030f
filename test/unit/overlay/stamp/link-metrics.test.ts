import { describe, expect, it } from 'vitest';
import { LinkMetrics } from '../../../../overlay/stamp/link-metrics.ts';

/** Feeds RTTs (ms) of consecutive probes 200 ms apart; returns the figures after each. */
function feed(metrics: LinkMetrics, rttsMs: readonly number[], first = 0, sequences?: readonly number[]) {
  return rttsMs.map((ms, i) => {
    const nowMs = (first + i) * 200;
    metrics.addSample(sequences?.[i] ?? first + i, Math.round(ms * 1000), nowMs);
    return metrics.figures(nowMs);
  });
}

const repeat = (value: number, times: number) => Array.from({ length: times }, () => value);

/** Deterministic uniform numbers (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('link metrics', () => {
  it('has nothing to say before the first sample, and null instead of 0', () => {
    expect(new LinkMetrics().figures(0)).toEqual({ rttUs: null, minRttUs: null, jitterUs: null, samples: 0 });
  });

  it('jumps when a step up has lasted a second, and on the second sample of a step down', () => {
    const metrics = new LinkMetrics();
    feed(metrics, repeat(5, 30));
    expect(feed(metrics, repeat(100, 6), 30).map((f) => f.rttUs)).toEqual([...repeat(5000, 5), 100_000]);
    feed(metrics, repeat(100, 30), 36);
    expect(feed(metrics, repeat(5, 2), 66).map((f) => f.rttUs)).toEqual([100_000, 5000]);
  });

  it('does not move for one or two outliers, however large', () => {
    const metrics = new LinkMetrics();
    feed(metrics, repeat(5, 10));
    for (let round = 0; round < 20; round++) {
      for (const figures of feed(metrics, [5000, 900, 5, 5, 5, 5], 10 + round * 6)) expect(figures.rttUs).toBe(5000);
    }
  });

  it('takes the late answers to a burst of probes for the one stall that they are', () => {
    const metrics = new LinkMetrics();
    feed(metrics, repeat(5, 30));
    for (let i = 0; i < 12; i++) metrics.addSample(30 + i, 60_000, 6000 + i * 10);
    expect(metrics.figures(6120).rttUs).toBe(5000);
    metrics.addSample(42, 60_000, 7000);
    expect(metrics.figures(7000).rttUs).toBe(60_000);
  });

  it('knows what it knew after an outage that was none, unless the path is another one now', () => {
    for (const [now, level, samples] of [
      [5.5, 5000, 25],
      [100, 100_000, 1],
    ] as const) {
      const metrics = new LinkMetrics();
      feed(metrics, repeat(5, 30));
      metrics.restart();
      metrics.takeBack();
      expect(feed(metrics, [now], 30)[0]).toMatchObject({ rttUs: level, samples });
    }
    const metrics = new LinkMetrics();
    feed(metrics, repeat(5, 30));
    metrics.restart();
    expect(feed(metrics, [5.5], 30)[0]).toMatchObject({ rttUs: 5500, samples: 1 });
  });

  it('follows a small change within seconds', () => {
    const metrics = new LinkMetrics();
    feed(metrics, repeat(20, 40));
    const figures = feed(metrics, repeat(21.5, 40), 40);
    expect(figures.findIndex((f) => (f.rttUs ?? 0) > 21_300)).toBeLessThan(30);
    expect(figures.at(-1)?.rttUs).toBeGreaterThan(21_400);
  });

  it.each([1, 2, 3])('stays near the floor under heavy-tailed noise and makes no false steps (seed %i)', (seed) => {
    const next = random(seed);
    const metrics = new LinkMetrics();
    // Pareto noise (shape 1.1: an infinite variance) of 0.2 ms on 20 ms.
    const noisy = Array.from({ length: 3000 }, () => 20 + 0.2 * (next() ** (-1 / 1.1) - 1));
    const levels = feed(metrics, noisy)
      .slice(10)
      .map((f) => f.rttUs ?? 0);
    expect(Math.min(...levels)).toBeGreaterThanOrEqual(20_000);
    expect(Math.max(...levels)).toBeLessThan(20_500);
  });

  it('sees 5 to 100 ms within five samples under that noise too', () => {
    const next = random(9);
    const metrics = new LinkMetrics();
    const noise = () => 0.5 * (next() ** (-1 / 1.1) - 1);
    feed(
      metrics,
      repeat(5, 50).map((ms) => ms + noise()),
    );
    const after = feed(
      metrics,
      repeat(100, 5).map((ms) => ms + noise()),
      50,
    );
    expect(after.findIndex((f) => (f.rttUs ?? 0) > 95_000)).toBeLessThanOrEqual(3);
  });

  it('takes jitter from consecutive probes only, and from enough of them', () => {
    const metrics = new LinkMetrics();
    expect(feed(metrics, [10, 11, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11]).at(-1)?.jitterUs).toBe(null);
    expect(feed(metrics, [10], 12).at(-1)?.jitterUs).toBe(1000);
    // One late sample is not jitter.
    expect(feed(metrics, [300, 10, 11], 13).at(-1)?.jitterUs).toBe(1000);
    // Every other probe lost: no two are consecutive, and the window forgets the pairs it had.
    const sparse = new LinkMetrics();
    for (let i = 0; i < 40; i++) sparse.addSample(2 * i, 10_000 + 1000 * (i % 2), 200 * i);
    expect(sparse.figures(8000).jitterUs).toBe(null);
  });

  it('remembers the minimum for 5 minutes and forgets a window after 10 s of silence', () => {
    const metrics = new LinkMetrics();
    metrics.addSample(0, 3000, 0);
    for (let i = 1; i < 100; i++) metrics.addSample(i, 9000, i * 200);
    expect(metrics.figures(20_000)).toMatchObject({ minRttUs: 3000, rttUs: 9000 });
    expect(metrics.figures(40_000)).toEqual({ rttUs: null, minRttUs: 3000, jitterUs: null, samples: 0 });
    metrics.addSample(500, 9000, 310_000);
    expect(metrics.figures(310_000)).toEqual({ rttUs: 9000, minRttUs: 9000, jitterUs: null, samples: 1 });
  });
});
