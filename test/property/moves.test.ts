/** Decisions on the nodes in question alone, held against decisions on all nodes: next hops, hold times and due times. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldTimers } from '../../steering/rib/hold-times.ts';
import { DEFAULT_INCUMBENCY_OPTIONS, decideNextHops, MoveTimers } from '../../steering/rib/incumbency.ts';
import { MoveDecider } from '../../steering/rib/moves.ts';
import { dijkstra } from '../../steering/spf/dijkstra.ts';
import { FREE, FROZEN, FROZEN_SOURCE, type SpfRules, SpfTree } from '../../steering/spf/spf-tree.ts';
import { applyEdit, arbitraryEdits, arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';

const HOP = 250;
/** So short that a few decisions see holds begin, end and be broken. */
const OPTIONS = { ...DEFAULT_INCUMBENCY_OPTIONS, marginUs: 3, settleUs: 1, settleMs: 4_000, believeMs: 3_000 };
const rounds = fc.array(
  fc.record({
    edits: arbitraryEdits({ maxEdits: 3 }),
    waitMs: fc.constantFrom(0, 100, 200, 400, 5_000),
    astray: fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { maxLength: 2 }),
    frozen: fc.array(fc.tuple(fc.nat(60), fc.constantFrom(FROZEN, FROZEN_SOURCE)), { maxLength: 2 }),
    bands: fc.array(fc.tuple(fc.nat(60), fc.double({ min: 0.05, max: 1, noNaN: true })), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 24 },
);
const TIMES = ['winsSinceMs', 'settlesSinceMs', 'halvesSinceMs', 'unprovenSinceMs'] as const;

describe('moves of the nodes in question', { timeout: 60_000 }, () => {
  it('are those of a decision on all nodes, round after round', () => {
    let [kept, turned, limited] = [0, 0, 0];
    fc.assert(
      fc.property(arbitraryNet(), fc.nat(60), rounds, (net, at, found) => {
        const { graph, slots } = graphOf(net);
        const root = slots[at % slots.length] ?? 0;
        const compute = dijkstra();
        const decider = new MoveDecider();
        const all = new MoveTimers();
        const few = new HoldTimers();
        let decided = new Int32Array(graph.slotCount).fill(-1);
        let nowMs = 0;
        for (const { edits, waitMs, astray, frozen, bands } of found) {
          nowMs += waitMs;
          for (const edit of edits) if (edit.kind !== 'remove') applyEdit(graph, edit);
          graph.commit();
          const live = [...graph.slots()];
          const pick = (n: number) => live[n % live.length] ?? root;
          const longer = new Int32Array(graph.slotCount).fill(-1);
          longer.set(decided);
          decided = longer;
          for (const [v, hop] of astray)
            if (pick(v) !== root) decided[pick(v)] = pick(hop) === pick(v) ? -1 : pick(hop);
          const states = new Uint8Array(graph.slotCount).fill(FREE);
          // what cannot be told anything forwards by what was decided for it
          for (const [v, state] of frozen) if (pick(v) !== root) states[pick(v)] = state;
          const rules: SpfRules = {
            transitHopUs: HOP,
            frozen: states.includes(FROZEN) || states.includes(FROZEN_SOURCE) ? states : null,
            inUse: decided,
            banned: null,
          };
          const tree = new SpfTree();
          compute(graph, root, rules, tree);
          const bandOf = new Map(
            bands.map(([v, share]) => {
              const topUs = graph.weight(pick(v), root);
              const bottomUs = Math.max(1, Math.round(topUs * share));
              return [pick(v), { topUs, leastUs: (topUs + bottomUs) / 2, bottomUs }];
            }),
          );
          const directBand = (slot: number) => bandOf.get(slot) ?? null;
          const expected = decideNextHops(graph, root, rules, tree, all, nowMs, OPTIONS, directBand);
          const candidates = live.filter((v) => v !== root && decided[v] !== tree.hopOf(v));
          const input = { graph, root, rules, tree, timers: few, nowMs, options: OPTIONS, directBand };
          decider.decide(input, [...candidates, ...bandOf.keys()]);
          for (const [i, slot] of decider.slots.entries()) decided[slot] = decider.hops[i] ?? -1;
          expect(live.map((v) => decided[v])).toEqual(live.map((v) => expected.nextHop[v]));
          expect(decider.dueMs).toBe(expected.dueMs);
          for (const v of live) {
            for (const time of TIMES) expect(few.get(v)?.[time] ?? Number.NaN, `${time} of ${v}`).toBe(all[time][v]);
            if (v !== root && tree.hopOf(v) >= 0 && decided[v] !== tree.hopOf(v)) {
              kept++;
              if (decided[v] === root) turned++;
            }
          }
          if (rules.frozen !== null) limited++;
        }
      }),
      { numRuns: 400 },
    );
    // the nets are such that there is something to decide
    expect(Math.min(kept, turned, limited)).toBeGreaterThan(20);
  });
});
