/** Which pairs of a simulated mesh hold sessions: all, or for each node its nearest and some at random. */
import { seededRandom } from '../seeded-random.ts';
import type { RttSource } from './rtt-matrix.ts';

/** Peers by node, ascending. `degree` 0: every pair that has an RTT. A node may get more where others choose it. */
export function choosePeers(rtts: RttSource, degree: number, seed: number): number[][] {
  const n = rtts.size;
  const chosen = Array.from({ length: n }, () => new Set<number>());
  const join = (a: number, b: number) => {
    if (a === b || rtts.rttUs(a, b) === null) return;
    chosen[a]?.add(b);
    chosen[b]?.add(a);
  };
  const next = seededRandom(seed ^ 0x5e55);
  for (let a = 0; a < n; a++) {
    if (degree === 0 || degree >= n - 1) {
      for (let b = 0; b < a; b++) join(a, b);
      continue;
    }
    const others = Array.from({ length: n }, (_, b) => ({ b, us: b === a ? null : rtts.rttUs(a, b) }))
      .filter((other): other is { b: number; us: number } => other.us !== null)
      .sort((x, y) => x.us - y.us || x.b - y.b);
    const near = Math.ceil(degree / 4);
    for (const { b } of others.slice(0, near)) join(a, b);
    for (let i = near; i < degree / 2; i++) join(a, Math.floor(next() * n));
  }
  return chosen.map((peers) => [...peers].sort((a, b) => a - b));
}

/** RTTs of the chosen pairs only: between others no packet goes directly. */
export function onlyBetween(peers: readonly (readonly number[])[], rtts: RttSource): RttSource {
  const links = new Set(peers.flatMap((of, a) => of.map((b) => a * rtts.size + b)));
  return { size: rtts.size, rttUs: (a, b) => (links.has(a * rtts.size + b) ? rtts.rttUs(a, b) : null) };
}
