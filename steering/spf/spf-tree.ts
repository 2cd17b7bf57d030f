/** The result of one SPF towards one destination, and the narrow function type behind which the algorithm hides. */
import type { CsrGraph } from '../graph/csr-graph.ts';
import type { TreeRow } from './tree-row.ts';

/**
 * Shortest paths of all nodes towards `root`, by slot. Since the tree grows from the destination, a node's
 * predecessor in it and the first hop of its path are the same: `nextHop`.
 */
export class SpfTree implements TreeRow {
  /** Microseconds; Infinity: unreachable. */
  distance = new Float64Array(0);
  /** Slot; -1 for the root and for unreachable nodes. */
  nextHop = new Int32Array(0);
  /** Links on the path. */
  hops = new Int32Array(0);
  /** Slots that can be reached, root first: each after its next hop. */
  order = new Int32Array(0);
  reached = 0;

  hopOf(slot: number): number {
    return this.nextHop[slot] ?? -1;
  }

  costOf(slot: number): number {
    return this.distance[slot] ?? Number.POSITIVE_INFINITY;
  }

  reset(slotCount: number): void {
    if (this.distance.length < slotCount) {
      const capacity = Math.max(16, slotCount * 2);
      this.distance = new Float64Array(capacity);
      this.nextHop = new Int32Array(capacity);
      this.hops = new Int32Array(capacity);
      this.order = new Int32Array(capacity);
    }
    this.distance.fill(Number.POSITIVE_INFINITY);
    this.nextHop.fill(-1);
    this.hops.fill(0);
    this.reached = 0;
  }
}

/** How a node may be used in a tree. */
export const FREE = 0;
/** It cannot be told anything: its one next hop is its `fixedNextHop`, and only nodes that use it already may enter it. */
export const FROZEN = 1;
/** The same, and nobody may enter it at all: it is a source only. */
export const FROZEN_SOURCE = 2;

export interface SpfRules {
  /** Added for each transit node of a path. */
  readonly transitHopUs: number;
  /** By slot: FREE, FROZEN or FROZEN_SOURCE. Null: all are free. */
  readonly frozen: Uint8Array | null;
  /** By slot: the next hop in use; -1: none. Read for frozen nodes, and for nodes whose next hop may be frozen. */
  readonly inUse: Int32Array;
  /** An arc that must not be used. */
  readonly banned: { readonly from: number; readonly to: number } | null;
}

/** Fills `into` with the shortest paths of all nodes towards slot `root`. Pure, and deterministic in graph and rules. */
export type ComputeTree = (graph: CsrGraph, root: number, rules: SpfRules, into: SpfTree) => void;

/** True when `rules` let `from` have `to` as next hop towards `root`; says nothing of the arc itself. */
export function mayUse(graph: CsrGraph, root: number, rules: SpfRules, from: number, to: number): boolean {
  if (rules.banned !== null && rules.banned.from === from && rules.banned.to === to) return false;
  if (to !== root && !graph.isTransit(to)) return false;
  const frozen = rules.frozen;
  if (frozen === null) return true;
  if (frozen[from] !== FREE && rules.inUse[from] !== to) return false;
  if (to === root || frozen[to] === FREE) return true;
  return frozen[to] === FROZEN && rules.inUse[from] === to;
}
