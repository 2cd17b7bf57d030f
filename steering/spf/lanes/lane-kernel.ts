/** The WebAssembly of lane-kernel.as as a BatchKernel: writes its job into the shared memory, and calls it. */
import { ThalwegError } from '../../../protocol/error.ts';
import { LANE_KERNEL } from './lane-kernel-code.ts';
import { CONTROL, LANES, type LaneMemory } from './lane-memory.ts';
import type { BatchKernel } from './lane-rows.ts';
import type { WasmRuntime } from './wasm-runtime.ts';

/** Words of the job that change from batch to batch; the 27 before are addresses. */
const HUBS = 27;
const SOURCES = 31;
const HOP_BITS = 32;

/** The kernel of thread number `thread`. The memory must be WebAssembly's. */
export function laneKernel(runtime: WasmRuntime, memory: LaneMemory, thread: number): BatchKernel {
  if (memory.handle.memory instanceof SharedArrayBuffer) {
    throw new ThalwegError('internal', 'the lane kernel was given memory that is not of WebAssembly');
  }
  const module = new runtime.Module(Buffer.from(LANE_KERNEL, 'base64'));
  const { exports } = new runtime.Instance(module, { env: { memory: memory.handle.memory } });
  const rows = exports.fill as (job: number) => number;
  const columns = exports.fillColumns as (job: number) => number;
  const { job } = memory.scratch(thread);
  const words = memory.words(job);
  writeAddresses(words, memory, thread);
  return {
    fill(batch) {
      const { control, sections } = memory;
      const hubs = control[CONTROL.hubs] ?? 0;
      const from = control[CONTROL.foldedFrom] ?? 0;
      const forHubs = control[CONTROL.columns] === 1;
      words[HUBS] = hubs;
      words[HUBS + 1] = sections.hubLines.at + (forHubs ? 0 : (batch - from) * hubs * LANES * 4);
      words[HUBS + 2] = control[CONTROL.folded] ?? 0;
      words[HUBS + 3] = memory.batch(from).at;
      words[SOURCES] = memory.batch(batch).at;
      words.set(control.subarray(CONTROL.hopBits, CONTROL.transitHopUs + 1), HOP_BITS);
      return forHubs ? columns(job.at) : rows(job.at);
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
    sections.inShortEnd.at,
    sections.inRest.at,
    sections.onStart.at,
    sections.onArcs.at,
    sections.onShortEnd.at,
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
