/** Demand, capacities and use of accesses, as people see them. */
import type { AccessView, DemandView } from '../../protocol/api.ts';
import type { Capacity } from '../capacity/capacity-book.ts';
import type { TrafficState } from './traffic-state.ts';

export interface NamedNode {
  readonly index: number;
  readonly name: string;
}

/** The `limit` largest pairs; the rest is in the sums. Pairs of nodes that are not in `nodes` are left out. */
export function demandView(
  traffic: TrafficState,
  nodes: readonly NamedNode[],
  limit: number,
  nowMonoMs: number,
): DemandView {
  const names = new Map(nodes.map(({ index, name }) => [index, name]));
  const pairs = traffic.demand.pairs(nowMonoMs).flatMap(({ from, to, bytesPerSecond }) => {
    const [sender, receiver] = [names.get(from), names.get(to)];
    if (sender === undefined || receiver === undefined) return [];
    return [{ from: sender, to: receiver, bps: Math.round(bytesPerSecond * 8) }];
  });
  const others = traffic.demand.others(nowMonoMs).flatMap(({ from, bytesPerSecond }) => {
    const name = names.get(from);
    return name === undefined ? [] : [{ from: name, bps: Math.round(bytesPerSecond * 8) }];
  });
  const sum = (items: readonly { readonly bps: number }[]) => items.reduce((total, { bps }) => total + bps, 0);
  return {
    totalBps: sum(pairs) + sum(others),
    pairCount: pairs.length,
    pairs: pairs.sort((a, b) => b.bps - a.bps || compare(a.from, b.from) || compare(a.to, b.to)).slice(0, limit),
    others,
    refused: traffic.demand.refused,
    access: nodes.map((node) => accessView(traffic, node, nowMonoMs)),
  };
}

function accessView({ capacity }: TrafficState, { index, name }: NamedNode, nowMonoMs: number): AccessView {
  const { sent, received } = capacity.access(index, nowMonoMs);
  return {
    node: name,
    uplink: side(capacity.uplink(index), sent),
    downlink: side(capacity.downlink(index), received),
  };
}

function side({ bytesPerSecond, source }: Capacity, carried: number): AccessView['uplink'] {
  return {
    capacityBps: bytesPerSecond === null ? null : Math.round(bytesPerSecond * 8),
    source,
    carriedBps: Math.round(carried * 8),
    utilisation: bytesPerSecond === null ? null : carried / bytesPerSecond,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
