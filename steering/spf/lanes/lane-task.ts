/** What one thread does of a computation of all pairs: its kernel, and the loop that takes work until there is none. */
import { AttachedGraph, type GraphDescription } from '../../graph/graph-view.ts';
import { PathTable, type PathTableHandle } from '../path-table.ts';
import { PlainRows, type RowRules } from '../plain-rows.ts';
import { takeBatches } from './lane-fill.ts';
import { laneKernel } from './lane-kernel.ts';
import { LaneMemory, type LaneMemoryHandle } from './lane-memory.ts';
import { type BatchKernel, laneRows } from './lane-rows.ts';
import { wasmRuntime } from './wasm-runtime.ts';

/** Take over a memory: all batches until the next `adopt` are of it. */
export interface AdoptTask {
  readonly kind: 'adopt';
  readonly memory: LaneMemoryHandle;
  readonly thread: number;
  readonly webAssembly: boolean;
}

/** Take batches of the round that was prepared. */
export interface BatchesTask {
  readonly kind: 'batches';
}

/** Take rows one by one, plainly. `next` counts them. */
export interface PlainTask {
  readonly kind: 'plain';
  readonly graph: GraphDescription;
  readonly direction: 'out' | 'into';
  readonly transitHopUs: number;
  readonly table: PathTableHandle;
  readonly next: Int32Array<SharedArrayBuffer>;
}

export type LaneTask = AdoptTask | BatchesTask | PlainTask;

/** One thread's part. Throws what its kernel throws; it is usable after that. */
export class LaneThread {
  #memory: LaneMemory | undefined;
  #kernel: BatchKernel | undefined;

  run(task: LaneTask): void {
    if (task.kind === 'plain') {
      const graph = new AttachedGraph(task.graph);
      const rules = { graph, arcs: graph[task.direction], transitHopUs: task.transitHopUs };
      takeRows(rules, new PathTable(task.table), task.next);
    } else if (task.kind === 'adopt') {
      const memory = new LaneMemory(task.memory);
      this.#memory = memory;
      this.#kernel = kernelOf(memory, task.thread, task.webAssembly);
    } else if (this.#memory !== undefined && this.#kernel !== undefined) {
      takeBatches(this.#memory, this.#kernel);
    }
  }
}

/** WebAssembly's kernel where it is wanted and can be had. */
export function kernelOf(memory: LaneMemory, thread: number, webAssembly: boolean): BatchKernel {
  const runtime = webAssembly ? wasmRuntime() : undefined;
  const plain = runtime === undefined || memory.handle.memory instanceof SharedArrayBuffer;
  return plain ? laneRows(memory, thread) : laneKernel(runtime, memory, thread);
}

/** Fills the rows of roots that `next` hands out, by Dijkstra's algorithm, until none is left. */
export function takeRows(rules: RowRules, table: PathTable, next: Int32Array<SharedArrayBuffer>): void {
  const rows = new PlainRows(table.capacity);
  for (;;) {
    const root = Atomics.add(next, 0, 1);
    if (root >= table.capacity) return;
    rows.fill(rules, root, table);
  }
}
