/**
 * Sixteen shortest-path trees at once: lane i of every vector belongs to source i. AssemblyScript, built into
 * lane-kernel-code.ts by `npm run kernel`. lane-rows.ts says what it computes and how; it is the same in TypeScript, but
 * for hubs: paths from all sources to these may be computed before (fillColumns), and are then not looked for again.
 */
import { deliver } from './lane-deliver';
import { fold, storeColumns } from './lane-hubs';
import { Job, LANES, rankMask } from './lane-job';

/** As in lane-rows.ts. */
const PULL_SHARE: u32 = 2;
const SHORT_SWEEPS: u32 = 3;
/** Where hubs are known, the first takes the paths from all of them. Measured, of 1 to 3. */
const FOLDED_SHORT_SWEEPS: u32 = 2;

/** What keys fall by. `lengths`: where ways on start from; they are keys without the bits of `ranks`. */
@unmanaged
class Way {
  lengths: usize;
  ranks: u32;
  /** The first vertex that is looked at. */
  first: u32;
  /** Arcs that are pulled: where they start and end, by vertex. */
  pulled: usize;
  from: usize;
  to: usize;
  /** Arcs that are pushed, and the bits of their keys that count. */
  pushedStart: usize;
  pushed: usize;
  keyBits: u32;
}

/** Fills the rows of the sixteen sources. 0: done; 1: too many hops for hopBits; 2: distances too long for a key. */
export function fill(at: usize): u32 {
  const job = changetype<Job>(at);
  const way = changetype<Way>(at + offsetof<Job>());
  way.lengths = job.lengths;
  way.ranks = rankMask(job);
  way.first = job.hubs;
  way.pulled = job.inArcs;
  way.pushedStart = job.outStart;
  way.pushed = job.outArcs;
  way.keyBits = 0xffff_ffff;
  clear(job);
  if (job.hubs > 0) fold(job);
  if (seed(job, job.lists) > 0) {
    const folded = job.hubs > 0;
    const sweeps = folded ? FOLDED_SHORT_SWEEPS : SHORT_SWEEPS;
    way.from = folded ? job.inStart : job.inShort;
    way.to = job.inShortEnd;
    let backward = false;
    for (let sweep: u32 = 0; sweep < sweeps; sweep++) {
      const fell = pull(job, way, backward, job.lists);
      backward = !backward;
      // paths from hubs do not fall any more
      if (folded) way.from = job.inRest;
      if (fell <= (job.vertices - way.first) / PULL_SHARE) break;
    }
    way.from = folded ? job.inRest : job.inStart;
    way.to = job.inStart + 4;
    settle(job, way, backward);
  }
  return deliver(job);
}

/**
 * The other way round: for sixteen hubs, the keys that paths to them from all vertices have, ranks and all, for the
 * sources of the folded batches. A path on gets longer at its front, and keeps the rank of its last arc.
 */
export function fillColumns(at: usize): u32 {
  const job = changetype<Job>(at);
  const way = changetype<Way>(at + offsetof<Job>());
  way.lengths = job.keys;
  way.ranks = 0;
  way.first = 0;
  way.pulled = job.onArcs;
  way.from = job.onStart;
  way.to = job.onShortEnd;
  way.pushedStart = job.inStart;
  way.pushed = job.inArcs;
  way.keyBits = ~rankMask(job);
  clear(job);
  if (seedColumns(job) > 0) {
    let backward = false;
    for (let sweep: u32 = 0; sweep < SHORT_SWEEPS; sweep++) {
      const fell = pull(job, way, backward, job.lists);
      backward = !backward;
      if (fell <= job.vertices / PULL_SHARE) break;
    }
    way.to = job.onStart + 4;
    settle(job, way, backward);
    // those that do not forward are not pushed to
    for (let vertex: u32 = 0; vertex < job.vertices; vertex++) {
      if (!load<u8>(job.transit + vertex)) relax(job, way, vertex, i32x4.splat(0));
    }
  }
  storeColumns(job);
  return 0;
}

