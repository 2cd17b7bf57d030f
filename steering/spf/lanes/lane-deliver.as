/** From lanes to rows: the last step of a batch. AssemblyScript; see lane-kernel.as. */
import { Job, LANES, rankMask } from './lane-job';

/** Up to so many rank bits, ranks are looked up in four vectors of sixteen bytes. */
const VECTOR_RANK_BITS: u32 = 6;

/**
 * Slots whose pieces of four rows are stored before those of the next four: many cache lines of few rows, one after the
 * other. Measured, of a folded batch: 64 to 1024 took 1.5, 6, 7, 8 and 8 % off what 8 slots of sixteen rows took.
 */
const PIECE_SLOTS: u32 = 512;

/** Turns lanes into pieces of rows, and checks the bounds. */
export function deliver(job: Job): u32 {
  const mask = i32x4.splat(((1 << job.hopBits) - 1) << job.rankBits);
  const unreached = i32x4.splat(job.unreached);
  let longest = i32x4.splat(0);
  let full = i32x4.splat(0);
  for (let first: u32 = 0; first < job.slots; first += PIECE_SLOTS) {
    const end = min<u32>(job.slots, first + PIECE_SLOTS);
    findPredecessors(job, first, end);
    for (let group: u32 = 0; group < 64; group += 16) {
      const from = job.keys + group;
      const lane = group >> 2;
      let found = job.block + 256 + (lane << 4);
      for (let slot = first; slot < end; slot += 8, found += 256) {
        const line = job.line + (slot << 2);
        const a = v128.load(from + load<u32>(line));
        const b = v128.load(from + load<u32>(line, 4));
        const c = v128.load(from + load<u32>(line, 8));
        const d = v128.load(from + load<u32>(line, 12));
        const e = v128.load(from + load<u32>(line, 16));
        const f = v128.load(from + load<u32>(line, 20));
        const g = v128.load(from + load<u32>(line, 24));
        const h = v128.load(from + load<u32>(line, 28));
        full = v128.or(full, v128.or(anyFull(a, b, c, d, mask), anyFull(e, f, g, h, mask)));
        longest = i32x4.max_u(longest, i32x4.max_u(most(a, b, c, d, unreached), most(e, f, g, h, unreached)));
        // lanes 0 1, then 2 3, of two slots each
        const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
        const cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
        const ef = v128.shuffle<u32>(e, f, 0, 4, 1, 5);
        const gh = v128.shuffle<u32>(g, h, 0, 4, 1, 5);
        put(job, lane, slot, low(ab, cd), low(ef, gh), found, mask, unreached);
        put(job, lane + 1, slot, high(ab, cd), high(ef, gh), found + 16, mask, unreached);
        const ab2 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
        const cd2 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
        const ef2 = v128.shuffle<u32>(e, f, 2, 6, 3, 7);
        const gh2 = v128.shuffle<u32>(g, h, 2, 6, 3, 7);
        put(job, lane + 2, slot, low(ab2, cd2), low(ef2, gh2), found + 32, mask, unreached);
        put(job, lane + 3, slot, high(ab2, cd2), high(ef2, gh2), found + 48, mask, unreached);
      }
    }
  }
  searchCrowded(job);
  finish(job);
  if (v128.any_true(full)) return 1;
  return v128.any_true(i32x4.ge_u(longest, i32x4.splat(job.unproven))) ? 2 : 0;
}

/** Writes the predecessors of the slots into the block, from its byte 256: eight slots of all lanes after eight slots. */
@inline
function findPredecessors(job: Job, first: u32, end: u32): void {
  const block = job.block;
  let found = block + 256;
  for (let slot = first; slot < end; slot += 8, found += 256) {
    if (job.rankBits <= VECTOR_RANK_BITS) {
      for (let j: u32 = 0; j < 8; j++) lookUpTails(job, slot + j, block + (j << 4));
      transpose(block, found);
      transpose(block + 128, found + 128);
    } else {
      for (let j: u32 = 0; j < 8; j++) nameTails(job, slot + j, found + (j << 1));
    }
  }
}

/** Looks up which slot the rank in each lane stands for; lanes are 16 bytes apart. */
@inline
function nameTails(job: Job, slot: u32, into: usize): void {
  const ranks = rankMask(job);
  const at = job.keys + load<u32>(job.line + (slot << 2));
  const tails = job.tails + load<u32>(job.tailStart + (slot << 2));
  for (let lane: u32 = 0; lane < LANES; lane += 4) {
    const here = at + (lane << 2);
    const to = into + (lane << 4);
    store<u16>(to, tailAt(job, tails + (load<u32>(here) & ranks)));
    store<u16>(to, tailAt(job, tails + (load<u32>(here, 4) & ranks)), 16);
    store<u16>(to, tailAt(job, tails + (load<u32>(here, 8) & ranks)), 32);
    store<u16>(to, tailAt(job, tails + (load<u32>(here, 12) & ranks)), 48);
  }
}

