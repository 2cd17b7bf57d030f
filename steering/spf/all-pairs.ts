/**
 * Shortest paths between all pairs of a graph, as a table in shared memory. Chooses the kernel: sixteen trees at once in
 * WebAssembly, the same in TypeScript where that is missing, and row by row where the bounds of those do not hold
 * (paths of more than 16,382 links, or so long that their keys do not fit 31 bits). All give the same table.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import { keyShapes, LaneFill, laneLimits, takeBatches } from './lanes/lane-fill.ts';
import { LaneGraph } from './lanes/lane-graph.ts';
import { LaneMemory } from './lanes/lane-memory.ts';
import { LanePool } from './lanes/lane-pool.ts';
import { type BatchKernel, FAULT } from './lanes/lane-rows.ts';
import { kernelOf, takeRows } from './lanes/lane-task.ts';
import { wasmRuntime } from './lanes/wasm-runtime.ts';
import { MOST_TABLE_SLOTS, PathTable } from './path-table.ts';
import type { RowRules } from './plain-rows.ts';

export type AllPairsKernel = 'webassembly' | 'typescript' | 'plain';

export interface AllPairsOptions {
  /** Worker threads. Default 0: the calling thread computes, and does nothing else meanwhile. */
  readonly threads?: number;
  /** The fastest kernel that may be chosen. Default 'webassembly'. */
  readonly kernel?: AllPairsKernel;
  /** The workers' entry. Default: that of the build. */
  readonly workerUrl?: URL;
}

export interface AllPairsRules {
  /** All edits committed. It must not be edited until the table is there. */
  readonly graph: CsrGraph;
  /** 'out': row r holds the paths from slot r. 'into': the paths to it. */
  readonly direction: 'out' | 'into';
  /** Microseconds added for each transit node of a path: a whole number below 2^31. */
  readonly transitHopUs: number;
}

/** Hop bits of keys, tried in turn: paths of up to 62, 1022 and 16,382 links. The more, the shorter they must be. */
const HOP_BITS = [6, 10, 14] as const;

export class AllPairs {
  readonly #most: AllPairsKernel;
  readonly #pool: LanePool | undefined;
  #memory: LaneMemory | undefined;
  /** Set while #memory is used by kernels of this many threads. */
  #adopted: LaneMemory | undefined;
  /** The calling thread's kernel, kept: what it was compiled to gets better while it runs. */
  #own: { readonly memory: LaneMemory; readonly kernel: BatchKernel } | undefined;
  #plainTable: PathTable | undefined;
  #last: AllPairsKernel | undefined;
  #busy = false;

  constructor(options: AllPairsOptions = {}) {
    const threads = options.threads ?? 0;
    if (!Number.isInteger(threads) || threads < 0 || threads > 64) {
      throw new ThalwegError('invalid_argument', `threads is ${threads}: a whole number from 0 to 64 is wanted`, {
        fields: { threads },
      });
    }
    const { workerUrl } = options;
    this.#most = options.kernel ?? 'webassembly';
    this.#pool =
      threads === 0 ? undefined : new LanePool({ threads, ...(workerUrl === undefined ? {} : { workerUrl }) });
  }

  /** The kernel that the last table was computed with. */
  get kernel(): AllPairsKernel | undefined {
    return this.#last;
  }

  /** Starts the threads; `fill` does it too, when it finds none. Idempotent. */
  start(): void {
    this.#pool?.start();
  }

  /** Ends the threads; a computation that runs fails. Tables stay readable. Idempotent. */
  async stop(): Promise<void> {
    this.#adopted = undefined;
    await this.#pool?.stop();
  }