/** Pulls while many keys fall, pushes while few do, until none does. */
function settle(job: Job, way: Way, backward: bool): void {
  let list = job.lists;
  let other = job.lists + (job.vertices << 2);
  const many = (job.vertices - way.first) / PULL_SHARE;
  let count = job.vertices;
  while (count > 0) {
    if (count > many) {
      count = pull(job, way, backward, list);
      backward = !backward;
      continue;
    }
    count = push(job, way, list, count, other);
    const pushed = list;
    list = other;
    other = pushed;
  }
}

/** Nothing is reached, nothing is listed. */
function clear(job: Job): void {
  const keys = job.keys;
  const unreached = i32x4.splat(job.unreached);
  const end = keys + (job.vertices << 6);
  const toLengths = job.lengths - keys;
  for (let at = keys; at < end; at += 16) {
    v128.store(at, unreached);
    v128.store(at + toLengths, unreached);
  }
  memory.fill(job.listed, 0, job.vertices);
}

/** Every source reaches itself, and its neighbours by their arcs. Lists those that forward; returns how many. */
function seed(job: Job, list: usize): u32 {
  const toLengths = job.lengths - job.keys;
  let count: u32 = 0;
  for (let lane: u32 = 0; lane < LANES; lane++) {
    const source = load<u32>(job.sources + (lane << 2));
    const mine = job.keys + (lane << 2);
    store<u32>(mine + (source << 6), 0);
    store<u32>(mine + toLengths + (source << 6), 0);
    const starts = job.outStart + (source << 2);
    const last = job.outArcs + (load<u32>(starts, 4) << 3);
    for (let arc = job.outArcs + (load<u32>(starts) << 3); arc < last; arc += 8) {
      const to = load<u32>(arc);
      const key = min<u32>(load<u32>(mine + to), load<u32>(arc, 4));
      store<u32>(mine + to, key);
      store<u32>(mine + to + toLengths, key & ~rankMask(job));
      count = enlist(job, to >> 6, list, count);
    }
  }
  return count;
}

/** The neighbours that forward reach their hub by their arcs. Returns how many there are. */
function seedColumns(job: Job): u32 {
  let count: u32 = 0;
  for (let lane: u32 = 0; lane < LANES; lane++) {
    const hub = load<u32>(job.sources + (lane << 2));
    const mine = job.keys + (lane << 2);
    const starts = job.inStart + (hub << 2);
    const last = job.inArcs + (load<u32>(starts, 4) << 3);
    for (let arc = job.inArcs + (load<u32>(starts) << 3); arc < last; arc += 8) {
      const from = load<u32>(arc);
      store<u32>(mine + from, min<u32>(load<u32>(mine + from), load<u32>(arc, 4)));
      count++;
    }
  }
  return count;
}

/** Puts the vertex on the list when it forwards and is on none. Returns the length of the list. */
@inline
function enlist(job: Job, vertex: u32, list: usize, count: u32): u32 {
  if (load<u8>(job.listed + vertex) || !load<u8>(job.transit + vertex)) return count;
  store<u8>(job.listed + vertex, 1);
  store<u32>(list + (count << 2), vertex);
  return count + 1;
}

/** Looks at every vertex once, from the first of the way. Lists those whose keys fell. */
function pull(job: Job, way: Way, backward: bool, list: usize): u32 {
  const vertices = job.vertices;
  const first = way.first;
  const ranks = i32x4.splat(way.ranks);
  let count: u32 = 0;
  memory.fill(job.listed, 0, vertices);
  for (let i = first; i < vertices; i++) {
    const vertex = backward ? vertices - 1 - (i - first) : i;
    // without branches, which nothing foretells: measured, a tenth
    const listed = relax(job, way, vertex, ranks) & <u32>load<u8>(job.transit + vertex);
    store<u8>(job.listed + vertex, listed);
    store<u32>(list + (count << 2), vertex);
    count += listed;
  }
  return count;
}

