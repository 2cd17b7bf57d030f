/** What the optimiser hands over: for every destination and node, the links that carry its traffic and their weights. */

/** iproute2 and the kernel take a next hop's weight from 1 to 256. */
export const MOST_WEIGHT = 256;

/**
 * Group of node v towards destination t: entries start[t * nodeCount + v] to start[t * nodeCount + v + 1] - 1 of `link`
 * and `weight`, links in rising order. Empty: t is v, or cannot be reached from v. A member's share of what v sends or
 * forwards to t is its weight over the group's sum. Free of loops for each destination.
 */
export interface WeightedTables {
  readonly nodeCount: number;
  readonly start: Uint32Array;
  readonly link: Int32Array;
  /** 1 to MOST_WEIGHT. A group of one member has weight 1. */
  readonly weight: Uint16Array;
}

/** How many groups of `b` are not the same as in `a`: other links, or other weights. Both of the same nodes and links. */
export function changedGroups(a: WeightedTables, b: WeightedTables): number {
  let changed = 0;
  for (let group = 0; group + 1 < a.start.length; group++) if (!sameGroup(a, b, group)) changed++;
  return changed;
}

export function sameGroup(a: WeightedTables, b: WeightedTables, group: number): boolean {
  const at = a.start[group] ?? 0;
  const bt = b.start[group] ?? 0;
  const count = (a.start[group + 1] ?? 0) - at;
  if (count !== (b.start[group + 1] ?? 0) - bt) return false;
  for (let k = 0; k < count; k++) {
    if (a.link[at + k] !== b.link[bt + k] || a.weight[at + k] !== b.weight[bt + k]) return false;
  }
  return true;
}

/** How many groups are not empty: the routes of all nodes together. */
export function routeCount(tables: WeightedTables): number {
  let routes = 0;
  for (let group = 0; group + 1 < tables.start.length; group++) {
    if ((tables.start[group] ?? 0) < (tables.start[group + 1] ?? 0)) routes++;
  }
  return routes;
}