@inline
function tailAt(job: Job, at: usize): u16 {
  return load<u8>(at) | (<u16>load<u8>(at + job.tailBytes) << 8);
}

/**
 * The same for ranks of up to six bits, all lanes at once: the low and the high bytes of 64 tails are looked up in vectors.
 * Stores eight lanes, and 128 bytes further the other eight.
 */
@inline
function lookUpTails(job: Job, slot: u32, into: usize): void {
  const at = job.keys + load<u32>(job.line + (slot << 2));
  const mask = i32x4.splat(rankMask(job));
  const ranks = i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_u(v128.and(v128.load(at), mask), v128.and(v128.load(at, 16), mask)),
    i16x8.narrow_i32x4_u(v128.and(v128.load(at, 32), mask), v128.and(v128.load(at, 48), mask)),
  );
  const ranks2 = i8x16.sub(ranks, i8x16.splat(16));
  const ranks3 = i8x16.sub(ranks, i8x16.splat(32));
  const ranks4 = i8x16.sub(ranks, i8x16.splat(48));
  // a rank that is not among a vector's sixteen gives 0 there
  const first = job.tails + load<u32>(job.tailStart + (slot << 2));
  const l = v128.or(
    v128.or(i8x16.swizzle(v128.load(first), ranks), i8x16.swizzle(v128.load(first, 16), ranks2)),
    v128.or(i8x16.swizzle(v128.load(first, 32), ranks3), i8x16.swizzle(v128.load(first, 48), ranks4)),
  );
  const second = first + job.tailBytes;
  const h = v128.or(
    v128.or(i8x16.swizzle(v128.load(second), ranks), i8x16.swizzle(v128.load(second, 16), ranks2)),
    v128.or(i8x16.swizzle(v128.load(second, 32), ranks3), i8x16.swizzle(v128.load(second, 48), ranks4)),
  );
  v128.store(into, v128.shuffle<u8>(l, h, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
  v128.store(into, v128.shuffle<u8>(l, h, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 128);
}

/** Eight vectors of eight 16-bit numbers at `from`: row by row in, column by column out. */
@inline
function transpose(from: usize, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, 16);
  const c = v128.load(from, 32);
  const d = v128.load(from, 48);
  const e = v128.load(from, 64);
  const f = v128.load(from, 80);
  const g = v128.load(from, 96);
  const h = v128.load(from, 112);
  const ab = v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const cd = v128.shuffle<u16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  const ef = v128.shuffle<u16>(e, f, 0, 8, 1, 9, 2, 10, 3, 11);
  const gh = v128.shuffle<u16>(g, h, 0, 8, 1, 9, 2, 10, 3, 11);
  const ab2 = v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const cd2 = v128.shuffle<u16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  const ef2 = v128.shuffle<u16>(e, f, 4, 12, 5, 13, 6, 14, 7, 15);
  const gh2 = v128.shuffle<u16>(g, h, 4, 12, 5, 13, 6, 14, 7, 15);
  columns(to, ab, cd, ef, gh);
  columns(to + 64, ab2, cd2, ef2, gh2);
}

/** Stores four columns out of pairs of rows. */
@inline
function columns(to: usize, ab: v128, cd: v128, ef: v128, gh: v128): void {
  const abcd = v128.shuffle<u32>(ab, cd, 0, 4, 1, 5);
  const efgh = v128.shuffle<u32>(ef, gh, 0, 4, 1, 5);
  v128.store(to, low(abcd, efgh));
  v128.store(to, high(abcd, efgh), 16);
  const abcd2 = v128.shuffle<u32>(ab, cd, 2, 6, 3, 7);
  const efgh2 = v128.shuffle<u32>(ef, gh, 2, 6, 3, 7);
  v128.store(to, low(abcd2, efgh2), 32);
  v128.store(to, high(abcd2, efgh2), 48);
}

/** Vertices with more arcs than ranks: of the arcs that share the rank the first that explains the key. */
function searchCrowded(job: Job): void {
  const ranks = rankMask(job);
  const count = load<u32>(job.crowded);
  for (let i: u32 = 0; i < count; i++) {
    const vertex = load<u32>(job.crowded + (i << 3), 4);
    const shift = load<u32>(job.crowded + (i << 3), 8);
    const slot = slotOf(job, vertex);
    const first = load<u32>(job.inStart + (vertex << 2));
    const last = job.inArcs + (load<u32>(job.inStart + (vertex << 2), 4) << 3);
    for (let lane: u32 = 0; lane < LANES; lane++) {
      const mine = job.keys + (lane << 2);
      const key = load<u32>(mine + (vertex << 6));
      if (key == 0 || key == job.unreached) continue;
      const rank = key & ranks;
      const skipped = rank == 0 ? 0 : (rank - 1) << shift;
      for (let arc = job.inArcs + ((first + skipped) << 3); arc < last; arc += 8) {
        const from = load<u32>(arc);
        if ((load<u32>(mine + from) & ~ranks) + (load<u32>(arc, 4) & ~ranks) != (key & ~ranks)) continue;
        const row = load<u32>(job.sources + 64 + (lane << 2)) * job.stride;
        store<u16>(job.predecessor + ((row + slot) << 1), <u16>slotOf(job, from >> 6));
        break;
      }
    }
  }
}

/** Stores what eight slots have in one lane; `found` is where their predecessors are. */
@inline
function put(
  job: Job,
  lane: u32,
  slot: u32,
  keys: v128,
  more: v128,
  found: usize,
  mask: v128,
  unreached: v128,
): void {
  const entry = load<u32>(job.sources + 64 + (lane << 2)) * job.stride + slot;
  const hopUs = i32x4.splat(job.transitHopUs);
  const lowBits = job.hopBits + job.rankBits;
  const at = job.distance + (entry << 2);
  v128.store(at, v128.or(i32x4.sub(i32x4.shr_u(keys, lowBits), hopUs), i32x4.eq(keys, unreached)));
  v128.store(at, v128.or(i32x4.sub(i32x4.shr_u(more, lowBits), hopUs), i32x4.eq(more, unreached)), 16);
  const hops = i16x8.narrow_i32x4_u(
    i32x4.shr_u(v128.and(keys, mask), job.rankBits),
    i32x4.shr_u(v128.and(more, mask), job.rankBits),
  );
  v128.store(job.hops + (entry << 1), hops);
  v128.store(job.predecessor + (entry << 1), v128.load(found));
}

/** The entries of the sources themselves, and of those that only a source that does not forward explains. */
function finish(job: Job): void {
  for (let lane: u32 = 0; lane < LANES; lane++) {
    const source = load<u32>(job.sources + (lane << 2));
    const slot = load<u32>(job.sources + 64 + (lane << 2));
    const row = slot * job.stride;
    store<u32>(job.distance + ((row + slot) << 2), 0);
    if (load<u8>(job.transit + source)) continue;
    const mine = job.keys + (lane << 2);
    const starts = job.outStart + (source << 2);
    const last = job.outArcs + (load<u32>(starts, 4) << 3);
    for (let arc = job.outArcs + (load<u32>(starts) << 3); arc < last; arc += 8) {
      const to = load<u32>(arc);
      if (load<u32>(mine + to) != load<u32>(arc, 4)) continue;
      store<u16>(job.predecessor + ((row + slotOf(job, to >> 6)) << 1), <u16>slot);
    }
  }
}

/** The slots of the vertices stand behind the lines of the slots. */
@inline
function slotOf(job: Job, vertex: u32): u32 {
  return load<u32>(job.line + ((job.slots + vertex) << 2));
}

@inline
export function low(x: v128, y: v128): v128 {
  return v128.shuffle<u64>(x, y, 0, 2);
}

@inline
export function high(x: v128, y: v128): v128 {
  return v128.shuffle<u64>(x, y, 1, 3);
}

/** The greatest key of four that is reached, or 0. */
@inline
function most(a: v128, b: v128, c: v128, d: v128, unreached: v128): v128 {
  return i32x4.max_u(
    i32x4.max_u(v128.andnot(a, i32x4.eq(a, unreached)), v128.andnot(b, i32x4.eq(b, unreached))),
    i32x4.max_u(v128.andnot(c, i32x4.eq(c, unreached)), v128.andnot(d, i32x4.eq(d, unreached))),
  );
}

/** Ones where a key has all its hop bits set: the path may have more hops than they can count. */
@inline
function anyFull(a: v128, b: v128, c: v128, d: v128, mask: v128): v128 {
  return v128.or(
    v128.or(i32x4.eq(v128.and(a, mask), mask), i32x4.eq(v128.and(b, mask), mask)),
    v128.or(i32x4.eq(v128.and(c, mask), mask), i32x4.eq(v128.and(d, mask), mask)),
  );
}
