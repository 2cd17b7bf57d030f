/** The shortest-path tree of one root: what one-source SPF fills. */
import { UNREACHABLE } from './path-table.ts';

/** In the place of a slot or a number of links that was not asked for yet. */
const UNKNOWN = -2;

/**
 * Paths from `root`, or to it when it was computed that way: then a slot's predecessor is its next hop. By slot, in
 * memory that is reused by the next computation. What follows from the predecessors is worked out when it is asked for.
 */
export class SourceTree {
  root = -1;
  slotCount = 0;
  /** Microseconds; UNREACHABLE where there is no path. */
  distance = new Uint32Array(0);
  /** Slot; -1 for the root and where there is no path. */
  predecessor = new Int32Array(0);
  #hops = new Int32Array(0);
  #firstHop = new Int32Array(0);
  #firstHopsFor = -1;

  /** Nothing is reachable but the root. */
  reset(slotCount: number, root: number): void {
    if (this.distance.length < slotCount) {
      const capacity = Math.max(16, slotCount + (slotCount >> 2));
      this.distance = new Uint32Array(capacity);
      this.predecessor = new Int32Array(capacity);
      this.#hops = new Int32Array(capacity);
      this.#firstHop = new Int32Array(capacity);
    }
    this.root = root;
    this.slotCount = slotCount;
    this.distance.fill(UNREACHABLE, 0, slotCount);
    this.predecessor.fill(-1, 0, slotCount);
    this.#hops.fill(UNKNOWN, 0, slotCount);
    this.#firstHopsFor = -1;
    this.distance[root] = 0;
    this.#hops[root] = 0;
  }

  /** Links of the path of `slot`, whose predecessor is final; 0 for the root and where there is no path. O(1), amortised. */
  hopsOf(slot: number): number {
    const known = this.#hops[slot] ?? 0;
    if (known !== UNKNOWN) return known;
    // up to a slot whose answer is known, and down again
    let top = slot;
    let links = 0;
    while (this.#hops[top] === UNKNOWN && (this.predecessor[top] ?? -1) >= 0) {
      top = this.predecessor[top] ?? -1;
      links++;
    }
    const hops = Math.max(0, this.#hops[top] ?? 0) + links;
    let left = hops;
    for (let at = slot; at !== top; at = this.predecessor[at] ?? -1) this.#hops[at] = left--;
    return hops;
  }

  /** The tie rule between two settled slots through which a third has equal paths: fewer links, then the lesser index. */
  isBetter(slot: number, rival: number, index: Int32Array): boolean {
    const difference = this.hopsOf(slot) - this.hopsOf(rival);
    return difference === 0 ? (index[slot] ?? 0) < (index[rival] ?? 0) : difference < 0;
  }

  /**
   * The slot next to the root on the path of `slot`: where the root sends first. -1 for the root and where there is no
   * path. In a tree of paths to the root it is the last slot before it. The first call works it out for all slots.
   */
  firstHopOf(slot: number): number {
    if (this.#firstHopsFor !== this.root) this.#findFirstHops();
    return this.#firstHop[slot] ?? -1;
  }

  #findFirstHops(): void {
    const firstHop = this.#firstHop;
    firstHop.fill(UNKNOWN, 0, this.slotCount);
    firstHop[this.root] = -1;
    for (let slot = 0; slot < this.slotCount; slot++) {
      let top = slot;
      while (firstHop[top] === UNKNOWN && (this.predecessor[top] ?? -1) >= 0 && this.predecessor[top] !== this.root) {
        top = this.predecessor[top] ?? -1;
      }
      if (firstHop[top] === UNKNOWN) firstHop[top] = this.predecessor[top] === this.root ? top : -1;
      const answer = firstHop[top] ?? -1;
      for (let at = slot; at !== top; at = this.predecessor[at] ?? -1) firstHop[at] = answer;
    }
    this.#firstHopsFor = this.root;
  }
}
