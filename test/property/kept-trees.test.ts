/** Trees from the kept table, held against the reference algorithm; and resting destinations against a full decision. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_INCUMBENCY_OPTIONS, decideNextHops, MoveTimers } from '../../steering/rib/incumbency.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { KeptTrees } from '../../steering/spf/kept-trees.ts';
import { FREE, type SpfRules, SpfTree } from '../../steering/spf/spf-tree.ts';
import type { TreeRow } from '../../steering/spf/tree-row.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';
import { restOf } from '../oracle/at-rest.ts';

const HOP = 250;
const batches = fc.array(arbitraryEdits({ maxEdits: 3 }), { minLength: 1, maxLength: 8 });
/** Mostly free; and what a node's next hop is, where it is not the tree's. */
const limits = fc.array(
  fc.record({ state: fc.constantFrom(FREE, FREE, FREE, FREE, 1, 2), astray: fc.option(fc.nat(30), { freq: 4 }) }),
  { minLength: 80, maxLength: 80 },
);

function plainTree(tree: TreeRow, slots: number): unknown {
  return Array.from({ length: slots }, (_, slot) => [tree.hopOf(slot), tree.costOf(slot)]);
}

describe('kept trees', { timeout: 60_000 }, () => {
  it('are those of the reference algorithm, with and without frozen nodes, through edits', () => {
    fc.assert(
      fc.property(arbitraryNet(), batches, limits, (net, found, limit) => {
        const { graph } = graphOf(net);
        const compute = dijkstra();
        const kept = new KeptTrees(graph, HOP, compute);
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
            const limited = [...graph.slots()].filter((slot) => rules.frozen?.[slot]);
            const row = kept.row(root, rules, limited);
            if (rules === free) expect(row).toBeDefined();
            const tree = row ?? kept.compute(root, rules);
            expect(plainTree(tree, slots)).toEqual(plainTree(expected, slots));
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
