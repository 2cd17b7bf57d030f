import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_HOME } from '../../steering/aggregation/prefix-trie.ts';
import { FleetEngine } from '../../steering/fleet/fleet-engine.ts';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { NO_TRANSIT } from '../../steering/leaf/leaf-links.ts';
import { FleetReceivers } from '../fake/fleet-receivers.ts';
import { observedLink } from '../fake/observed-link.ts';
import { PlainTrees } from '../fake/plain-trees.ts';

const BITS = 9;

type Command =
  | { kind: 'leaf'; leaf: number; transit: number; us: number | null }
  | { kind: 'pair'; a: number; b: number; us: number | null }
  | { kind: 'addLeaves'; own: readonly [number, readonly (readonly [number, number])[]] }
  | { kind: 'capacity'; transit: number; leaves: number }
  | { kind: 'demand'; leaf: number; to: readonly number[] }
  | { kind: 'addTransit'; links: readonly number[] }
  | { kind: 'removeLeaf'; leaf: number };

class Fleet {
  readonly graph = new CsrGraph();
  readonly trees = new PlainTrees(this.graph);
  readonly engine = new FleetEngine(
    { graph: this.graph, trees: this.trees },
    { blocks: { bits: BITS, firstBits: 4 }, sweepPerSecond: 100 },
  );
  readonly receivers = new FleetReceivers();
  readonly transits: number[] = [];
  readonly leaves: number[] = [];
  nowMs = 1_000;

  addTransit(capacity: number, links: readonly number[]): void {
    const near = this.transits[0] ?? 0;
    const index = this.engine.addTransit(capacity, near, this.nowMs);
    for (const [i, rtt] of links.entries()) {
      const peer = this.transits[i % Math.max(1, this.transits.length)];
      if (peer === undefined) continue;
      this.engine.openSession(index, peer);
      this.engine.reportLink(index, observedLink(peer, rtt), this.nowMs);
    }
    this.transits.push(index);
  }

  addLeaf(links: readonly (readonly [number, number])[]): void {
    const candidates = links.map(([at, costUs]) => ({
      transit: this.transits[at % this.transits.length] ?? 0,
      costUs,
    }));
    this.leaves.push(this.engine.addLeaf(candidates, this.nowMs));
  }

  carryOut(c: Command): void {
    const { engine, nowMs } = this;
    const leaf = (at: number) => this.leaves[at % Math.max(1, this.leaves.length)] ?? 0;
    const transit = (at: number) => this.transits[at % this.transits.length] ?? 0;
    switch (c.kind) {
      case 'leaf':
        engine.reportLink(leaf(c.leaf), observedLink(transit(c.transit), c.us), nowMs);
        break;
      case 'pair':
        engine.openSession(transit(c.a), transit(c.b));
        engine.reportLink(transit(c.a), observedLink(transit(c.b), c.us), nowMs);
        break;
      case 'capacity':
        engine.setCapacity(transit(c.transit), c.leaves, nowMs);
        break;
      case 'demand':
        engine.reportDemand(leaf(c.leaf), c.to.map(leaf));
        break;
      case 'addLeaves':
        for (let i = 0; i < c.own[0] && this.leaves.length < 300; i++) this.addLeaf(c.own[1]);
        break;
      case 'addTransit':
        if (this.transits.length < 8) this.addTransit(60, c.links);
        break;
      case 'removeLeaf': {
        const gone = leaf(c.leaf);
        engine.removeLeaf(gone);
        this.leaves.splice(0, this.leaves.length, ...this.leaves.filter((index) => index !== gone));
        this.receivers.tables.delete(gone);
        break;
      }
    }
  }

  step(passMs: number): void {
    this.nowMs += passMs;
    this.engine.step(this.nowMs, this.receivers.take);
  }

