/**
 * The session plan at work on virtual time: joins, troubles, departures, while the plan changes. No node may lose a session
 * that its rows point at; nobody's packets may go round or get lost in a table; all pairs are reached.
 */
import { describe, expect, it } from 'vitest';
import { DEFAULT_SIMULATION, Simulation } from '../../../../netlab/simulator/simulation.ts';
import { SyntheticRtts } from '../../../../netlab/simulator/synthetic-rtts.ts';

const MAX_PEERS = 5;

function simulate(size: number, options: Partial<typeof DEFAULT_SIMULATION>): Simulation {
  // a session that is lost while a node leaves takes its goodbye back: that is looked at elsewhere
  const always = { maxPeers: MAX_PEERS, lostAckShare: 0 };
  return new Simulation(new SyntheticRtts(size, 1), { ...DEFAULT_SIMULATION, ...always, ...options });
}

describe('a simulated mesh with a session plan', { timeout: 120_000 }, () => {
  it('reaches everybody over a bounded number of sessions, near the optimum, and comes to rest', () => {
    const mesh = simulate(16, { troublesPerMinute: 0, seconds: 200 });
    mesh.runUntil(100);
    const ledger = mesh.sessions?.mesh.ledger;
    expect(ledger?.everyPair).toBe(false);
    expect(mesh.sample()).toMatchObject({ outage: 0, pairs: 16 * 15 });
    expect(mesh.sample().meanStretch).toBeLessThan(1.08);
    for (let node = 1; node <= 16; node++) {
      const planned = [...(ledger?.peersOf(node) ?? [])].filter((peer) => ledger?.get(node, peer)?.role === 'planned');
      expect(planned.length).toBeGreaterThan(0);
      expect(planned.length).toBeLessThanOrEqual(MAX_PEERS);
    }
    const { pathChanges } = mesh.core;
    const result = mesh.run();
    expect(result).toMatchObject({ loops: 0, missingRows: 0 });
    expect(result.sessions).toMatchObject({ brokenRows: 0 });
    expect(result.sessions?.opened).toBeLessThan(120 * 3);
    expect(mesh.core.pathChanges).toBe(pathChanges);
  });

  it('gives every leaf transit nodes, and none of them forwards', () => {
    const mesh = simulate(16, { troublesPerMinute: 0, leafShare: 0.3, seconds: 80, settleSeconds: 20 });
    mesh.run();
    expect(mesh.sample()).toMatchObject({ outage: 0, pairs: 16 * 15 });
  });

  it.each([1, 2])('loses no session that is in use, whatever happens (seed %i)', (seed) => {
    const options = { seed, seconds: 200, settleSeconds: 80, troublesPerMinute: 45, leafShare: 0.1 };
    const mesh = simulate(14, options);
    const { loops, missingRows, firstFaults, sessions, troubles } = mesh.run();
    expect({ loops, missingRows, firstFaults }).toEqual({ loops: 0, missingRows: 0, firstFaults: [] });
    expect(sessions).toMatchObject({ brokenRows: 0 });
    expect(sessions?.closed).toBeGreaterThan(20);
    expect(Object.values(troubles).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(20);
    expect(mesh.sample().outage).toBe(0);
  });
});
