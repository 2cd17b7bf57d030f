/** The shortest-path tree of one root: what one-source SPF fills. */
import { UNREACHABLE } from './path-table.ts';

/**
 * Paths from `root`, or to it when it was computed that way: then a slot's predecessor is its next hop. By slot, in
 * memory that is reused by the next computation. Of nodes that do not forward only distance and predecessor are stored;
 * the rest follows from those of their predecessor.
 */
export class SourceTree {
  root = -1;
  slotCount = 0;
  /** Microseconds; UNREACHABLE where there is no path. */
  distance = new Uint32Array(0);
  /** Slot; -1 for the root and where there is no path. */
  predecessor = new Int32Array(0);
  /** Links of the path, of transit nodes that can be reached. */
  relayHops = new Int32Array(0);
  #firstHop = new Int32Array(0);
  #firstHopsKnown = false;

  /** Nothing is reachable but the root. */
  reset(slotCount: number, root: number): void {
    if (this.distance.length < slotCount) {
      const capacity = Math.max(16, slotCount + (slotCount >> 2));
      this.distance = new Uint32Array(capacity);
      this.predecessor = new Int32Array(capacity);
      this.relayHops = new Int32Array(capacity);
      this.#firstHop = new Int32Array(capacity);
    }
    this.root = root;
    this.slotCount = slotCount;
    this.distance.fill(UNREACHABLE, 0, slotCount);
    this.predecessor.fill(-1, 0, slotCount);
    this.distance[root] = 0;
    this.relayHops[root] = 0;
    this.#firstHopsKnown = false;
  }

  /** Links of the path of `slot`; 0 for the root and where there is no path. */
  hopsOf(slot: number): number {
    const before = this.predecessor[slot] ?? -1;
    return before < 0 ? 0 : (this.relayHops[before] ?? 0) + 1;
  }

  /**
   * The slot next to the root on the path of `slot`: where the root sends first. -1 for the root and where there is no
   * path. In a tree of paths to the root it is the last slot before it. The first call works it out for all slots.
   */
  firstHopOf(slot: number): number {
    if (!this.#firstHopsKnown) this.#findFirstHops();
    return this.#firstHop[slot] ?? -1;
  }

  #findFirstHops(): void {
    const firstHop = this.#firstHop;
    const unknown = -2;
    firstHop.fill(unknown, 0, this.slotCount);
    firstHop[this.root] = -1;
    for (let slot = 0; slot < this.slotCount; slot++) {
      // up to a slot whose answer is known or plain, and down again
      let top = slot;
      while (firstHop[top] === unknown && (this.predecessor[top] ?? -1) >= 0 && this.predecessor[top] !== this.root) {
        top = this.predecessor[top] ?? -1;
      }
      if (firstHop[top] === unknown) firstHop[top] = this.predecessor[top] === this.root ? top : -1;
      const answer = firstHop[top] ?? -1;
      for (let at = slot; at !== top; at = this.predecessor[at] ?? -1) firstHop[at] = answer;
    }
    this.#firstHopsKnown = true;
  }
}
