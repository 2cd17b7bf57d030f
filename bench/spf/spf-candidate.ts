/** What one implementation must offer to be measured by `bench -- spf`. Each runs in a process of its own. */
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';

export const SPF_TASKS = ['sssp', 'apsp', 'update', 'leaves'] as const;
/**
 * sssp: all nodes from one source. leaves: the same, on a graph of which most nodes do not forward. apsp: all nodes
 * from each transit node. update: one changed weight, with the tables of all pairs kept current.
 */
export type SpfTask = (typeof SPF_TASKS)[number];

/** One changed weight: slots of an arc that exists, microseconds. Arcs go one way; the other way keeps its weight. */
export interface WeightChange {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

export interface SpfInput {
  readonly task: SpfTask;
  /** The DIMACS file that `graph` was read from. */
  readonly file: string;
  /** This process's own: it may be edited. All stable indices are the numbers of the file, slots one less. */
  readonly graph: CsrGraph;
  /** Slots to run from: `sources` transit nodes spread evenly; all of them for apsp and update. */
  readonly sources: Int32Array;
  /** For update: the changes of all rounds, one after the other. A round takes the next `changesPerRound`. */
  readonly changes: readonly WeightChange[];
  readonly changesPerRound: number;
}

export interface OpenCandidate {
  /**
   * Does the task once more and returns milliseconds: one number per source (sssp, leaves), one for all pairs (apsp), one
   * per changed weight (update). What is prepared once per graph is done before, in `open`.
   */
  round(): Promise<readonly number[]>;
  /** Checksum (checksum.ts) of the distances that the last round left: from `sources` to all nodes. */
  checksum(): Promise<string>;
  /** Peak resident megabytes, where the work is done by another process than this one. */
  peakMegabytes?(): Promise<number>;
  close?(): Promise<void>;
}

export interface SpfCandidate {
  readonly name: string;
  /** Others are measured against the first of a task's candidates for which this is true. */
  readonly ours: boolean;
  /** Prepares the task. Throws `Unfit` where it cannot be run here. */
  open(input: SpfInput): Promise<OpenCandidate>;
}

/** Why an implementation is left out: not installed, or the graph is too big for it. */
export class Unfit extends Error {}