/** Has those on the list lower the keys of others. Lists these in `next`; returns how many. */
function push(job: Job, way: Way, list: usize, count: u32, next: usize): u32 {
  const keys = job.keys;
  const ranks = i32x4.splat(way.ranks);
  const toLengths = way.lengths - keys;
  const keyBits = way.keyBits;
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const vertex = load<u32>(list + (i << 2));
    store<u8>(job.listed + vertex, 0);
    const at = way.lengths + (vertex << 6);
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);
    const starts = way.pushedStart + (vertex << 2);
    const last = way.pushed + (load<u32>(starts, 4) << 3);
    for (let arc = way.pushed + (load<u32>(starts) << 3); arc < last; arc += 8) {
      const line = load<u32>(arc);
      const to = keys + line;
      const key = i32x4.splat(load<u32>(arc, 4) & keyBits);
      const ta = v128.load(to);
      const tb = v128.load(to, 16);
      const tc = v128.load(to, 32);
      const td = v128.load(to, 48);
      const na = i32x4.min_u(ta, i32x4.add(a, key));
      const nb = i32x4.min_u(tb, i32x4.add(b, key));
      const nc = i32x4.min_u(tc, i32x4.add(c, key));
      const nd = i32x4.min_u(td, i32x4.add(d, key));
      const change = v128.or(
        v128.or(v128.xor(na, ta), v128.xor(nb, tb)),
        v128.or(v128.xor(nc, tc), v128.xor(nd, td)),
      );
      if (!v128.any_true(change)) continue;
      v128.store(to, na);
      v128.store(to, nb, 16);
      v128.store(to, nc, 32);
      v128.store(to, nd, 48);
      v128.store(to + toLengths, v128.andnot(na, ranks));
      v128.store(to + toLengths, v128.andnot(nb, ranks), 16);
      v128.store(to + toLengths, v128.andnot(nc, ranks), 32);
      v128.store(to + toLengths, v128.andnot(nd, ranks), 48);
      found = enlist(job, line >> 6, next, found);
    }
  }
  return found;
}

/** Takes the least over the arcs that the vertex pulls, in all lanes; they come in pairs. 1 when a key fell, else 0. */
@inline
function relax(job: Job, way: Way, vertex: u32, ranks: v128): u32 {
  const lengths = way.lengths;
  const at = job.keys + (vertex << 6);
  let a = v128.load(at);
  let b = v128.load(at, 16);
  let c = v128.load(at, 32);
  let d = v128.load(at, 48);
  const last = way.pulled + (load<u32>(way.to + (vertex << 2)) << 3);
  for (let arc = way.pulled + (load<u32>(way.from + (vertex << 2)) << 3); arc < last; arc += 16) {
    const from = lengths + load<u32>(arc);
    const key = v128.load_splat<u32>(arc, 4);
    a = i32x4.min_u(a, i32x4.add(v128.load(from), key));
    b = i32x4.min_u(b, i32x4.add(v128.load(from, 16), key));
    c = i32x4.min_u(c, i32x4.add(v128.load(from, 32), key));
    d = i32x4.min_u(d, i32x4.add(v128.load(from, 48), key));
    const from2 = lengths + load<u32>(arc, 8);
    const key2 = v128.load_splat<u32>(arc, 12);
    a = i32x4.min_u(a, i32x4.add(v128.load(from2), key2));
    b = i32x4.min_u(b, i32x4.add(v128.load(from2, 16), key2));
    c = i32x4.min_u(c, i32x4.add(v128.load(from2, 32), key2));
    d = i32x4.min_u(d, i32x4.add(v128.load(from2, 48), key2));
  }
  const change = v128.or(
    v128.or(v128.xor(a, v128.load(at)), v128.xor(b, v128.load(at, 16))),
    v128.or(v128.xor(c, v128.load(at, 32)), v128.xor(d, v128.load(at, 48))),
  );
  v128.store(at, a);
  v128.store(at, b, 16);
  v128.store(at, c, 32);
  v128.store(at, d, 48);
  const to = lengths + (vertex << 6);
  v128.store(to, v128.andnot(a, ranks));
  v128.store(to, v128.andnot(b, ranks), 16);
  v128.store(to, v128.andnot(c, ranks), 32);
  v128.store(to, v128.andnot(d, ranks), 48);
  return <u32>v128.any_true(change);
}
