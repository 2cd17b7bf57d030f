/**
 * Settles the transit nodes of a search from a circular array of buckets (E. A. Dinitz, Transport Processes in Graphs,
 * 1978). Bucket b holds nodes whose tentative distance lies in [b * width, (b + 1) * width); the width is a power of two
 * that no weight is below, so what leaves a bucket is final. A node that moves to another bucket is queued again, and
 * its older entry is passed over.
 *
 * Most arcs of a dense graph are too long to matter, and looking at them is what a search spends its time on. Arcs are
 * sorted by weight, so two things save it: arcs are followed up to a horizon only, which is moved out in steps and each
 * arc looked at once in all; and when few nodes are left beyond the horizon, these look back at the arcs that enter them
 * instead. Neither changes the result.
 */
import { UNREACHABLE } from './path-table.ts';
import type { Search } from './search.ts';

/** 256 KiB of list heads. Weights 65,000 times apart are hardly a measured mesh; empty buckets would cost more than a heap. */
const MOST_BUCKETS = 65_536;
/** Distances up to here: half an hour. The sums of 32-bit weights cannot wrap then. */
const FARTHEST = 2 ** 31 - 1;
/** The first horizon, in buckets, where nothing is known; and by which part it moves out. Small steps are more steps. */
const FIRST_HORIZON = 16;
const HORIZON_STEP = 0.2;
/**
 * A search begins with the horizon that the last ones needed: a bit far costs less than a step more. What one root far
 * away from all others needed is forgotten by this part with each search.
 */
const FAMILIAR_HORIZON = 0.95;
/** Look back once at most this share of the transit nodes is left: each then looks at all arcs that enter it. */
const LOOK_BACK_SHARE = 0.1;

export class BucketQueue {
  /** By bucket, modulo their number: first entry; 0: none. */
  #first = new Int32Array(0);
  /** By entry: node, and next entry of its bucket. */
  #node = new Int32Array(1024);
  #next = new Int32Array(1024);
  /** By slot: the first arc that was not followed yet. */
  #beyond = new Int32Array(0);
  /** Settled nodes with arcs beyond the horizon, and the distance to which the first of these leads. */
  #open = new Int32Array(0);
  #openKey = new Int32Array(0);
  /** Nodes to be expanded next. */
  #batch = new Int32Array(0);
  #horizon = FIRST_HORIZON;

