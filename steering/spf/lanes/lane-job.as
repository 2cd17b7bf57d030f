/** What the files of the kernel share: the job. AssemblyScript; see lane-kernel.as. */

/** Addresses and numbers, as lane-kernel.ts writes them. Arrays are those of lane-memory.ts. */
@unmanaged
export class Job {
  vertices: u32;
  slots: u32;
  inStart: usize;
  inArcs: usize;
  /** By vertex: where the short arcs into it start, and end, and those from vertices that are no hubs start. */
  inShort: usize;
  inShortEnd: usize;
  inRest: usize;
  /** By vertex: arcs to vertices that forward, without ranks; the end of the short ones. */
  onStart: usize;
  onArcs: usize;
  onShortEnd: usize;
  outStart: usize;
  outArcs: usize;
  /** Low bytes of the tails' slots; `tailBytes` further the high ones. */
  tails: usize;
  tailBytes: usize;
  tailStart: usize;
  crowded: usize;
  line: usize;
  transit: usize;
  keys: usize;
  /** The same without ranks: what a way on starts from. */
  lengths: usize;
  /** By vertex: 1 when it is on a list. */
  listed: usize;
  /** Room for two lists of all vertices. */
  lists: usize;
  /** Room for the predecessors of eight slots, by slots; then of 512 slots, by lanes, eight slots after eight. */
  block: usize;
  distance: usize;
  predecessor: usize;
  hops: usize;
  stride: u32;
  /** The first vertices, this many, are hubs. 0: keys of hubs are not known. A multiple of LANES. */
  hubs: u32;
  /** Keys of the hubs: a line for each, of the sources of this batch; for columns, those of the first folded batch. */
  hubLines: usize;
  /** Batches that will be folded, and the first of them. */
  folded: u32;
  foldedSources: usize;
  /** Sixteen vertices, then their slots. */
  sources: usize;
  hopBits: u32;
  rankBits: u32;
  unreached: u32;
  unproven: u32;
  transitHopUs: u32;
}

export const LANES: u32 = 16;

@inline
export function rankMask(job: Job): u32 {
  return (1 << job.rankBits) - 1;
}
