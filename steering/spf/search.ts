/** One shortest-path search: what the queues and the sweep of one-source.ts read and fill. */
import { ThalwegError } from '../../protocol/error.ts';
import type { ArcLists, GraphView } from '../graph/graph-view.ts';
import { UNREACHABLE } from './path-table.ts';
import type { SourceTree } from './source-tree.ts';

export interface Search {
  readonly graph: GraphView;
  /** Arcs in the direction of the search, and against it. */
  readonly ahead: ArcLists;
  readonly back: ArcLists;
  readonly root: number;
  /** Microseconds added for each transit node of a path, a whole number. */
  readonly transitHopUs: number;
  readonly tree: SourceTree;
}

/** No path of the search holds `slot` within the range of a tree. */
export function tooLong(root: number, slot: number): ThalwegError {
  return new ThalwegError(
    'invalid_argument',
    `every path between slots ${root} and ${slot} takes ${UNREACHABLE} us or more: no tree holds that`,
    { fields: { root, slot }, nextStep: 'lower the weights of the graph' },
  );
}
