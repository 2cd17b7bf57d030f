/** Keys of hubs: kept by columns, taken over by batches. AssemblyScript; see lane-kernel.as. */
import { high, low } from './lane-deliver';
import { Job, LANES, rankMask } from './lane-job';

/** Takes over what is known of the paths from the sources to all hubs. */
export function fold(job: Job): void {
  const ranks = i32x4.splat(rankMask(job));
  const toLengths = job.lengths - job.keys;
  const end = job.keys + (job.hubs << 6);
  let from = job.hubLines;
  for (let at = job.keys; at < end; at += 16, from += 16) {
    const keys = v128.load(from);
    v128.store(at, keys);
    v128.store(at + toLengths, v128.andnot(keys, ranks));
  }
}

/** Keeps, for each folded batch, the lines of the sixteen hubs: lanes were hubs, and become sources. */
export function storeColumns(job: Job): void {
  const keys = job.keys;
  const hub = load<u32>(job.sources);
  // a hub reaches itself
  for (let lane: u32 = 0; lane < LANES; lane++) store<u32>(keys + ((hub + lane) << 6) + (lane << 2), 0);
  let to = job.hubLines + (hub << 6);
  let sources = job.foldedSources;
  for (let batch: u32 = 0; batch < job.folded; batch++) {
    for (let group: u32 = 0; group < 64; group += 16) {
      for (let lane: u32 = 0; lane < 64; lane += 16) {
        turn(keys + group, sources + lane, to + (group << 4) + lane);
      }
    }
    to += job.hubs << 6;
    sources += LANES << 3;
  }
}

/** Four lanes of four vertices: four lines' pieces. */
@inline
function turn(keys: usize, vertices: usize, to: usize): void {
  const a = v128.load(keys + (load<u32>(vertices) << 6));
  const b = v128.load(keys + (load<u32>(vertices, 4) << 6));
  const c = v128.load(keys + (load<u32>(vertices, 8) << 6));
  const d = v128.load(keys + (load<u32>(vertices, 12) << 6));
  const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  const ab2 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const cd2 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(to, low(ab, cd));
  v128.store(to, high(ab, cd), 64);
  v128.store(to, low(ab2, cd2), 128);
  v128.store(to, high(ab2, cd2), 192);
}
