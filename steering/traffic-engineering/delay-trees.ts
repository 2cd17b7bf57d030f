/** Shortest paths by round-trip time (or any other price of links) towards one destination. */
import type { LinkIndex } from './link-index.ts';
import type { TrafficNetwork } from './traffic-network.ts';

/**
 * Dijkstra towards a root, with a binary heap that is kept between calls. Ties: the shorter path in links, then the
 * smaller link number, so that the same input gives the same tree.
 */
export class DelayTrees {
  readonly #network: TrafficNetwork;
  readonly #into: LinkIndex;
  readonly #heap: Int32Array;
  readonly #place: Int32Array;
  readonly #hops: Int32Array;
  #size = 0;
  /** Per node: the length to the root of the last call; Infinity where it cannot be reached. */
  readonly distance: Float64Array;
  /** Per node: the first link of its path; -1 at the root and where there is none. */
  readonly firstLink: Int32Array;
  /** The nodes that reach the root, nearest first. The first `reached` entries count. */
  readonly order: Int32Array;
  reached = 0;

  constructor(network: TrafficNetwork, into: LinkIndex) {
    const { nodeCount } = network;
    this.#network = network;
    this.#into = into;
    this.#heap = new Int32Array(nodeCount);
    this.#place = new Int32Array(nodeCount);
    this.#hops = new Int32Array(nodeCount);
    this.distance = new Float64Array(nodeCount);
    this.firstLink = new Int32Array(nodeCount);
    this.order = new Int32Array(nodeCount);
  }

  /** Fills distance, firstLink and order for paths to `root` under `price` (per link, 0 or more). */
  compute(root: number, price: Float64Array): void {
    const { from, forwards } = this.#network;
    const { start, link: links } = this.#into;
    const { distance, firstLink, order } = this;
    const hops = this.#hops;
    distance.fill(Number.POSITIVE_INFINITY);
    firstLink.fill(-1);
    this.#place.fill(-1);
    this.#size = 0;
    this.reached = 0;
    distance[root] = 0;
    hops[root] = 0;
    this.#rise(root);
    while (this.#size > 0) {
      const v = this.#pop();
      order[this.reached++] = v;
      if (v !== root && forwards !== undefined && forwards[v] !== 1) continue;
      const base = distance[v] ?? 0;
      const nextHops = (hops[v] ?? 0) + 1;
      const end = start[v + 1] ?? 0;
      for (let k = start[v] ?? 0; k < end; k++) {
        const link = links[k] ?? 0;
        const u = from[link] ?? 0;
        const candidate = base + (price[link] ?? 0);
        const known = distance[u] ?? 0;
        if (candidate > known || u === root) continue;
        if (candidate === known) {
          const knownHops = hops[u] ?? 0;
          if (this.#place[u] === -1) continue; // settled
          if (nextHops > knownHops || (nextHops === knownHops && link >= (firstLink[u] ?? 0))) continue;
        }
        distance[u] = candidate;
        hops[u] = nextHops;
        firstLink[u] = link;
        this.#rise(u);
      }
    }
  }

  #before(a: number, b: number): boolean {
    const da = this.distance[a] ?? 0;
    const db = this.distance[b] ?? 0;
    if (da !== db) return da < db;
    const ha = this.#hops[a] ?? 0;
    const hb = this.#hops[b] ?? 0;
    return ha !== hb ? ha < hb : a < b;
  }

  #rise(node: number): void {
    const heap = this.#heap;
    const place = this.#place;
    let at = place[node] ?? -1;
    if (at === -1) at = this.#size++;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = heap[up] ?? 0;
      if (!this.#before(node, above)) break;
      heap[at] = above;
      place[above] = at;
      at = up;
    }
    heap[at] = node;
    place[node] = at;
  }

  #pop(): number {
    const heap = this.#heap;
    const place = this.#place;
    const top = heap[0] ?? 0;
    place[top] = -1;
    const last = heap[--this.#size] ?? 0;
    if (this.#size === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#before(heap[child + 1] ?? 0, heap[child] ?? 0)) child++;
      const below = heap[child] ?? 0;
      if (!this.#before(below, last)) break;
      heap[at] = below;
      place[below] = at;
      at = child;
    }
    heap[at] = last;
    place[last] = at;
    return top;
  }
}
