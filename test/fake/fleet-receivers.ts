/** The far ends of a fleet's sessions: every node's table as the protocol's own code puts it together from deltas. */
import { fromBinary } from '@bufbuild/protobuf';
import { routeDeltaFromMessage } from '../../protocol/frame-codec.ts';
import { RouteDeltaSchema } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { RouteTable, type TableKind } from '../../protocol/route-table.ts';

export class FleetReceivers {
  readonly tables = new Map<number, RouteTable>();
  /** Nodes that got a delta since the last call of `takeTold`, once for each. */
  #told: number[] = [];

  /** Applies a delta as an agent does; throws when it does not fit the table that the node holds. */
  readonly take = (index: number, bytes: Uint8Array): void => {
    const parsed = routeDeltaFromMessage(fromBinary(RouteDeltaSchema, bytes.slice()));
    if (!parsed.ok) throw new Error(`node ${index}: ${parsed.reason}`);
    const { set, remove } = parsed.value;
    const keys = [...set, ...remove].map((key) => `${key.table}/${key.destination}/${key.blockBits}`);
    if (new Set(keys).size !== keys.length) throw new Error(`node ${index}: a row is twice in one delta`);
    const table = this.tables.get(index) ?? new RouteTable();
    this.tables.set(index, table);
    const applied = table.apply(parsed.value);
    if (!applied.ok) throw new Error(`node ${index}: ${applied.reason}`);
    this.#told.push(index);
  };

  takeTold(): number[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  /** Next hop of the longest row that holds the destination; 0: no route. */
  lookUp(index: number, kind: TableKind, destination: number): number {
    return this.nextHops(index, kind, destination + 1)[destination] ?? 0;
  }

  /** The same for all destinations below `limit`. */
  nextHops(index: number, kind: TableKind, limit: number): Uint32Array {
    const found = new Uint32Array(limit);
    const rows = (this.tables.get(index)?.rows() ?? []).filter((row) => row.table === kind);
    for (const row of rows.sort((a, b) => b.blockBits - a.blockBits)) {
      found.fill(row.nextHops[0]?.neighbour ?? 0, row.destination, row.destination + 2 ** row.blockBits);
    }
    return found;
  }
}
