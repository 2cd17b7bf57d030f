/** A small fleet by hand: three transit nodes on a line, 10 ms apart, and leaves between them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { FleetEngine } from '../../../steering/fleet/fleet-engine.ts';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { FleetReceivers } from '../../fake/fleet-receivers.ts';
import { observedLink } from '../../fake/observed-link.ts';
import { PlainTrees } from '../../fake/plain-trees.ts';

let engine: FleetEngine;
let receivers: FleetReceivers;
let [west, middle, east] = [0, 0, 0];
let leaf = 0;
let friend = 0;

beforeEach(() => {
  const graph = new CsrGraph();
  engine = new FleetEngine({ graph, trees: new PlainTrees(graph) }, { blocks: { bits: 10, firstBits: 5 } });
  receivers = new FleetReceivers();
  west = engine.addTransit(50, 0, 0);
  middle = engine.addTransit(50, west, 0);
  east = engine.addTransit(50, middle, 0);
  for (const [a, b] of [
    [west, middle],
    [middle, east],
  ] as const) {
    engine.openSession(a, b);
    engine.reportLink(a, observedLink(b, 10_000), 0);
  }
  leaf = engine.addLeaf(
    [
      { transit: west, costUs: 4_000 },
      { transit: middle, costUs: 7_000 },
    ],
    0,
  );
  friend = engine.addLeaf([{ transit: east, costUs: 2_000 }], 0);
  engine.start(0, receivers.take);
  receivers.takeTold();
});

const step = (nowMs: number) => engine.step(nowMs, receivers.take);

describe('a fleet', () => {
  it('forwards to a leaf by its home, hop by hop', () => {
    expect(receivers.lookUp(friend, 'source', leaf)).toBe(east);
    expect(receivers.lookUp(east, 'transitA', leaf)).toBe(middle);
    expect(receivers.lookUp(middle, 'transitA', leaf)).toBe(west);
    expect(receivers.lookUp(west, 'transitA', leaf)).toBe(leaf);
  });

  it('gives a leaf an exception where another of its transit nodes is a better way, and takes it back', () => {
    engine.reportDemand(leaf, [friend]);
    step(100);
    expect(receivers.takeTold()).toEqual([leaf]);
    // 4 + 0.25 + 10 + 0.25 + 10 through its home; 7 + 0.25 + 10 through the middle
    expect(receivers.lookUp(leaf, 'source', friend)).toBe(middle);
    expect(receivers.lookUp(leaf, 'source', west)).toBe(west);
    engine.reportLink(leaf, observedLink(middle, 30_000), 200);
    step(200);
    expect(receivers.lookUp(leaf, 'source', friend)).toBe(west);
  });

  it('tells only those who forward differently when a leaf moves', () => {
    engine.reportLink(leaf, observedLink(west, null), 100);
    step(100);
    // from the east both homes are behind the middle: nothing to tell
    expect(receivers.takeTold().sort()).toEqual([west, middle, leaf].sort());
    expect(receivers.lookUp(west, 'transitB', leaf)).toBe(middle);
    expect(receivers.lookUp(middle, 'transitB', leaf)).toBe(leaf);
    expect(receivers.lookUp(east, 'transitB', leaf)).toBe(middle);
    expect(receivers.lookUp(leaf, 'source', friend)).toBe(middle);
    step(200);
    expect(receivers.takeTold()).toEqual([]);
  });

  it('says nothing when nothing changed, and a whole table to a node that asks', () => {
    step(100);
    engine.reportLink(leaf, observedLink(west, 4_100), 200);
    step(200);
    expect(receivers.takeTold()).toEqual([]);
    engine.sendWhole(middle, receivers.take);
    engine.sendWhole(leaf, receivers.take);
    expect(receivers.takeTold()).toEqual([middle, leaf]);
    expect(receivers.lookUp(middle, 'transitA', friend)).toBe(east);
  });

  it('drops what cannot be reached after a cut, and leaves the parts their own routes', () => {
    engine.reportLink(east, observedLink(middle, null), 100);
    step(100);
    expect(receivers.lookUp(west, 'transitA', friend)).toBe(0);
    expect(receivers.lookUp(east, 'transitA', friend)).toBe(friend);
    expect(receivers.lookUp(middle, 'transitA', leaf)).toBe(west);
  });

  it('takes a home that cannot be reached out of an entry that covers it with others', () => {
    const covering = receivers.tables.get(east)?.get({ table: 'transitA', destination: 0, blockBits: 7 });
    expect(covering?.nextHops[0]?.neighbour).toBe(middle);
    engine.reportLink(west, observedLink(middle, null), 100);
    step(100);
    expect(receivers.lookUp(east, 'transitA', leaf)).toBe(0);
    expect(receivers.lookUp(east, 'transitA', middle)).toBe(middle);
  });

  it('spreads a large change of paths over steps, and sends other changes in between', () => {
    const graph = new CsrGraph();
    const slow = new FleetEngine(
      { graph, trees: new PlainTrees(graph) },
      { blocks: { bits: 10, firstBits: 5 }, nextHopsPerStep: 1 },
    );
    const far = new FleetReceivers();
    const ring = Array.from({ length: 6 }, () => slow.addTransit(50, 0, 0));
    for (const [i, a] of ring.entries()) {
      slow.openSession(a, ring[(i + 1) % 6] ?? 0);
      slow.reportLink(a, observedLink(ring[(i + 1) % 6] ?? 0, 1_000), 0);
    }
    const [first = 0, second = 0, third = 0] = ring;
    const roamer = slow.addLeaf([{ transit: second, costUs: 900 }], 0);
    slow.start(0, far.take);
    slow.reportLink(first, observedLink(second, 90_000), 20_000);
    slow.step(20_000, far.take);
    expect(slow.isBehind).toBe(true);
    slow.openSession(roamer, third);
    slow.reportLink(roamer, observedLink(third, 800), 20_001);
    slow.reportLink(roamer, observedLink(second, null), 20_001);
    slow.step(20_001, far.take);
    expect(far.lookUp(third, 'transitA', roamer)).toBe(roamer);
    for (let ms = 20_002; slow.isBehind; ms++) slow.step(ms, far.take);
    expect(far.lookUp(first, 'transitA', second)).toBe(ring[5]);
    expect(far.lookUp(first, 'transitA', roamer)).toBe(ring[5]);
    expect(far.lookUp(second, 'transitA', roamer)).toBe(third);
  });

  it('moves the row of a leaf that has moved when the paths part', () => {
    engine.reportLink(leaf, observedLink(west, null), 100);
    step(100);
    engine.openSession(east, west);
    engine.reportLink(east, observedLink(west, 1_000), 200);
    step(200);
    // the block of the west goes straight there now, its leaf that hangs off the middle does not
    expect(receivers.lookUp(east, 'transitA', west)).toBe(west);
    expect(receivers.lookUp(east, 'transitA', leaf)).toBe(middle);
    engine.reportLink(east, observedLink(west, null), 300);
    step(300);
    expect(receivers.lookUp(east, 'transitA', west)).toBe(middle);
    expect(receivers.tables.get(east)?.get({ table: 'transitA', destination: leaf, blockBits: 0 })).toBeUndefined();
  });
});

describe('bad input', () => {
  it('is refused and counted: no session, unknown nodes, values that cannot be', () => {
    expect(engine.reportLink(leaf, observedLink(east, 1_000), 100)).toBe(false);
    expect(engine.reportLink(west, observedLink(east, 1_000), 100)).toBe(false);
    expect(engine.reportLink(leaf, observedLink(friend, 1_000), 100)).toBe(false);
    expect(engine.counters.noSession).toBe(3);
    expect(engine.reportLink(999, observedLink(east, 1_000), 100)).toBe(false);
    expect(engine.reportLink(leaf, observedLink(999, 1_000), 100)).toBe(false);
    expect(engine.counters.unknownNode).toBe(2);
    expect(engine.reportLink(leaf, observedLink(west, -4), 100)).toBe(false);
    expect(engine.reportLink(leaf, observedLink(west, Number.NaN), 100)).toBe(false);
    expect(engine.reportLink(west, observedLink(middle, 0), 100)).toBe(false);
    expect(engine.counters.absurdValue).toBe(3);
    step(100);
    expect(receivers.takeTold()).toEqual([]);
  });

  it('counts ends that disagree wildly, and believes the worse', () => {
    engine.reportLink(west, observedLink(leaf, 60_000), 100);
    expect(engine.counters.endsDisagree).toBe(1);
    step(1_000);
    step(5_000);
    expect(receivers.lookUp(leaf, 'source', friend)).toBe(middle);
  });

  it('gives a leaf without any transit neighbour an address and no route', () => {
    const lost = engine.addLeaf([], 100);
    step(100);
    expect(receivers.tables.has(lost)).toBe(false);
    engine.openSession(lost, east);
    engine.reportLink(lost, observedLink(east, 3_000), 200);
    step(200);
    expect(receivers.lookUp(lost, 'source', leaf)).toBe(east);
    expect(receivers.lookUp(west, 'transitA', lost)).toBe(middle);
  });
});
