/**
 * Twelve senders whose direct links of 10 Mbit/s are full, and four relays, all within 1 % of each other, of which nobody knows
 * what they carry:
 *
 *   s1 .. s12  --  r1 .. r4  --  t      s - r - t: 12 ms          s - t: 10 ms
 */
import { describe, expect, it } from 'vitest';
import { optimise } from '../../../steering/traffic-engineering/optimise.ts';

const SENDERS = 12;
const RELAYS = 4;
const TARGET = SENDERS + RELAYS;

function usedBy(rttOf: (relay: number) => number): Map<number, number> {
  const links: { from: number; to: number; rttUs: number; bps: number }[] = [];
  for (let s = 0; s < SENDERS; s++) {
    links.push({ from: s, to: TARGET, rttUs: 10_000, bps: 10e6 });
    for (let r = 0; r < RELAYS; r++) links.push({ from: s, to: SENDERS + r, rttUs: rttOf(r), bps: Infinity });
  }
  for (let r = 0; r < RELAYS; r++) links.push({ from: SENDERS + r, to: TARGET, rttUs: 6_000, bps: Infinity });
  const network = {
    nodeCount: TARGET + 1,
    from: Int32Array.from(links, ({ from }) => from),
    to: Int32Array.from(links, ({ to }) => to),
    rttUs: Float64Array.from(links, ({ rttUs }) => rttUs),
    capacityBps: Float64Array.from(links, ({ bps }) => bps),
  };
  const senders = Array.from({ length: SENDERS }, (_, s) => s);
  const demand = {
    from: Int32Array.from(senders),
    to: new Int32Array(SENDERS).fill(TARGET),
    rateBps: new Float64Array(SENDERS).fill(12e6),
  };
  const { loads, calm } = optimise(network, demand);
  expect(calm).toBe(false);
  const users = new Map<number, number>();
  for (const [k, { from, to }] of links.entries()) {
    if (from < SENDERS && to !== TARGET && (loads.linkBps[k] ?? 0) > 1e5) users.set(to, (users.get(to) ?? 0) + 1);
  }
  return users;
}

describe('near ties', () => {
  it('fall differently from node to node: a relay that is a little better is not taken by all', () => {
    const users = usedBy((relay) => 6_000 + 15 * relay);
    expect(users.size).toBeGreaterThanOrEqual(RELAYS - 1);
    expect(Math.max(...users.values())).toBeLessThan(SENDERS);
  });

  it('are no ties any more where a relay is a quarter nearer', () => {
    expect([...usedBy((relay) => (relay === 2 ? 4_500 : 6_000)).keys()]).toEqual([SENDERS + 2]);
  });
});
