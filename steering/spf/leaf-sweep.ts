/**
 * Gives each node that does not forward the best of its links to transit nodes that are settled already. Leaves are
 * swept in the order of slots, so that their links are read one after the other.
 *
 * Which link of a leaf is the best cannot be foretold, and a branch on it would be mispredicted once or twice a leaf. So
 * the sweep chooses by arithmetic: m = (a - b) >> 31 is -1 where a < b, else 0. That holds for distances below 2^31 us
 * without ties; leaves that are not so, and they are few, are done again with care.
 */
import { UNREACHABLE } from './path-table.ts';
import { type Search, tooLong } from './search.ts';

const LARGEST = 2 ** 31 - 1;
/** Links of most leaves, for which the loop is written out: it takes half the time. */
const USUAL_LINKS = 3;

/**
 * Slots of one call. A function that is called often is compiled well and stays so; one that is called once a tree and
 * loops a million times was seen to fall back to slow code for good.
 */
const SLOTS_PER_CALL = 4096;

/** Throws `invalid_argument` when every path to a leaf is too long. */
export function sweepLeaves(search: Search): void {
  const { graph, root } = search;
  const { slotCount, transit } = graph;
  const rootForwards = transit[root] === 1;
  if (!rootForwards) takeOwnLeaves(search);
  // a sum of a distance below 2^31 and this much cannot pass 2^32, so its sign tells that it is too long
  const ordinary = rootForwards && graph.weightCeiling + search.transitHopUs <= LARGEST;
  for (let first = 0; first < slotCount; first += SLOTS_PER_CALL) {
    sweepRange(search, ordinary ? 0 : -1, first, Math.min(first + SLOTS_PER_CALL, slotCount));
  }
}

/** Slots from `first` to before `end`. `oddFirst` is negative when all of them want care. */
function sweepRange(search: Search, oddFirst: number, first: number, end: number): void {
  const { graph, back, root, transitHopUs, tree } = search;
  const { start, transitLength, neighbour, weight } = back;
  const { transit } = graph;
  const { distance, predecessor } = tree;
  for (let v = first; v < end; v++) {
    if (transit[v] === 1 || v === root) continue;
    const from = start[v] ?? 0;
    const to = from + (transitLength[v] ?? 0);
    let best = LARGEST;
    let before = 0;
    // negative when something is out of the ordinary
    let odd = oddFirst;
    if (to - from === USUAL_LINKS && transitHopUs === 0) {
      const a = neighbour[from] ?? 0;
      const b = neighbour[from + 1] ?? 0;
      const c = neighbour[from + 2] ?? 0;
      const reachedA = (distance[a] ?? 0) | 0;
      const reachedB = (distance[b] ?? 0) | 0;
      const reachedC = (distance[c] ?? 0) | 0;
      const byA = (reachedA + (weight[from] ?? 0)) | 0;
      const byB = (reachedB + (weight[from + 1] ?? 0)) | 0;
      const byC = (reachedC + (weight[from + 2] ?? 0)) | 0;
      const betterB = (byB - byA) >> 31;
      const best2 = (byA + ((byB - byA) & betterB)) | 0;
      const before2 = (a + ((b - a) & betterB)) | 0;
      const betterC = (byC - best2) >> 31;
      best = (best2 + ((byC - best2) & betterC)) | 0;
      before = (before2 + ((c - before2) & betterC)) | 0;
      odd |= reachedA | reachedB | reachedC | byA | byB | byC | ((byA ^ byB) - 1) | ((best2 ^ byC) - 1);
    } else {
      for (let k = from; k < to; k++) {
        const u = neighbour[k] ?? 0;
        const reached = (distance[u] ?? 0) | 0;
        const candidate = (reached + (u === root ? 0 : transitHopUs) + (weight[k] ?? 0)) | 0;
        odd |= reached | candidate | ((candidate ^ best) - 1);
        const better = (candidate - best) >> 31;
        best = (best + ((candidate - best) & better)) | 0;
        before = (before + ((u - before) & better)) | 0;
      }
    }
    if (odd < 0 || best === LARGEST) {
      sweepWithCare(search, v);
    } else {
      distance[v] = best;
      predecessor[v] = before;
    }
  }
}

/** The same for one leaf, whatever its distances: among equal ones the tie rule decides. */
function sweepWithCare({ graph, back, root, transitHopUs, tree }: Search, v: number): void {
  const { distance, predecessor } = tree;
  let best = distance[v] ?? 0;
  let before = predecessor[v] ?? 0;
  let far = false;
  const from = back.start[v] ?? 0;
  const to = from + (back.transitLength[v] ?? 0);
  for (let k = from; k < to; k++) {
    const u = back.neighbour[k] ?? 0;
    const reached = distance[u] ?? 0;
    if (reached === UNREACHABLE) continue;
    // a double: it cannot wrap
    const candidate = reached + (back.weight[k] ?? 0) + (u === root ? 0 : transitHopUs);
    if (candidate < best) {
      best = candidate;
      before = u;
    } else if (before < 0) {
      far = true;
    } else if (candidate === best && tree.isBetter(u, before, graph.index)) {
      before = u;
    }
  }
  if (far && before < 0) throw tooLong(root, v);
  distance[v] = best;
  predecessor[v] = before;
}

/** A root that does not forward for others reaches the leaves next to it all the same. */
function takeOwnLeaves({ ahead, root, tree }: Search): void {
  const from = (ahead.start[root] ?? 0) + (ahead.transitLength[root] ?? 0);
  const to = (ahead.start[root] ?? 0) + (ahead.length[root] ?? 0);
  for (let k = from; k < to; k++) {
    const v = ahead.neighbour[k] ?? 0;
    tree.distance[v] = ahead.weight[k] ?? 0;
    tree.predecessor[v] = root;
  }
}
