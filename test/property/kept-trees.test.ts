/** Trees from the kept table, held against the reference algorithm; and resting destinations against a full decision. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restOf } from '../../steering/rib/at-rest.ts';
import { DEFAULT_INCUMBENCY_OPTIONS, decideNextHops, MoveTimers } from '../../steering/rib/incumbency.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { KeptTrees } from '../../steering/spf/kept-trees.ts';
import { FREE, type SpfRules, SpfTree } from '../../steering/spf/spf-tree.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';

const HOP = 250;
const batches = fc.array(arbitraryEdits({ maxEdits: 3 }), { minLength: 1, maxLength: 8 });
/** Mostly free; and what a node's next hop is, where it is not the tree's. */
const limits = fc.array(
  fc.record({ state: fc.constantFrom(FREE, FREE, FREE, FREE, 1, 2), astray: fc.option(fc.nat(30), { freq: 4 }) }),
  { minLength: 80, maxLength: 80 },
);

function plainTree(tree: SpfTree, slots: number): unknown {
  const at = (values: Int32Array | Float64Array) => [...values.subarray(0, slots)];
  return { distance: at(tree.distance), hops: at(tree.hops), nextHop: at(tree.nextHop), reached: tree.reached };
}

describe('kept trees', { timeout: 60_000 }, () => {
  it('are those of the reference algorithm, with and without frozen nodes, through edits', () => {
    fc.assert(
      fc.property(arbitraryNet(), batches, limits, (net, found, limit) => {
        const { graph } = graphOf(net);
        const compute = dijkstra();
        const kept = new KeptTrees(graph, HOP, compute);
        const trees = new Map<number, SpfTree>();
        for (const [round, batch] of found.entries()) {
          for (const edit of batch) applyEdit(graph, edit);
          graph.commit();
          kept.refresh();
          const slots = graph.slotCount;
          for (const root of graph.slots()) {
            const free: SpfRules = { transitHopUs: HOP, frozen: null, inUse: new Int32Array(slots), banned: null };
            const expected = new SpfTree();
            compute(graph, root, free, expected);
            const inUse = Int32Array.from({ length: slots }, (_, v) => limit[v]?.astray ?? expected.nextHop[v] ?? -1);
            const frozen = Uint8Array.from({ length: slots }, (_, v) =>
              v === root ? FREE : (limit[v]?.state ?? FREE),
            );
            const rules = round % 2 === 0 ? free : { ...free, inUse, frozen };
            compute(graph, root, rules, expected);
            const tree = trees.get(root) ?? new SpfTree();
            trees.set(root, tree);
            kept.load(root, rules, tree);
            expect(plainTree(tree, slots)).toEqual(plainTree(expected, slots));
            const place = new Map([...tree.order.subarray(0, tree.reached)].map((slot, i) => [slot, i]));
            expect(place.size).toBe(tree.reached);
            expect(place.get(root)).toBe(0);
            for (const slot of place.keys()) {
              if (slot !== root) expect(place.get(tree.nextHop[slot] ?? -1)).toBeLessThan(place.get(slot) ?? -1);
            }
          }
        }
      }),
    );
  });
});

describe('a destination at rest', () => {
  it('is one where a decision would move nobody and start no hold time', () => {
    fc.assert(
      fc.property(arbitraryNet(), fc.array(fc.nat(30), { maxLength: 2 }), fc.boolean(), (net, astray, holding) => {
        const { graph, slots } = graphOf(net);
        const root = slots[0] ?? 0;
        const tree = new SpfTree();
        const decided = new Int32Array(graph.slotCount).fill(-1);
        const rules: SpfRules = { transitHopUs: HOP, frozen: null, inUse: decided, banned: null };
        dijkstra()(graph, root, rules, tree);
        decided.set(tree.nextHop.subarray(0, graph.slotCount));
        for (const v of astray) decided[slots[v % slots.length] ?? 0] = slots[0] ?? 0;
        const rest = restOf(graph, root, (slot) => decided[slot] ?? -1, tree);
        const timers = new MoveTimers();
        timers.reset(graph.slotCount);
        if (holding) timers.winsSinceMs.fill(0);
        const decision = decideNextHops(graph, root, rules, tree, timers, 100, DEFAULT_INCUMBENCY_OPTIONS);
        const without = slots.filter((slot) => slot !== root && tree.nextHop[slot] === -1).length;
        if (rest === 'moving') {
          expect([...decided]).not.toEqual([...tree.nextHop.subarray(0, graph.slotCount)]);
          return;
        }
        expect(rest).toBe(without > 0 ? 'partial' : 'resting');
        expect([...decision.nextHop]).toEqual([...decided]);
        expect(decision.dueMs).toBe(Number.POSITIVE_INFINITY);
        for (const slot of slots) if (slot !== root) expect(timers.winsSinceMs[slot]).toBeNaN();
      }),
    );
  });
});
