import { fromBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { routeDeltaFromMessage } from '../../../protocol/frame-codec.ts';
import { RouteDeltaSchema } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { type RouteDelta, RouteTable } from '../../../protocol/route-table.ts';
import { DeltaWriter, NO_NEXT_HOP } from '../../../steering/rib/delta-writer.ts';

function read(bytes: Uint8Array): RouteDelta {
  const parsed = routeDeltaFromMessage(fromBinary(RouteDeltaSchema, bytes));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

it('writes what the protocol reads, with checksums that a table of the protocol has', () => {
  const writer = new DeltaWriter();
  const table = new RouteTable();
  writer.begin(true, 300, 0, 7, 7);
  writer.entry(0, 20, NO_NEXT_HOP, 1_048_574);
  writer.entry(1_048_560, 4, NO_NEXT_HOP, 17);
  writer.entry(12, 0, NO_NEXT_HOP, 12);
  const full = read(writer.finish());
  expect(full).toMatchObject({ generation: 300n, baseGeneration: 0n, full: true });
  expect(full.set).toHaveLength(9);
  expect(full.set[6]).toMatchObject({ table: 'source', destination: 12, plane: null });
  expect(table.apply(full).ok).toBe(true);

  const [low, high] = [writer.checksumLow, writer.checksumHigh];
  writer.begin(true, 2 ** 40 + 5, 300, low, high);
  writer.entry(0, 20, 1_048_574, 3);
  writer.entry(12, 0, 12, NO_NEXT_HOP);
  writer.entry(99, 0, 5, 5);
  expect(writer.rows).toBe(6);
  const change = read(writer.finish());
  expect(change.generation).toBe(2n ** 40n + 5n);
  expect(table.apply(change).ok).toBe(true);
  expect(table.size).toBe(6);
  expect(table.checksum).toBe(BigInt(writer.checksumHigh) * 2n ** 32n + BigInt(writer.checksumLow));
});

it('gives a leaf rows of its own table alone', () => {
  const writer = new DeltaWriter();
  writer.begin(false, 1, 0, 0, 0);
  writer.entry(0, 20, NO_NEXT_HOP, 9);
  const delta = read(writer.finish());
  expect(delta.set).toEqual([
    {
      table: 'source',
      destination: 0,
      blockBits: 20,
      plane: 'a',
      nextHops: [{ neighbour: 9, weight: 1 }],
      backups: [],
    },
  ]);
  expect(new RouteTable().apply(delta).ok).toBe(true);
});

it('grows for tables of thousands of rows', () => {
  const writer = new DeltaWriter();
  writer.begin(true, 1, 0, 0, 0);
  for (let i = 1; i <= 5_000; i++) writer.entry(i, 0, NO_NEXT_HOP, i + 1);
  const table = new RouteTable();
  expect(table.apply(read(writer.finish())).ok).toBe(true);
  expect(table.size).toBe(15_000);
});
