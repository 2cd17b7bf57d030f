/**
 * What load-aware steering decides on, as the optimiser takes it: nodes and links that carry traffic now, with delay and
 * capacity, the demands, and the tables in force. Pure: reads the mesh, changes nothing.
 *
 * A link costs what it costs by latency, but for what its own load adds: the RTT without queues where it is used, or was full a
 * moment ago, so that load does not push traffic away twice, once by capacity and once by delay. The price of a transit hop is in it, since paths are
 * compared by sums.
 */
import type { CapacityBook } from '../capacity/capacity-book.ts';
import { cappedBytesPerSecond, type DemandPair } from '../demand/demand-matrix.ts';
import type { MeshState } from '../mesh-state.ts';
import type { LoadGroups } from '../steering-engine-port.ts';
import type { TrafficDemand } from '../traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../traffic-engineering/traffic-network.ts';

/** Demand is counted inside the tunnel; links carry 60 to 96 bytes more with each packet of about 1,400. */
export const TUNNEL_FACTOR = 1.05;
/** A link of unknown capacity is counted on for so many times what it bears: as long as it carries that, it is calm. */
const PROVEN_GROWTH = 3;
/** A link that carries more than this share of its capacity may be slow because of it. */
const USED_SHARE = 0.3;

export interface LoadInput {
  /** Stable index of each node of the network. */
  readonly nodes: readonly number[];
  readonly network: TrafficNetwork;
  readonly demand: TrafficDemand;
  /** Grows when a capacity becomes known. */
  readonly learnings: number;
  /** Groups that the engine was given and still uses. */
  readonly inForce: LoadGroups;
}

export function loadInput(mesh: MeshState, nowMs: number): LoadInput {
  const { graph, traffic } = mesh;
  const nodes = [...mesh.nodes.values()].filter((node) => node.everConnected).sort((a, b) => a.index - b.index);
  const numberOf = new Map(nodes.map(({ index }, i) => [index, i]));
  const mostLearned = nodes.map(({ index }) => traffic.capacity.mostLearned(index));
  const [from, to, rttUs, capacityBps]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const [i, node] of nodes.entries()) {
    for (const [k, peer] of nodes.entries()) {
      if (i === k || graph.weight(node.slot, peer.slot) === Number.POSITIVE_INFINITY) continue;
      const capacity = traffic.capacity.link(node.index, peer.index).bytesPerSecond;
      from.push(i);
      to.push(k);
      rttUs.push(priceUs(mesh, node.index, peer.index, capacity, nowMs) + mesh.options.cost.transitHopUs);
      const around = Math.max(mostLearned[i] ?? 0, mostLearned[k] ?? 0);
      capacityBps.push(bits(capacity ?? assumed(around, traffic.capacity.proven(node.index, peer.index))));
    }
  }
  const network: TrafficNetwork = {
    nodeCount: nodes.length,
    from: Int32Array.from(from),
    to: Int32Array.from(to),
    rttUs: Float64Array.from(rttUs),
    capacityBps: Float64Array.from(capacityBps),
    uplinkBps: Float64Array.from(nodes, ({ index }) => bits(traffic.capacity.uplink(index).bytesPerSecond)),
    downlinkBps: Float64Array.from(nodes, ({ index }) => bits(traffic.capacity.downlink(index).bytesPerSecond)),
    // who cannot be told keeps what it has: nobody is newly sent through it
    forwards: Uint8Array.from(nodes, (node) => (mesh.isUsedAsTransit(node) && !node.table.frozen ? 1 : 0)),
  };
  const demand = demandOf(mesh, numberOf, nowMs);
  const { learnings } = traffic.capacity;
  return { nodes: nodes.map(({ index }) => index), network, demand, learnings, inForce: groupsInForce(mesh) };
}

/**
 * What to count on, in bytes per second, of a link of which nothing is known but what other links of its ends carry at most, and what it
 * has borne itself. So it gets its share at once and more as it bears that, but never at once all that others cannot carry. Null: nothing
 * is known around it either.
 */
function assumed(around: number, proven: number): number | null {
  return around === 0 ? null : Math.max(around, PROVEN_GROWTH * proven);
}

function priceUs(mesh: MeshState, from: number, to: number, capacity: number | null, nowMs: number): number {
  const { capacity: book } = mesh.traffic;
  const filter = mesh.links.get(from, to)?.filter;
  const damped = filter?.effective?.totalUs ?? 0;
  // a loss or a queue that has gone is not waited for: the slow loop does not follow every reading anyway
  const total = filter === undefined || filter.held ? damped : Math.min(damped, filter.undamped?.totalUs ?? damped);
  const base = book.baseRttUs(from, to);
  const carried = book.carried(from, to, nowMs) ?? 0;
  const isUsed = capacity !== null && carried > capacity * USED_SHARE;
  const isLoads = isUsed || isFull(book, from, to, nowMs);
  return base !== null && isLoads ? Math.min(base, total) : total;
}

/** A queue or loss of either direction is in the cost of both. */
function isFull(book: CapacityBook, from: number, to: number, nowMs: number): boolean {
  return book.wasFull(from, to, nowMs) || book.wasFull(to, from, nowMs);
}

function demandOf(mesh: MeshState, numberOf: ReadonlyMap<number, number>, nowMs: number): TrafficDemand {
  const { demand, capacity } = mesh.traffic;
  const bySender = new Map<number, DemandPair[]>();
  for (const pair of demand.pairs(nowMs)) {
    if (!numberOf.has(pair.from) || !numberOf.has(pair.to)) continue;
    const pairs = bySender.get(pair.from) ?? [];
    pairs.push(pair);
    bySender.set(pair.from, pairs);
  }
  const rows = [...bySender].flatMap(([from, pairs]) => {
    const limit = capacity.uplink(from).bytesPerSecond ?? Number.POSITIVE_INFINITY;
    return cappedBytesPerSecond(pairs, limit / TUNNEL_FACTOR);
  });
  return {
    from: Int32Array.from(rows, (pair) => numberOf.get(pair.from) ?? 0),
    to: Int32Array.from(rows, (pair) => numberOf.get(pair.to) ?? 0),
    rateBps: Float64Array.from(rows, ({ bytesPerSecond }) => bytesPerSecond * 8 * TUNNEL_FACTOR),
  };
}

function groupsInForce(mesh: MeshState): LoadGroups {
  const { graph } = mesh;
  return new Map(
    [...mesh.nodes.values()]
      .filter(({ spread }) => spread.size > 0)
      .map(({ index, spread }) => [
        index,
        new Map(
          [...spread].map(([slot, members]) => [
            graph.indexOf(slot),
            members.map((member) => ({ neighbour: graph.indexOf(member.slot), weight: member.weight })),
          ]),
        ),
      ]),
  );
}

function bits(bytesPerSecond: number | null): number {
  return bytesPerSecond === null ? Number.POSITIVE_INFINITY : bytesPerSecond * 8;
}
