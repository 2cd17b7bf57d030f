/**
 * The memory that one computation of all pairs works in: the table, the graph as the kernels want it, the batches of
 * sources, and scratch for each thread. Shared: workers lay their views over the same bytes.
 *
 * Vertices are slots in another numbering, in which neighbours are close together; the last vertex stands for slots
 * that do not exist. A *line* is the 64 bytes of keys that the sixteen lanes have for one vertex: line = vertex * 64.
 */
import { ThalwegError } from '../../../protocol/error.ts';
import { PathTable } from '../path-table.ts';
import { WASM_MOST_PAGES, WASM_PAGE_BYTES, type WasmMemory, type WasmRuntime } from './wasm-runtime.ts';

/** Sources of a batch. Four vectors of four keys: measured best among 4 to 32, and a line is one cache line. */
export const LANES = 16;
/** Slots are padded to this, so that rows are stored in whole vectors. */
const SLOT_BLOCK = 8;
/** As in lane-deliver.as. */
const PIECE_SLOTS = 512;

/**
 * Share of the vertices that are hubs: paths to these are computed first, and taken over by all others. Counted, in arcs
 * looked at: equal from 0.25 to 0.4, a third less than without.
 */
const HUB_SHARE = 0.3;
/** Fewer slots: little to gain. */
const HUBS_FROM_SLOTS = 256;

/** How many hubs there is room for: whole batches. */
export function hubRoom(slots: number): number {
  return slots < HUBS_FROM_SLOTS ? 0 : Math.floor((slots * HUB_SHARE) / LANES) * LANES;
}

export interface LaneShape {
  /** Rows of the table: the graph's slotCount. */
  readonly slots: number;
  /** Arcs that fit. */
  readonly arcs: number;
  /** Threads that may work at once. */
  readonly threads: number;
}

/** Posted to a worker. `memory` is a SharedArrayBuffer where there is no WebAssembly. */
export interface LaneMemoryHandle {
  readonly memory: WasmMemory | SharedArrayBuffer;
  readonly shape: LaneShape;
}

/** Words of `control`, which the coordinating thread writes between rounds. */
export const CONTROL = {
  /** The next batch to be taken, by Atomics.add, and the one after the last of the round. */
  next: 0,
  end: 1,
  /** What a kernel returned when it was not 0: the round is given up. */
  fault: 2,
  hopBits: 3,
  rankBits: 4,
  unreached: 5,
  unproven: 6,
  transitHopUs: 7,
  /** Hubs whose keys are known, or being computed; 0: none. */
  hubs: 8,
  /** 1: the batches of the round are of hubs, and compute the paths to them. */
  columns: 9,
  /** The batches that take these over: the first, and how many. */
  foldedFrom: 10,
  folded: 11,
  words: 16,
} as const;

/** Scratch of one thread. */
export interface LaneScratch {
  /** vertices * LANES keys. */
  readonly keys: Section;
  /** The same without ranks. */
  readonly lengths: Section;
  /** By vertex: 1 when it is on a list. */
  readonly listed: Section;
  /** Two lists of vertices whose keys fell. */
  readonly lists: Section;
  readonly block: Section;
  readonly job: Section;
}

/** Slots of tails, 16 bits each: all low bytes, then all high ones, so that vectors can look them up. */
export class Tails {
  readonly #bytes: Uint8Array;
  readonly #half: number;

  constructor(memory: LaneMemory) {
    this.#bytes = memory.bytes(memory.sections.tails);
    this.#half = this.#bytes.length / 2;
  }

  get(at: number): number {
    return (this.#bytes[at] ?? 0) | ((this.#bytes[at + this.#half] ?? 0) << 8);
  }

  set(at: number, slot: number): void {
    this.#bytes[at] = slot & 0xff;
    this.#bytes[at + this.#half] = slot >> 8;
  }
}

/** A piece of the memory: bytes. */
export interface Section {
  readonly at: number;
  readonly bytes: number;
}

export class LaneMemory {
  readonly handle: LaneMemoryHandle;
  readonly buffer: SharedArrayBuffer;
  readonly vertices: number;
  /** Slots, padded to whole blocks. */
  readonly paddedSlots: number;
  readonly table: PathTable;
  readonly sections: ReturnType<typeof layOut>;
  readonly control: Uint32Array<SharedArrayBuffer>;

  constructor(handle: LaneMemoryHandle) {
    const { memory, shape } = handle;
    this.handle = handle;
    this.buffer = memory instanceof SharedArrayBuffer ? memory : memory.buffer;
    this.vertices = shape.slots + 1;
    this.paddedSlots = paddedSlots(shape.slots);
    this.sections = layOut(shape);
    this.table = new PathTable({ buffer: this.buffer, byteOffset: this.sections.table.at, capacity: shape.slots });
    this.control = this.words(this.sections.control);
  }

