/** What the rows of a table are kept current against: the graph, the direction its arcs are followed in, the hop price. */
import type { ArcLists, GraphView } from '../../graph/graph-view.ts';

/** 'from': row r holds paths from r. 'to': paths to r, so that a slot's predecessor is its next hop. */
export type TableDirection = 'from' | 'to';

export interface TreeRules {
  readonly graph: GraphView;
  /** Arcs that trees grow along, by the slot nearer to the root. */
  readonly ahead: ArcLists;
  /** The same arcs by the slot that is farther from the root. */
  readonly behind: ArcLists;
  /** Whole microseconds, added for each transit node of a path. */
  readonly transitHopUs: number;
}

/** An arc as trees see it: `near` is its end towards the root. Weights in microseconds; 0: there is no such arc. */
export interface TreeArc {
  readonly near: number;
  readonly far: number;
  readonly before: number;
  readonly after: number;
}

export function treeRules(graph: GraphView, direction: TableDirection, transitHopUs: number): TreeRules {
  const [ahead, behind] = direction === 'from' ? [graph.out, graph.into] : [graph.into, graph.out];
  return { graph, ahead, behind, transitHopUs };
}

/** The arc became longer or went away; the others became shorter or came. */
export function isRise({ before, after }: TreeArc): boolean {
  return before > 0 && (after === 0 || after > before);
}
