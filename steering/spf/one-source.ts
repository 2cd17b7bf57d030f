/**
 * Shortest paths between one root and all others. First the transit nodes, in a queue of buckets; then each node that
 * does not forward takes the best of its links to them, which needs no queue: a million leaves cost one sweep over their
 * links. Where the weights are so far apart that there would be too many buckets, or a path takes more than half an
 * hour, a heap takes the place of the buckets.
 *
 * Exact and deterministic: the predecessor is the one of the tie rule (path-table.ts), whatever the order of slots.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { GraphView } from '../graph/graph-view.ts';
import { BucketQueue } from './bucket-queue.ts';
import { HeapQueue } from './heap-queue.ts';
import { sweepLeaves } from './leaf-sweep.ts';
import type { Search } from './search.ts';
import type { SourceTree } from './source-tree.ts';

/** 'from': paths from the root, along the arcs. 'to': paths to the root. */
export type Direction = 'from' | 'to';

/** One-source SPF with its own scratch memory. */
export class OneSource {
  readonly #buckets = new BucketQueue();
  readonly #heap = new HeapQueue();

  /**
   * Fills `tree`. `transitHopUs` is a whole number. Throws `invalid_argument` when `root` holds no node, or all paths
   * to some node take 2^32 - 1 microseconds or more; the tree is of no use then.
   */
  compute(graph: GraphView, direction: Direction, root: number, tree: SourceTree, transitHopUs = 0): void {
    if (!(root < graph.slotCount && (graph.index[root] ?? 0) > 0)) {
      throw new ThalwegError('invalid_argument', `root ${root} is not the slot of a node`, { fields: { root } });
    }
    const [ahead, back] = direction === 'from' ? [graph.out, graph.into] : [graph.into, graph.out];
    const search: Search = { graph, ahead, back, root, transitHopUs, tree };
    tree.reset(graph.slotCount, root);
    if (!this.#buckets.run(search)) {
      tree.reset(graph.slotCount, root);
      this.#heap.run(search);
    }
    sweepLeaves(search);
  }
}
