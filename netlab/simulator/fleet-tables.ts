/**
 * The tables of a simulated fleet as its nodes hold them: deltas come as bytes, are decoded by the protocol's own code and
 * change rows and checksum as they do on a real agent. Packets follow the longest prefix from node to node.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { routeDeltaFromMessage } from '../../protocol/frame-codec.ts';
import { RouteDeltaSchema } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { checksumOf, type RouteRow, type RowKey, type TableKind } from '../../protocol/route-table.ts';

/** What became of a delta: held now, or it did not start from what the node holds, or it is not what it says to be. */
export type Applied = 'held' | 'other_base' | 'wrong';

/** What became of a packet. */
export type FleetFate = 'delivered' | 'loop' | 'no_row';

interface NodeRows {
  generation: bigint;
  checksum: bigint;
  /** By key of the row. */
  rows: Map<number, RouteRow>;
  /** Block sizes in use, by table and bits: which prefixes are worth a look. */
  readonly sizes: Int32Array;
}

const TABLES: Record<TableKind, number> = { source: 0, transitA: 1, transitB: 2 };
const BITS = 32;
const MOST_HOPS = 64;

export class FleetTables {
  /** Rows set and removed so far. */
  rows = 0;
  readonly #nodes = new Map<number, NodeRows>();

  /** Takes the bytes of a RouteDelta. */
  apply(index: number, bytes: Uint8Array): { readonly applied: Applied; readonly generation: bigint } {
    const parsed = routeDeltaFromMessage(fromBinary(RouteDeltaSchema, bytes));
    if (!parsed.ok) return { applied: 'wrong', generation: 0n };
    const { generation, baseGeneration, full, set, remove, checksum } = parsed.value;
    const before = this.#nodes.get(index);
    if (!full && (before?.generation ?? 0n) !== baseGeneration) return { applied: 'other_base', generation };
    const node: NodeRows =
      full || before === undefined
        ? { generation, checksum: 0n, rows: new Map(), sizes: new Int32Array(3 * BITS) }
        : before;
    let sum = node.checksum;
    for (const key of remove) sum -= this.#drop(node, key);
    for (const row of set) {
      sum += checksumOf([row]) - this.#drop(node, row);
      const bits = TABLES[row.table] * BITS + row.blockBits;
      node.rows.set(keyOf(row.table, row.destination, row.blockBits), row);
      node.sizes[bits] = (node.sizes[bits] ?? 0) + 1;
    }
    this.rows += set.length + remove.length;
    node.generation = generation;
    node.checksum = BigInt.asUintN(64, sum);
    this.#nodes.set(index, node);
    return { applied: node.checksum === checksum ? 'held' : 'wrong', generation };
  }

  sizeOf(index: number): number {
    return this.#nodes.get(index)?.rows.size ?? 0;
  }

  /** Follows a packet: first by the source's own table, then by transit tables of the plane that its row names. */
  follow(from: number, to: number): { readonly fate: FleetFate; readonly path: readonly number[] } {
    const path = [from];
    let row = this.#lookUp(from, 'source', to);
    const table = row?.plane === 'b' ? 'transitB' : 'transitA';
    while (path.length <= MOST_HOPS) {
      const next = row?.nextHops[0]?.neighbour;
      if (next === undefined) return { fate: 'no_row', path };
      path.push(next);
      if (next === to) return { fate: 'delivered', path };
      row = this.#lookUp(next, table, to);
    }
    return { fate: 'loop', path };
  }

  #drop(node: NodeRows, { table, destination, blockBits }: RowKey): bigint {
    const key = keyOf(table, destination, blockBits);
    const row = node.rows.get(key);
    if (row === undefined) return 0n;
    node.rows.delete(key);
    const bits = TABLES[table] * BITS + blockBits;
    node.sizes[bits] = (node.sizes[bits] ?? 0) - 1;
    return checksumOf([row]);
  }

  #lookUp(index: number, table: TableKind, to: number): RouteRow | undefined {
    const node = this.#nodes.get(index);
    if (node === undefined) return undefined;
    for (let bits = 0; bits < BITS - 1; bits++) {
      if ((node.sizes[TABLES[table] * BITS + bits] ?? 0) === 0) continue;
      const row = node.rows.get(keyOf(table, Math.floor(to / 2 ** bits) * 2 ** bits, bits));
      if (row !== undefined) return row;
    }
    return undefined;
  }
}

function keyOf(table: TableKind, destination: number, bits: number): number {
  return (destination * BITS + bits) * 3 + TABLES[table];
}
