/** Plans, reports, uses and time in any order: sessions in use are kept, what ends ends, agents hear what the ledger says. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type NodePair, pairKey } from '../../steering/link-state/link-roles.ts';
import { SessionLedger } from '../../steering/session-plan/session-ledger.ts';

const SIZE = 6;
const node = fc.integer({ min: 1, max: SIZE });
const pairs = fc
  .array(fc.tuple(node, node), { maxLength: 12 })
  .map((list) => new Map(list.filter(([a, b]) => a < b).map(([low, high]) => [pairKey(low, high), { low, high }])))
  .map((map) => [...map.values()]);
const command = fc.oneof(
  fc.record({ kind: fc.constant('plan' as const), links: pairs, explore: fc.option(pairs) }),
  fc.record({ kind: fc.constant('use' as const), pairs }),
  fc.record({ kind: fc.constant('measure' as const), pairs }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 30_000 }) }),
  fc.record({ kind: fc.constant('remove' as const), node }),
);

const keys = (list: Iterable<NodePair>) => [...list].map(({ low, high }) => pairKey(low, high)).sort();

it('keeps sessions that rows point at, opens what is planned, and closes the rest in the end', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const ledger = new SessionLedger();
      const told = new Set<number>();
      let inUse = new Set<number>();
      let nowMs = 0;
      let planned: NodePair[] = [];
      const isInUse = (a: number, b: number) => inUse.has(pairKey(a, b));
      const publish = () => {
        const changes = ledger.takeChanges();
        for (const key of keys(changes?.closed ?? [])) told.delete(key);
        for (const key of keys(changes?.opened ?? [])) told.add(key);
        expect([...told].sort()).toEqual(keys(ledger.all()));
      };
      ledger.begin([]);
      for (const c of commands) {
        const carrying = [...ledger.all()].filter(({ low, high, role }) => role !== 'exploring' && isInUse(low, high));
        if (c.kind === 'plan') {
          planned = c.links;
          const apart = c.explore?.filter((pair) => !keys(c.links).includes(pairKey(pair.low, pair.high))) ?? null;
          ledger.adopt(c.links, apart, () => false, nowMs);
          for (const { low, high } of c.links) expect(ledger.get(low, high)?.role).toBe('planned');
        } else if (c.kind === 'use') inUse = new Set(keys(c.pairs));
        else if (c.kind === 'measure') for (const { low, high } of c.pairs) ledger.measured(low, high, nowMs);
        else if (c.kind === 'wait') {
          for (const end = nowMs + c.ms; nowMs < end; nowMs = Math.min(end, nowMs + 500)) ledger.tick(nowMs, isInUse);
        } else {
          ledger.removeNode(c.node);
          planned = planned.filter(({ low, high }) => low !== c.node && high !== c.node);
        }
        if (c.kind !== 'remove' && c.kind !== 'use') {
          for (const { low, high } of carrying) expect(ledger.get(low, high), `${low} ${high}`).toBeDefined();
        }
        publish();
      }
      inUse = new Set();
      ledger.adopt(planned, [], () => false, nowMs);
      for (let i = 0; i < 60; i++, nowMs += 500) ledger.tick(nowMs, isInUse);
      publish();
      expect(keys(ledger.all())).toEqual(keys(planned));
      expect([...ledger.all()].every(({ role }) => role === 'planned')).toBe(true);
      expect(ledger.isEnding).toBe(false);
    }),
  );
});