  /** False when buckets do not suit this search; the tree is half filled then. */
  run(search: Search): boolean {
    const { graph, ahead, root, transitHopUs, tree } = search;
    const shift = 31 - Math.clz32(graph.weightFloor);
    const span = graph.weightCeiling + transitHopUs;
    if (span / graph.weightFloor + 2 > MOST_BUCKETS || span > FARTHEST) return false;
    const mask = 2 ** Math.ceil(Math.log2(span / graph.weightFloor + 2)) - 1;
    this.#reserve(graph.slotCount, mask + 1);
    const first = this.#first;
    first.fill(0, 0, mask + 1);
    const { start, transitLength, neighbour, weight } = ahead;
    const { index } = graph;
    const { distance, predecessor } = tree;
    const beyond = this.#beyond;
    const open = this.#open;
    const openKey = this.#openKey;
    const batch = this.#batch;
    let entryNode = this.#node;
    let entryNext = this.#next;

    let entries = 1;
    let waiting = 1;
    entryNode[1] = root;
    entryNext[1] = 0;
    first[0] = 1;
    let bucket = -1;
    const rootForwards = graph.transit[root] === 1;
    let left = graph.transitCount + (rootForwards ? 0 : 1);
    const few = Math.floor(graph.transitCount * LOOK_BACK_SHARE);
    let familiar = 0;
    let lookedBack = false;
    // arcs are followed to distances up to `reach`: to all buckets before `horizon`
    let horizon = Math.min(Math.max(1, this.#horizon), FARTHEST >>> shift);
    let reach = (horizon << shift) - 1;
    let opened = 0;
    for (;;) {
      let count = 0;
      while (waiting > 0 && bucket + 1 < horizon && first[(bucket + 1) & mask] === 0) bucket++;
      if (waiting > 0 && bucket + 1 < horizon) {
        bucket++;
        let entry = first[bucket & mask] ?? 0;
        first[bucket & mask] = 0;
        for (; entry !== 0; entry = entryNext[entry] ?? 0) {
          waiting--;
          const u = entryNode[entry] ?? 0;
          // else it was queued in an earlier bucket since, and is settled
          if ((distance[u] ?? 0) >>> shift !== bucket) continue;
          beyond[u] = start[u] ?? 0;
          left--;
          batch[count++] = u;
        }
        if (left <= few && familiar === 0) familiar = bucket + 1;
        if (left === 0) break;
      } else if (lookedBack || waiting + opened === 0) {
        break;
      } else if (left <= few) {
        lookedBack = true;
        if (waiting > 0) {
          // A root that does not forward queued what lies beyond the horizon: all of it is found again now, and a node
          // that is queued twice in one bucket would count twice as settled.
          first.fill(0, 0, mask + 1);
          waiting = 0;
        }
        const found = this.#lookBack(search, reach, left);
        bucket = horizon - 1;
        horizon = FARTHEST;
        // no path to what is left is longer than the longest that is known
        reach = found === left ? 0 : FARTHEST;
        if (entries + found >= entryNode.length) {
          entryNode = longer(entryNode, 2 * (entries + found));
          entryNext = longer(entryNext, 2 * (entries + found));
        }
        for (let i = 0; i < found; i++) {
          const v = batch[i] ?? 0;
          const at = distance[v] ?? 0;
          if (at > FARTHEST) return false;
          if (at > reach) reach = at;
          waiting++;
          entries++;
          entryNode[entries] = v;
          entryNext[entries] = first[(at >>> shift) & mask] ?? 0;
          first[(at >>> shift) & mask] = entries;
        }
      } else {
        bucket = horizon - 1;
        horizon = this.#moveOut(horizon, shift, waiting > 0 ? 0 : opened);
        if (horizon > FARTHEST >>> shift) return false;
        reach = (horizon << shift) - 1;
        count = this.#resume(opened, reach);
        opened -= count;
      }

      for (let i = 0; i < count; i++) {
        const u = batch[i] ?? 0;
        let base = (distance[u] ?? 0) + transitHopUs;
        let most = (reach - base) | 0;
        if (u === root) {
          base = 0;
          // a root that does not forward is not looked back at: it follows all its arcs at once
          most = rootForwards ? reach : FARTHEST;
        }
        const to = (start[u] ?? 0) + (transitLength[u] ?? 0);
        let k = beyond[u] ?? 0;
        if (entries + to - k >= entryNode.length) {
          entryNode = longer(entryNode, 2 * (entries + to - k));
          entryNext = longer(entryNext, 2 * (entries + to - k));
        }
        for (; k < to; k++) {
          const length = weight[k] ?? 0;
          if (length > most) break;
          const candidate = (base + length) >>> 0;
          const v = neighbour[k] ?? 0;
          const known = distance[v] ?? 0;
          if (candidate > known) continue;
          if (candidate < known) {
            distance[v] = candidate;
            predecessor[v] = u;
            const target = candidate >>> shift;
            if (known >>> shift === target && known !== UNREACHABLE) continue;
            waiting++;
            entries++;
            entryNode[entries] = v;
            entryNext[entries] = first[target & mask] ?? 0;
            first[target & mask] = entries;
          } else if (v !== root && tree.isBetter(u, predecessor[v] ?? 0, index)) {
            predecessor[v] = u;
          }
        }
        if (k < to && !lookedBack) {
          beyond[u] = k;
          openKey[opened] = Math.min(base + (weight[k] ?? 0), FARTHEST);
          open[opened++] = u;
        }
      }
    }
    if (familiar > 0) this.#horizon = Math.max(familiar, Math.floor(this.#horizon * FAMILIAR_HORIZON));
    this.#node = entryNode;
    this.#next = entryNext;
    return true;
  }

  /** The next horizon: a step further, and far enough that one of the open nodes has an arc before it. */
  #moveOut(horizon: number, shift: number, opened: number): number {
    const next = horizon + Math.max(1, Math.floor(horizon * HORIZON_STEP));
    if (opened === 0) return next;
    let nearest = FARTHEST;
    for (let i = 0; i < opened; i++) nearest = Math.min(nearest, this.#openKey[i] ?? 0);
    return Math.max(next, (nearest >>> shift) + 1);
  }

  /** Takes the settled nodes that have arcs up to `reach` into the batch, and returns how many they are. */
  #resume(opened: number, reach: number): number {
    let count = 0;
    let kept = 0;
    for (let i = 0; i < opened; i++) {
      const key = this.#openKey[i] ?? 0;
      const node = this.#open[i] ?? 0;
      if (key <= reach) {
        this.#batch[count++] = node;
      } else {
        this.#openKey[kept] = key;
        this.#open[kept++] = node;
      }
    }
    return count;
  }

  /**
   * Gives each of the `left` transit nodes beyond `reach` its best arc from a settled node. Lists those that got one in
   * `#batch`, and returns how many they are.
   */
  #lookBack({ graph, back, root, transitHopUs, tree }: Search, reach: number, left: number): number {
    const { start, transitLength, neighbour, weight } = back;
    const { index, transit } = graph;
    const { distance, predecessor } = tree;
    let found = 0;
    let count = 0;
    for (let v = 0; found < left; v++) {
      let best = distance[v] ?? 0;
      if (transit[v] !== 1 || best <= reach) continue;
      found++;
      let before = predecessor[v] ?? 0;
      const from = start[v] ?? 0;
      const to = from + (transitLength[v] ?? 0);
      for (let k = from; k < to; k++) {
        const length = weight[k] ?? 0;
        if (length > best) break;
        const u = neighbour[k] ?? 0;
        const settledAt = distance[u] ?? 0;
        if (settledAt > reach) continue;
        const candidate = settledAt + (u === root ? 0 : transitHopUs) + length;
        if (candidate < best) {
          best = candidate;
          before = u;
        } else if (candidate === best && before >= 0 && tree.isBetter(u, before, index)) {
          before = u;
        }
      }
      if (before < 0) continue;
      distance[v] = best;
      predecessor[v] = before;
      this.#batch[count++] = v;
    }
    return count;
  }

  #reserve(slots: number, buckets: number): void {
    if (this.#first.length < buckets) this.#first = new Int32Array(buckets);
    if (this.#beyond.length >= slots) return;
    const capacity = slots + (slots >> 2);
    this.#beyond = new Int32Array(capacity);
    this.#open = new Int32Array(capacity);
    this.#openKey = new Int32Array(capacity);
    this.#batch = new Int32Array(capacity);
  }
}

function longer(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length);
  copy.set(array);
  return copy;
}
