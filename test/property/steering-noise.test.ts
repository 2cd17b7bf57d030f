/**
 * A real RTT matrix (12 cloud regions; Skyplane, Jain et al., NSDI 2023) with noise on every report: Gaussian, with a
 * heavy tail. Paths must come near the optimum of the matrix and then stay where they are.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { observation, SteeringLab } from '../unit/steering/steering-lab.ts';

const FILE = new URL('../../../shared/data/skyplane/latency.csv.gz', import.meta.url);
const SIZE = 12;

/** RTTs in microseconds of every second region, broken samples replaced by their reverse direction. */
function matrix(): number[][] {
  const rows = gunzipSync(readFileSync(FILE)).toString().trim().split('\n').slice(1);
  const rtt = new Map<string, number>();
  for (const row of rows) {
    const [from, fromTier, , to, toTier, , min, avg, max] = row.split(',');
    if (fromTier !== 'PREMIUM' || toTier !== 'PREMIUM') continue;
    if (Number(min) < 0.8 * Number(max)) continue;
    rtt.set(`${from} ${to}`, Number(avg) * 1_000);
  }
  const names = [...new Set([...rtt.keys()].map((k) => k.split(' ')[0] ?? ''))].sort();
  const chosen = names.filter((_, i) => i % 2 === 0).slice(0, SIZE);
  return chosen.map((a) => chosen.map((b) => rtt.get(`${a} ${b}`) ?? rtt.get(`${b} ${a}`) ?? 250_000));
}

/** Mulberry32: a seeded generator of numbers in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.skipIf(!existsSync(FILE))('steering on a noisy real matrix', { timeout: 60_000 }, () => {
  it.each([1, 2, 3])('comes near the optimum and does not flap (seed %i)', (seed) => {
    const truth = matrix();
    const next = random(seed);
    const gauss = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const noise = () => 100 * Math.abs(gauss()) + (next() < 0.01 ? Math.min(20_000, 300 * next() ** (-1 / 1.5)) : 0);
    const rttOf = (a: number, b: number) => Math.max(truth[a]?.[b] ?? 0, truth[b]?.[a] ?? 0);
    const lab = new SteeringLab();
    for (let i = 1; i <= SIZE; i++) lab.join(i);
    const report = (bias: number) => {
      for (let a = 0; a < SIZE; a++) {
        const links = [...truth.keys()]
          .filter((b) => b !== a)
          .map((b) => observation(b + 1, Math.round(rttOf(a, b) * bias + noise())));
        lab.engine.linksReported(a + 1, links, lab.nowMs);
      }
    };
    // the first seconds' RTTs are too long, then they get better
    for (let s = 0; s < 80; s++) {
      report(1 + 0.1 * Math.exp(-s / 4));
      lab.run(500, 250);
    }
    const before = lab.engine.pathChangesAfter(0).length;
    for (let s = 0; s < 360; s++) {
      report(1);
      lab.run(500, 250);
    }
    expect(lab.engine.pathChangesAfter(before).map((c) => `${c.before} to ${c.after}: ${c.detail}`)).toEqual([]);
    const best = truth.map((row, a) => row.map((_, b) => (a === b ? 0 : rttOf(a, b))));
    for (let k = 0; k < SIZE; k++) {
      for (let a = 0; a < SIZE; a++) {
        for (let b = 0; b < SIZE; b++) {
          const row = best[a] ?? [];
          row[b] = Math.min(row[b] ?? 0, (row[k] ?? 0) + (best[k]?.[b] ?? 0));
        }
      }
    }
    let stretch = 0;
    for (const path of lab.engine.paths()) {
      const hops = path.path.map((name) => Number(name.slice(1)) - 1);
      const rttUs = hops.slice(1).reduce((sum, hop, i) => sum + rttOf(hops[i] ?? 0, hop), 0);
      const optimum = best[hops[0] ?? 0]?.[hops.at(-1) ?? 0] ?? 0;
      expect(rttUs, path.path.join(' - ')).toBeLessThanOrEqual(optimum * 1.03 + 1_500);
      stretch += rttUs / optimum - 1;
    }
    expect(stretch / (SIZE * (SIZE - 1))).toBeLessThan(0.01);
  });
});