  /** What a packet for `destination` does at transit node `at`: 0: dropped. */
  wanted(at: number, destination: number): number {
    const slot = this.graph.slotOf(at) ?? -1;
    const owner = this.engine.blocks.ownerOf(destination);
    const home = this.engine.homes.home[destination] ?? NO_TRANSIT;
    if (destination === at) return 0;
    if (home === slot) return destination;
    const target = home === NO_TRANSIT ? owner : home;
    if (target === NO_HOME || target === slot) return 0;
    const next = this.trees.table.predecessorOf(target, slot);
    // where the home cannot be reached, what covers the address may still send the packet to its block's owner
    if (next < 0 && owner !== NO_HOME && owner !== slot) {
      const covered = this.trees.table.predecessorOf(owner, slot);
      return covered < 0 ? 0 : this.graph.indexOf(covered);
    }
    return next < 0 ? 0 : this.graph.indexOf(next);
  }

  check(): void {
    for (const at of this.transits) {
      const wanted = Uint32Array.from({ length: 2 ** BITS }, (_, destination) => this.wanted(at, destination));
      for (const kind of ['source', 'transitA', 'transitB'] as const) {
        const seen = this.receivers.nextHops(at, kind, 2 ** BITS);
        // one's own address is local; the first and the last of the range are nobody's
        for (const nobody of [0, at, 2 ** BITS - 1]) seen[nobody] = wanted[nobody] ?? 0;
        expect(seen).toEqual(wanted);
      }
    }
    for (const leaf of this.leaves) {
      const home = this.engine.homes.home[leaf] ?? NO_TRANSIT;
      const wanted = home === NO_TRANSIT ? 0 : this.graph.indexOf(home);
      // nobody asked for an exception towards the reserved last address
      expect(this.receivers.nextHops(leaf, 'source', 2 ** BITS)[2 ** BITS - 1]).toBe(wanted);
    }
  }
}

const place = fc.nat(7);
const cost = fc.integer({ min: 500, max: 60_000 });
/** Three links, most of them to a crowd of transit nodes that are alike, so that homes grow and leaves move. */
const links = fc.array(fc.tuple(place, fc.constantFrom(2_000, 2_100, 9_000, 30_000)), { maxLength: 3 });
const leafLinks = fc.tuple(fc.integer({ min: 1, max: 12 }), links);
const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('leaf' as const),
      leaf: fc.nat(199),
      transit: place,
      us: fc.option(cost),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pair' as const), a: place, b: place, us: fc.option(cost) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('addLeaves' as const), own: leafLinks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('capacity' as const), transit: place, leaves: fc.nat(60) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('demand' as const), leaf: fc.nat(199), to: fc.array(fc.nat(199)) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('addTransit' as const), links: fc.array(cost, { maxLength: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeLeaf' as const), leaf: fc.nat(199) }) },
);

describe('FleetEngine', { timeout: 120_000 }, () => {
  it('streams deltas that forward every address to its home, through any changes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(cost, { maxLength: 4 }), { minLength: 2, maxLength: 7 }),
        fc.array(leafLinks, { maxLength: 20 }),
        fc.array(fc.tuple(command, fc.constantFrom(0, 0, 50, 3_000, 15_000)), { maxLength: 40 }),
        (transits, leaves, commands) => {
          const fleet = new Fleet();
          for (const own of transits) fleet.addTransit(60, own);
          for (const [count, own] of leaves) for (let i = 0; i < count; i++) fleet.addLeaf(own);
          fleet.engine.start(fleet.nowMs, fleet.receivers.take);
          fleet.check();
          for (const [c, passMs] of commands) {
            fleet.carryOut(c);
            // several commands make one batch
            if (passMs === 0) continue;
            fleet.step(passMs);
            fleet.check();
          }
          fleet.step(20_000);
          fleet.check();
          // what is held after many deltas forwards as a full table does, and leaves hold the same rows
          for (const index of [...fleet.transits, ...fleet.leaves]) {
            const held = fleet.receivers.tables.get(index)?.rows() ?? [];
            fleet.engine.sendWhole(index, fleet.receivers.take);
            if (fleet.leaves.includes(index)) expect(fleet.receivers.tables.get(index)?.rows() ?? []).toEqual(held);
          }
          fleet.check();
        },
      ),
      {
        numRuns: 60,
        // a leaf without a home makes some home's blocks grow
        examples: [[[[], [500]], [[39, []]], [[{ kind: 'addLeaves' as const, own: [8, []] }, 50]]]],
      },
    );
  });
});