  /**
   * Computes all rows. The table lies in memory that the next `fill` writes over when the graph has the same
   * slotCount; otherwise that makes a new one. Throws `invalid_argument` when the graph has more than 65,535 slots or a
   * path of 2^32 - 1 microseconds or more, `conflict` when called before the last call is done, `internal` when a
   * thread died: after any of these `fill` can be called again, and the table holds nothing of use until it succeeds.
   */
  async fill(rules: AllPairsRules): Promise<PathTable> {
    this.#begin(rules);
    try {
      this.#pool?.start();
      return (await this.#fillLanes(rules)) ?? (await this.#fillPlainly(rules));
    } finally {
      this.#busy = false;
    }
  }

  #begin({ graph, transitHopUs }: AllPairsRules): void {
    if (this.#busy) throw new ThalwegError('conflict', 'all pairs are being computed already');
    if (!Number.isInteger(transitHopUs) || transitHopUs < 0 || transitHopUs >= 2 ** 31) {
      throw new ThalwegError('invalid_argument', `transitHopUs is ${transitHopUs}: not a whole number below 2^31`, {
        fields: { transitHopUs },
      });
    }
    if (graph.slotCount > MOST_TABLE_SLOTS) {
      throw new ThalwegError('invalid_argument', `the graph has ${graph.slotCount} slots: a table holds 65535`, {
        fields: { slotCount: graph.slotCount },
        nextStep: 'Leave leaves out of the graph: they hang off transit nodes',
      });
    }
    this.#busy = true;
  }

  /** Null when no lane kernel may be chosen, or its bounds do not hold. */
  async #fillLanes({ graph, direction, transitHopUs }: AllPairsRules): Promise<PathTable | null> {
    if (this.#most === 'plain' || graph.slotCount === 0) return null;
    const rules: RowRules = { graph, arcs: graph[direction], transitHopUs };
    const arcs = new LaneGraph(rules);
    for (const hopBits of HOP_BITS) {
      let fault: number = FAULT.distance;
      for (const shape of keyShapes(arcs, hopBits)) {
        const limits = laneLimits(arcs.mostCost, shape);
        if (limits === null) return null;
        const memory = this.#memoryFor(graph);
        const fill = new LaneFill(arcs, rules, memory, shape, limits);
        await this.#runRounds(fill, memory);
        if (fill.fault === FAULT.none) {
          this.#last = memory.handle.memory instanceof SharedArrayBuffer ? 'typescript' : 'webassembly';
          return memory.table;
        }
        fault = fill.fault;
        if (fault === FAULT.hops) break;
      }
      if (fault === FAULT.distance) return null;
    }
    return null;
  }

  async #runRounds(fill: LaneFill, memory: LaneMemory): Promise<void> {
    if (this.#pool === undefined) {
      if (this.#own?.memory !== memory) {
        this.#own = { memory, kernel: kernelOf(memory, 0, this.#most === 'webassembly') };
      }
      while (fill.nextRound()) takeBatches(memory, this.#own.kernel);
      return;
    }
    if (this.#adopted !== memory) {
      const webAssembly = this.#most === 'webassembly';
      this.#adopted = undefined;
      await this.#pool.run((thread) => ({ kind: 'adopt', memory: memory.handle, thread, webAssembly }));
      this.#adopted = memory;
    }
    try {
      while (fill.nextRound()) await this.#pool.run(() => ({ kind: 'batches' }));
    } finally {
      if (!this.#pool.running) this.#adopted = undefined;
    }
  }

  async #fillPlainly({ graph, direction, transitHopUs }: AllPairsRules): Promise<PathTable> {
    let table = this.#memory?.table.capacity === graph.slotCount ? this.#memory.table : this.#plainTable;
    if (table?.capacity !== graph.slotCount) table = PathTable.allocate(graph.slotCount);
    const { handle } = table;
    const next = new Int32Array(new SharedArrayBuffer(4));
    if (this.#pool === undefined) takeRows({ graph, arcs: graph[direction], transitHopUs }, table, next);
    else {
      const description = graph.describe();
      await this.#pool.run(() => ({
        ...{ kind: 'plain', graph: description, direction, transitHopUs, table: handle, next },
      }));
    }
    this.#plainTable = table;
    this.#last = 'plain';
    return table;
  }

  /** The memory in use, when the graph still fits; room for a quarter more arcs otherwise. */
  #memoryFor(graph: CsrGraph): LaneMemory {
    const threads = this.#pool?.threads ?? 1;
    const shape = { slots: graph.slotCount, arcs: graph.arcCount, threads };
    if (this.#memory?.fits(shape) === true) return this.#memory;
    const roomy = { ...shape, arcs: Math.ceil(graph.arcCount * 1.25) };
    const runtime = this.#most === 'webassembly' ? wasmRuntime() : undefined;
    this.#memory = LaneMemory.allocate(roomy, runtime);
    return this.#memory;
  }
}
