/**
 * What a core writes down before it tells anybody: the deltas that a step is about to send, and the destinations whose
 * sources it moves. A state that was saved some steps ago, brought forward by these records, is as good as one that was
 * saved now: a core that is killed in the middle of a move leaves nothing with any node that its successor does not
 * know of. Answers need no record. A node's next delta starts from what the last one made where that was acknowledged,
 * and a node that comes back says itself what it holds. Pure.
 */
import { z } from 'zod';
import type { Parsed } from '../protocol/error.ts';
import { rowFault } from '../protocol/route-table.ts';
import { type PersistedState, packRowKey, persistedDelta, persistedDestination, unpackRow } from './persisted-state.ts';

const index = z.number().int().min(1);

const step = z.strictObject({
  generation: z.string().regex(/^\d{1,20}$/),
  deltas: z.array(z.tuple([index, persistedDelta])),
  destinations: z.array(persistedDestination),
});

export type StepRecord = z.infer<typeof step>;

export function formatStepRecord(record: StepRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** Reads what `formatStepRecord` wrote. One that cannot be read spoils all: what follows it does not fit what is before. */
export function parseStepRecords(records: readonly Uint8Array[]): Parsed<StepRecord[]> {
  const read: StepRecord[] = [];
  for (const bytes of records) {
    let json: unknown;
    try {
      json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
      return { ok: false, reason: 'a record of a step is not JSON' };
    }
    const parsed = step.safeParse(json);
    if (!parsed.success) return { ok: false, reason: z.prettifyError(parsed.error) };
    for (const [at, { set }] of parsed.data.deltas) {
      for (const row of set) {
        const fault = rowFault(unpackRow(row));
        if (fault !== undefined) return { ok: false, reason: `node ${at}: ${fault}` };
      }
    }
    read.push(parsed.data);
  }
  return { ok: true, value: read };
}

type NodeState = PersistedState['nodes'][number];

/** The state after the steps of `records`, oldest first, which followed it. */
export function bringForward(state: PersistedState, records: readonly StepRecord[]): PersistedState {
  const nodes = new Map(state.nodes.map((node) => [node.index, new JournalledNode(node)]));
  const destinations = new Map(state.destinations.map((destination) => [destination.index, destination]));
  let generation = BigInt(state.generation);
  for (const record of records) {
    if (BigInt(record.generation) > generation) generation = BigInt(record.generation);
    for (const [at, delta] of record.deltas) {
      const node = nodes.get(at) ?? new JournalledNode(unheard(at));
      node.launch(delta);
      nodes.set(at, node);
    }
    for (const destination of record.destinations) destinations.set(destination.index, destination);
  }
  return {
    ...state,
    generation: String(generation),
    nodes: [...nodes.values()].map((node) => node.state),
    destinations: [...destinations.values()],
  };
}

function unheard(at: number): NodeState {
  return { index: at, known: true, generation: '0', rows: [], inFlight: null };
}

/** A node whose deltas are gone through one after the other. Its table is indexed once: a record costs what it changes. */
class JournalledNode {
  #node: NodeState;
  /** Rows of the table by their keys; null: they are those of `#node`. */
  #rows: Map<string, NodeState['rows'][number]> | null = null;

  constructor(node: NodeState) {
    this.#node = node;
  }

  get state(): NodeState {
    return this.#rows === null ? this.#node : { ...this.#node, rows: [...this.#rows.values()] };
  }

  /** The node with `delta` on its way; what was before has been answered, one way or the other. */
  launch(delta: NonNullable<NodeState['inFlight']>): void {
    const { inFlight: before, generation, known } = this.#node;
    // a full table is sent to a node without one, and to a node of which nobody knows what it holds
    if (delta.full) {
      this.#rows = null;
      this.#node = { ...this.#node, known: known && generation === '0', generation: '0', rows: [], inFlight: delta };
      return;
    }
    const isAnswered = before !== null && delta.base === before.generation;
    this.#node = { ...this.#node, inFlight: delta };
    if (!isAnswered) return;
    const rows = before.full ? new Map() : (this.#rows ?? new Map(this.#node.rows.map((row) => [keyOf(row), row])));
    for (const removed of before.remove) rows.delete(String([removed[0], removed[1], removed[2] ?? 0]));
    for (const row of before.set) rows.set(keyOf(row), row);
    this.#rows = rows;
    this.#node = { ...this.#node, known: true, generation: before.generation };
  }
}

function keyOf(row: NodeState['rows'][number]): string {
  return String(packRowKey(row));
}
