import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computeFib } from '../../agent/fib.ts';
import { parseIdentity, rangesOf } from '../../agent/identity.ts';
import { peerFromMessage } from '../../agent/mesh-peer.ts';
import { formatStoredState, parseStoredState } from '../../agent/table-store.ts';
import { DEFAULT_ADDRESS_PLAN } from '../../protocol/address-plan.ts';
import type { HostPort } from '../../protocol/endpoint.ts';
import { type NodeIndex, publicKeyFromBytes } from '../../protocol/identifier.ts';
import { checksumOf, type RouteRow, RouteTable, rowFault, rowKeyText } from '../../protocol/route-table.ts';

const index = fc.integer({ min: 1, max: 40 });
const row: fc.Arbitrary<RouteRow> = fc
  .record({
    table: fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const),
    place: fc.integer({ min: 0, max: 40 }),
    blockBits: fc.constantFrom(0, 0, 0, 1, 2, 5),
    neighbours: fc.uniqueArray(index, { minLength: 1, maxLength: 4 }),
    backups: fc.uniqueArray(index, { maxLength: 3 }),
  })
  .map(({ table, place, blockBits, neighbours, backups }) => ({
    table,
    destination: place * 2 ** blockBits,
    blockBits,
    plane: table === 'source' ? 'b' : null,
    nextHops: neighbours.sort((a, b) => a - b).map((neighbour) => ({ neighbour, weight: 1 + (neighbour % 3) })),
    backups,
  }));
const rows = fc.uniqueArray(row, { selector: rowKeyText, maxLength: 30 });

describe('computeFib', () => {
  it('never throws, names each prefix once a table, and forwards only through peers', () => {
    fc.assert(
      fc.property(rows, fc.uniqueArray(index), fc.uniqueArray(index), fc.boolean(), (table, peers, down, transit) => {
        const home = transit && down.length % 2 === 0;
        const ranges = rangesOf(DEFAULT_ADDRESS_PLAN);
        const result = computeFib({
          ownIndex: 1,
          ranges,
          peerIndices: peers,
          rows: table,
          transit,
          home,
          down: new Set(down),
        });
        const keys = result.routes.map((r) => `${r.table} ${r.prefix}`);
        expect(new Set(keys).size).toBe(keys.length);
        const known = new Set(peers.map((i) => ranges.tunnelAddress(i as NodeIndex)));
        for (const { nextHops, table: name } of result.routes) {
          expect(nextHops.length).toBeGreaterThan(0);
          if (!transit) expect(name).toBe('source');
          for (const hop of nextHops) if (hop.kind === 'detour') expect(known.has(hop.via)).toBe(true);
          // an inner source that is not the sender's must be wrapped
          if (name !== 'source') expect(nextHops.every((hop) => hop.kind === 'detour')).toBe(true);
        }
        const prefixes = (name: string) => result.routes.filter((r) => r.table === name).map((r) => r.prefix);
        expect(prefixes('uplink')).toEqual(home ? prefixes('source') : []);
      }),
    );
  });

  it('never throws on rows and indices that no check has seen', () => {
    const wild: fc.Arbitrary<RouteRow> = fc.record({
      table: fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const),
      destination: fc.oneof(fc.nat(), fc.integer(), fc.double()),
      blockBits: fc.integer({ min: -5, max: 40 }),
      plane: fc.constantFrom('a' as const, 'b' as const, null),
      nextHops: fc.array(fc.record({ neighbour: fc.integer(), weight: fc.integer() }), { maxLength: 3 }),
      backups: fc.array(fc.integer(), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(wild), fc.array(fc.nat()), (table, peers) => {
        const checked = table.filter((r) => rowFault(r) === undefined);
        computeFib({
          ownIndex: 1,
          ranges: rangesOf(DEFAULT_ADDRESS_PLAN),
          peerIndices: peers,
          rows: checked,
          transit: true,
          home: true,
          down: new Set(),
        });
      }),
    );
  });
});

describe('table.json', () => {
  const peer = fc
    .record({
      index,
      name: fc.stringMatching(/^[a-z]{1,10}$/),
      key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      endpoints: fc.array(
        fc
          .tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }))
          .map(([address, port]): HostPort => ({ address, port })),
        { maxLength: 4 },
      ),
    })
    .map(({ index: i, name, key, endpoints }) => {
      const publicKey = publicKeyFromBytes(key);
      if (!publicKey.ok) throw new Error(publicKey.reason);
      return {
        index: i as NodeIndex,
        name,
        publicKey: publicKey.value,
        endpoints,
        stampPort: 862,
        leaf: i % 2 === 0,
        transit: i % 3 === 0,
      };
    });

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(rows, fc.array(peer, { maxLength: 5 }), fc.nat(), (set, peers, generation) => {
        const table = new RouteTable();
        const delta = {
          generation: BigInt(generation),
          baseGeneration: 0n,
          full: true,
          set,
          remove: [],
          checksum: checksumOf(set),
        };
        expect(table.apply(delta).ok).toBe(true);
        const read = parseStoredState(formatStoredState({ table, peers, savedAtUnixMs: 5, coreClockUnixMs: 6 }));
        if (!read.ok) throw new Error(read.reason);
        expect(read.value.table.rows()).toEqual(table.rows());
        expect(read.value.table.generation).toBe(table.generation);
        expect(read.value.peers).toEqual(peers);
      }),
    );
  });

  it('refuses every other text without throwing', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseStoredState(text).ok === false));
  });

  it('never throws on a file with bytes changed, and never takes a table with another checksum', () => {
    const table = new RouteTable();
    const set: RouteRow[] = [
      {
        table: 'source',
        destination: 2,
        blockBits: 0,
        plane: 'a',
        nextHops: [{ neighbour: 3, weight: 1 }],
        backups: [4],
      },
    ];
    table.apply({ generation: 4n, baseGeneration: 0n, full: true, set, remove: [], checksum: checksumOf(set) });
    const text = formatStoredState({ table, peers: [], savedAtUnixMs: 5, coreClockUnixMs: 6 });
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), fc.string({ maxLength: 3 }), (at, patch) => {
        const read = parseStoredState(text.slice(0, at) + patch + text.slice(at + patch.length));
        if (read.ok) expect(checksumOf(read.value.table.rows())).toBe(read.value.table.checksum);
      }),
    );
  });
});

describe('parsers of what others wrote', () => {
  it('never throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseIdentity(text);
      }),
    );
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array(), fc.uint8Array(), fc.nat(), (i, key, address, port) => {
        peerFromMessage({
          $typeName: 'thalweg.v1.Peer',
          index: i,
          nodeId: '',
          name: 'x',
          publicKey: key,
          endpoints: [{ $typeName: 'thalweg.v1.Endpoint', address, port }],
          transit: true,
          stampPort: port,
          leaf: false,
        });
      }),
    );
  });
});
