/** A mesh of synthetic agents around the real steering engine, on virtual time: every delta is applied and acknowledged. */
import type { RttMatrix } from '../netlab/simulator/rtt-matrix.ts';
import { RouteTable } from '../protocol/route-table.ts';
import { OneStepSteeringEngine } from '../steering/steering-engine.ts';
import type { LinkObservation } from '../steering/steering-engine-port.ts';
import type { PartialSteeringOptions } from '../steering/steering-options.ts';

/** After a slice is reported: holds, settling (20 s at most) and rollouts are over by then. */
const SETTLE_MS = 40_000;
/** The engine is stepped at its own wakes, and never later than this. */
const TICK_MS = 500;

export class SteeringMesh {
  readonly #engine: OneStepSteeringEngine;
  readonly #tables: RouteTable[] = [];
  readonly #size: number;
  #nowMs = 0;
  #seenChanges = 0;

  constructor(size: number, options: PartialSteeringOptions = {}) {
    this.#size = size;
    this.#engine = new OneStepSteeringEngine({ toUnixMs: (ms) => ms, stopwatchMs: () => 0 }, options);
    this.#engine.step(0);
    for (let i = 0; i < size; i++) {
      this.#tables.push(new RouteTable());
      this.#engine.upsertNode({ index: i + 1, name: `n${i + 1}`, transit: true }, 0);
      this.#engine.nodeConnected(i + 1, 0n, 0n, 0);
    }
  }

  /** Every node reports its row, then time passes; the number of path changes. */
  measure(matrix: RttMatrix, forMs: number): number {
    const endMs = this.#nowMs + forMs;
    for (let a = 0; a < this.#size; a++) {
      const links: LinkObservation[] = [];
      for (let b = 0; b < this.#size; b++) if (a !== b) links.push(observation(b + 1, matrix.measuredUs(a, b)));
      this.#engine.linksReported(a + 1, links, this.#nowMs);
    }
    const restMs = Math.min(endMs, this.#nowMs + SETTLE_MS);
    this.#step();
    while (this.#nowMs < restMs) {
      const wakeMs = Math.max(this.#nowMs + 1, this.#engine.nextWakeMs());
      this.#nowMs = Math.min(restMs, this.#nowMs + TICK_MS * 20, wakeMs);
      this.#step();
    }
    this.#nowMs = endMs;
    this.#step();
    const changes = this.#engine.pathChangesAfter(this.#seenChanges);
    this.#seenChanges = changes.at(-1)?.seq ?? this.#seenChanges;
    return changes.length;
  }

  /** The path that packets take by the tables that nodes hold: places, source first. */
  pathOf(from: number, to: number): number[] {
    const source = this.#tables[from]?.get({ table: 'source', destination: to + 1, blockBits: 0 });
    const table = source?.plane === 'b' ? ('transitB' as const) : ('transitA' as const);
    const path = [from];
    let next = source?.nextHops[0]?.neighbour ?? to + 1;
    while (path.length <= this.#size) {
      path.push(next - 1);
      if (next === to + 1) return path;
      const row = this.#tables[next - 1]?.get({ table, destination: to + 1, blockBits: 0 });
      next = row?.nextHops[0]?.neighbour ?? to + 1;
    }
    throw new Error(`packets from ${from} to ${to} go round`);
  }

  #step(): void {
    for (let i = 0; i < 1_000; i++) {
      const actions = this.#engine.step(this.#nowMs);
      let applied = false;
      for (const action of actions) {
        if (action.kind !== 'sendDelta') continue;
        const table = this.#tables[action.index - 1];
        if (table === undefined || !table.apply(action.delta).ok)
          throw new Error(`node ${action.index} refused a delta`);
        this.#engine.tableAcked(action.index, action.delta.generation, table.checksum, null, this.#nowMs);
        applied = true;
      }
      if (!applied) return;
    }
    throw new Error('the engine does not come to rest');
  }
}

function observation(peerIndex: number, rttUs: number | null): LinkObservation {
  const measured = rttUs === null ? null : Math.min(60_000_000, Math.max(1, Math.round(rttUs)));
  return {
    peerIndex,
    health: measured === null ? 'unmeasured' : 'up',
    rttUs: measured,
    minRttUs: measured,
    jitterUs: null,
    lossOutPpm: 0,
    lossInPpm: 0,
    handshakeAgeS: 10,
  };
}