  /**
   * WebAssembly's memory where that fits (4 GB: some 21,000 slots), plain shared memory otherwise. The content is
   * zero. Throws `invalid_argument` when the machine does not give so much.
   */
  static allocate(shape: LaneShape, runtime: WasmRuntime | undefined): LaneMemory {
    const pages = Math.ceil(layOut(shape).bytes / WASM_PAGE_BYTES);
    try {
      const memory =
        runtime !== undefined && pages <= WASM_MOST_PAGES
          ? new runtime.Memory({ initial: pages, maximum: pages, shared: true })
          : new SharedArrayBuffer(pages * WASM_PAGE_BYTES);
      return new LaneMemory({ memory, shape });
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      const bytes = pages * WASM_PAGE_BYTES;
      throw new ThalwegError('invalid_argument', `all pairs of ${shape.slots} slots need ${bytes} bytes of memory`, {
        fields: { slots: shape.slots, bytes },
        nextStep: 'Compute rows one by one for a graph of this size',
        cause,
      });
    }
  }

  /** True when the memory serves this shape: no new one is needed. */
  fits({ slots, arcs, threads }: LaneShape): boolean {
    const mine = this.handle.shape;
    return mine.slots === slots && mine.arcs >= arcs && mine.threads >= threads;
  }

  words(section: Section): Uint32Array<SharedArrayBuffer> {
    return new Uint32Array(this.buffer, section.at, section.bytes / 4);
  }

  bytes(section: Section): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer, section.at, section.bytes);
  }

  /** A batch: sixteen vertices, then their slots. */
  batch(number: number): Section {
    return { at: this.sections.batches.at + number * 2 * LANES * 4, bytes: 2 * LANES * 4 };
  }

  scratch(thread: number): LaneScratch {
    const { scratch } = this.sections;
    const place = placer(scratch.at + thread * (scratch.bytes / this.handle.shape.threads));
    return placeScratch(place, this.vertices);
  }
}

function paddedSlots(slots: number): number {
  return Math.ceil(slots / SLOT_BLOCK) * SLOT_BLOCK;
}

/** Hands out pieces one after the other, each on a cache line of its own. */
function placer(from: number): { (bytes: number): Section; end(): number } {
  let end = from;
  const place = (bytes: number): Section => {
    const at = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return { at, bytes };
  };
  return Object.assign(place, { end: () => end });
}

function placeScratch(place: (bytes: number) => Section, vertices: number): LaneScratch {
  return {
    keys: place(vertices * LANES * 4),
    lengths: place(vertices * LANES * 4),
    listed: place(vertices),
    lists: place(2 * vertices * 4),
    block: place((SLOT_BLOCK + PIECE_SLOTS) * LANES * 2),
    job: place(256),
  };
}

/** Where everything is. Starts are positions in units of arcs; each has one more than it has lists. */
function layOut({ slots, arcs, threads }: LaneShape) {
  const vertices = slots + 1;
  const padded = paddedSlots(slots);
  const hubs = hubRoom(slots);
  const mostBatches = Math.ceil(slots / LANES) + MOST_ROUNDS;
  const place = placer(0);
  const control = place(CONTROL.words * 4);
  const table = place(PathTable.bytesFor(slots));
  const sections = {
    control,
    table,
    /** By vertex. An arc into it: { line of the tail, key }, short ones first; padded to pairs with arcs to itself. */
    inStart: place((vertices + 1) * 4),
    inArcs: place((arcs + vertices) * 8),
    /** By vertex: where pieces of the arcs into it are; see lane-arcs.ts. */
    inShort: place(vertices * 4),
    inRest: place(vertices * 4),
    inShortEnd: place(vertices * 4),
    /** By vertex. An arc out of it to one that forwards: { line of the head, key without rank }; padded in the same way. */
    onStart: place((vertices + 1) * 4),
    onArcs: place((arcs + vertices) * 8),
    /** By vertex: where the short ones of these end. */
    onShortEnd: place(vertices * 4),
    /** By vertex. An arc out of it: { line of the head, key }, least weight first. */
    outStart: place((vertices + 1) * 4),
    outArcs: place(arcs * 8),
    /** By slot: where its piece of `tails` starts. */
    tailStart: place(padded * 4),
    /** By vertex: NO_PREDECESSOR, then the slots of the tails of the arcs into it: low bytes, then high ones. See Tails. */
    tails: place((arcs + 2 * vertices) * 2),
    /** How many vertices have more arcs than ranks, then { vertex, shift } of each. */
    crowded: place((1 + 2 * vertices) * 4),
    /** Lines of the padded slots, then slots of the vertices. */
    line: place((padded + vertices) * 4),
    /** By vertex: 1 when it forwards. */
    transit: place(vertices),
    /** A round may end with a batch that is not full: a spare one for each round. Then those of hubs. */
    batches: place((mostBatches + hubs / LANES) * 2 * LANES * 4),
    /** By folded batch, then hub: a line of keys, of the paths from the sources to the hub. */
    hubLines: place(hubs === 0 ? 0 : mostBatches * hubs * LANES * 4),
  };
  const one = placer(0);
  placeScratch(one, vertices);
  const scratch = place(threads * one.end());
  return { ...sections, scratch, bytes: place.end() };
}

/** Rounds of one computation (see lane-fill.ts). */
const MOST_ROUNDS = 4;
