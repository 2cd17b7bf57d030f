/** Tables as numbers, held against tables as objects by text keys: the same calls give the same answers and deltas. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareRows, fnv1a64, type RouteDelta, type RouteRow, RouteTable } from '../../protocol/route-table.ts';
import { DEFAULT_NODE_TABLE_OPTIONS, NodeTable } from '../../steering/rollout/node-table.ts';
import { RowDictionary } from '../../steering/rollout/row-dictionary.ts';
import { KeyedNodeTable } from '../oracle/keyed-node-table.ts';

const table = fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const);
const key = fc.record({ table, destination: fc.integer({ min: 1, max: 9 }), blockBits: fc.constantFrom(0, 1) });
const row: fc.Arbitrary<RouteRow> = fc.record({
  table,
  destination: fc.integer({ min: 1, max: 9 }),
  blockBits: fc.constantFrom(0, 1),
  plane: fc.constantFrom(null, 'a' as const, 'b' as const, 'uplink' as const),
  nextHops: fc.uniqueArray(
    fc.record({ neighbour: fc.integer({ min: 1, max: 4 }), weight: fc.constantFrom(1, 1, 1, 7) }),
    { minLength: 1, maxLength: 2, selector: (hop) => hop.neighbour },
  ),
  backups: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
});
const call = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('want' as const), row }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('unwant' as const), key }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('take' as const), ms: fc.nat(3_000) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('apply' as const), answer: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('request' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('connect' as const), amnesia: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disconnect' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

function plain(delta: RouteDelta | null): unknown {
  if (delta === null) return null;
  const { generation, baseGeneration, full, checksum } = delta;
  const [set, remove] = [delta.set.toSorted(compareRows), delta.remove.toSorted(compareRows)];
  return { generation, baseGeneration, full, checksum, set, remove };
}

describe('a node table of numbers', { timeout: 60_000 }, () => {
  it('does what one of rows does, whatever is called', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 80 }), (calls) => {
        let numbers = new NodeTable(DEFAULT_NODE_TABLE_OPTIONS);
        let rows = new KeyedNodeTable(DEFAULT_NODE_TABLE_OPTIONS);
        let agent = new RouteTable();
        let inbox: RouteDelta | null = null;
        let nowMs = 0;
        let [g, h] = [0n, 0n];
        const both = <T>(what: (one: NodeTable | KeyedNodeTable) => T): void => {
          expect(what(numbers)).toEqual(what(rows));
        };
        for (const one of calls) {
          switch (one.kind) {
            case 'want':
              both((of) => of.want(one.row));
              break;
            case 'unwant':
              both((of) => of.unwant(one.key));
              break;
            case 'take': {
              nowMs += one.ms;
              both((of) => of.tick(nowMs));
              const delta = numbers.takeDelta(nowMs, () => ++g);
              expect(plain(delta)).toEqual(plain(rows.takeDelta(nowMs, () => ++h)));
              inbox = delta ?? inbox;
              break;
            }
            case 'apply': {
              if (inbox === null) break;
              const { generation } = inbox;
              const applied = agent.apply(inbox);
              inbox = null;
              if (!applied.ok) both((of) => of.request());
              else if (one.answer) both((of) => of.acknowledge(generation, agent.checksum, null, nowMs));
              break;
            }
            case 'refuse':
              if (inbox === null) break;
              both((of) => of.acknowledge(inbox?.generation ?? 0n, 0n, 'command_failed', nowMs));
              inbox = null;
              break;
            case 'request':
              both((of) => of.request());
              break;
            case 'connect':
              if (one.amnesia) agent = new RouteTable();
              inbox = null;
              both((of) => of.connect(agent.generation, agent.checksum));
              break;
            case 'disconnect':
              both((of) => of.disconnect());
              break;
            case 'restart': {
              const saved = numbers.export();
              const known = rows.export();
              expect(saved.rows.toSorted(compareRows)).toEqual(known.rows);
              expect({ ...saved, rows: [], inFlight: plain(saved.inFlight) }).toEqual({
                ...known,
                rows: [],
                inFlight: plain(known.inFlight),
              });
              numbers = new NodeTable(DEFAULT_NODE_TABLE_OPTIONS);
              rows = new KeyedNodeTable(DEFAULT_NODE_TABLE_OPTIONS);
              both((of) => of.import(saved.generation, saved.rows, saved.known, saved.inFlight));
              break;
            }
            default:
              throw new Error(`unknown call ${JSON.stringify(one satisfies never)}`);
          }
          both((of) => [of.connected, of.frozen, of.acknowledged, of.inFlightGeneration, of.converged, of.dueMs]);
          for (let destination = 1; destination <= 9; destination++) {
            for (const kind of ['source', 'transitA', 'transitB'] as const) {
              const at = { table: kind, destination, blockBits: destination % 2 };
              both((of) => [of.wanted(at), of.holdsWanted(at), of.certain(at)]);
            }
          }
        }
      }),
    );
  });

  it('has the hashes of the protocol', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), (rows) => {
        const dictionary = new RowDictionary();
        for (const one of rows) {
          const cell = dictionary.cellOf(one);
          const content = dictionary.contentOf(one);
          expect(dictionary.row(cell, content)).toEqual(one);
          dictionary.hash(cell, content);
          const hops = one.nextHops.map((hop) => `${hop.neighbour}*${hop.weight}`).join(',');
          const number = { source: 1, transitA: 2, transitB: 3 }[one.table];
          const text = `${number}/${one.destination}/${one.blockBits}|${one.plane ?? '-'}|${hops}|${one.backups.join(',')}`;
          expect((BigInt(dictionary.hashHigh) << 32n) | BigInt(dictionary.hashLow)).toBe(fnv1a64(text));
        }
      }),
    );
  });
});
