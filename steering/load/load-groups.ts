/** Between the optimiser's tables (numbers of nodes and links) and the engine's groups (stable indices). Pure. */

import type { LoadGroups } from '../steering-engine-port.ts';
import { DelayTrees } from '../traffic-engineering/delay-trees.ts';
import { linksBy } from '../traffic-engineering/link-index.ts';
import { shortestTables } from '../traffic-engineering/shortest-tables.ts';
import { changedGroups, type WeightedTables } from '../traffic-engineering/weighted-tables.ts';
import type { LoadInput } from './load-input.ts';

interface Member {
  readonly neighbour: number;
  readonly weight: number;
}

/** The tables of the paths that are best by latency. */
export function latencyTables({ network }: LoadInput): WeightedTables {
  return shortestTables(new DelayTrees(network, linksBy(network.to, network)), network.nodeCount, network.rttUs);
}

/** Groups towards every destination for which the tables are not those of latency. */
export function groupsOf(input: LoadInput, tables: WeightedTables): LoadGroups {
  const latency = latencyTables(input);
  const { nodes, network } = input;
  const n = network.nodeCount;
  const groups = new Map<number, ReadonlyMap<number, readonly Member[]>>();
  for (let t = 0; t < n; t++) {
    if (!differs(latency, tables, t)) continue;
    const towards = new Map<number, readonly Member[]>();
    for (let v = 0; v < n; v++) {
      const members: Member[] = [];
      for (let k = tables.start[t * n + v] ?? 0; k < (tables.start[t * n + v + 1] ?? 0); k++) {
        const neighbour = nodes[network.to[tables.link[k] ?? 0] ?? 0] ?? 0;
        members.push({ neighbour, weight: tables.weight[k] ?? 1 });
      }
      if (members.length > 0)
        towards.set(
          nodes[v] ?? 0,
          members.sort((a, b) => a.neighbour - b.neighbour),
        );
    }
    groups.set(nodes[t] ?? 0, towards);
  }
  return groups;
}

/**
 * What forwards now: the groups in force, and the paths that are best by latency (`latency`, as in `latencyTables`) towards
 * all others. `whole`: no group lost a link or a node, and no node is without.
 */
export function tablesInForce(
  input: LoadInput,
  latency: WeightedTables,
): { readonly tables: WeightedTables; readonly whole: boolean } {
  const { nodes, network, inForce } = input;
  if (inForce.size === 0) return { tables: latency, whole: true };
  const n = network.nodeCount;
  const numberOf = new Map(nodes.map((index, i) => [index, i]));
  const linkOf = new Map<number, number>();
  for (let link = 0; link < network.from.length; link++) {
    linkOf.set((network.from[link] ?? 0) * n + (network.to[link] ?? 0), link);
  }
  const start = new Uint32Array(n * n + 1);
  const link: number[] = [];
  const weight: number[] = [];
  let whole = true;
  for (let t = 0; t < n; t++) {
    const towards = inForce.get(nodes[t] ?? 0);
    const broken = towards !== undefined && !stands(towards, linkOf, numberOf, input, t);
    if (broken) whole = false;
    for (let v = 0; v < n; v++) {
      const members = towards === undefined || broken ? undefined : towards.get(nodes[v] ?? 0);
      if (members !== undefined) {
        const held = members.map(
          ({ neighbour, weight: w }) => [linkOf.get(v * n + (numberOf.get(neighbour) ?? 0)) ?? 0, w] as const,
        );
        for (const [l, w] of held.sort(([a], [b]) => a - b)) {
          link.push(l);
          weight.push(w);
        }
      } else if (towards === undefined || broken) {
        for (let k = latency.start[t * n + v] ?? 0; k < (latency.start[t * n + v + 1] ?? 0); k++) {
          link.push(latency.link[k] ?? 0);
          weight.push(1);
        }
      }
      start[t * n + v + 1] = link.length;
    }
  }
  return {
    tables: { nodeCount: n, start, link: Int32Array.from(link), weight: Uint16Array.from(weight) },
    whole,
  };
}

/** Every node that has a path has a group, of links that are there, into nodes that forward. */
function stands(
  towards: ReadonlyMap<number, readonly Member[]>,
  linkOf: ReadonlyMap<number, number>,
  numberOf: ReadonlyMap<number, number>,
  { nodes, network }: LoadInput,
  t: number,
): boolean {
  const n = network.nodeCount;
  return nodes.every((index, v) => {
    const members = towards.get(index);
    if (v === t) return true;
    if (members === undefined) return !hasLink(linkOf, n, v);
    return members.every(({ neighbour }) => {
      const to = numberOf.get(neighbour);
      return to !== undefined && linkOf.has(v * n + to) && (to === t || network.forwards?.[to] === 1);
    });
  });
}

function hasLink(linkOf: ReadonlyMap<number, number>, n: number, v: number): boolean {
  for (let to = 0; to < n; to++) if (linkOf.has(v * n + to)) return true;
  return false;
}

function differs(a: WeightedTables, b: WeightedTables, t: number): boolean {
  return changedGroups(towards(a, t), towards(b, t)) > 0;
}

/** The tables of one destination, as tables of one row. */
function towards({ nodeCount, start, link, weight }: WeightedTables, t: number): WeightedTables {
  const row = start.subarray(t * nodeCount, (t + 1) * nodeCount + 1);
  return { nodeCount, start: row, link, weight };
}
