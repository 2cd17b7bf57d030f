/** The WebAssembly of lane-kernel.as as a BatchKernel: writes its job into the shared memory, and calls it. */
import { ThalwegError } from '../../../protocol/error.ts';
import { LANE_KERNEL } from './lane-kernel-code.ts';
import { CONTROL, type LaneMemory } from './lane-memory.ts';
import type { BatchKernel } from './lane-rows.ts';
import type { WasmRuntime } from './wasm-runtime.ts';

/** Words of the job that change from batch to batch; the 22 before are addresses. */
const SOURCES = 22;
const HOP_BITS = 23;

/** The kernel of thread number `thread`. The memory must be WebAssembly's. */
export function laneKernel(runtime: WasmRuntime, memory: LaneMemory, thread: number): BatchKernel {
  if (memory.handle.memory instanceof SharedArrayBuffer) {
    throw new ThalwegError('internal', 'the lane kernel was given memory that is not of WebAssembly');
  }
  const module = new runtime.Module(Buffer.from(LANE_KERNEL, 'base64'));
  const { exports } = new runtime.Instance(module, { env: { memory: memory.handle.memory } });
  const run = exports.fill as (job: number) => number;
  const { job } = memory.scratch(thread);
  const words = memory.words(job);
  writeAddresses(words, memory, thread);
  return {
    fill(batch) {
      words[SOURCES] = memory.batch(batch).at;
      words.set(memory.control.subarray(CONTROL.hopBits, CONTROL.transitHopUs + 1), HOP_BITS);
      return run(job.at);
    },
  };
}

function writeAddresses(words: Uint32Array, memory: LaneMemory, thread: number): void {
  const { sections, table } = memory;
  const { keys, lengths, listed, lists, block } = memory.scratch(thread);
  words.set([
    memory.vertices,
    memory.paddedSlots,
    sections.inStart.at,
    sections.inArcs.at,
    sections.inShort.at,
    sections.outStart.at,
    sections.outArcs.at,
    sections.tails.at,
    sections.tails.bytes / 2,
    sections.tailStart.at,
    sections.crowded.at,
    sections.line.at,
    sections.transit.at,
    keys.at,
    lengths.at,
    listed.at,
    lists.at,
    block.at,
    table.distance.byteOffset,
    table.predecessor.byteOffset,
    table.hops.byteOffset,
    table.stride,
  ]);
}
