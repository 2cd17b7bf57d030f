/** A topology of REPETITA as a network of the optimiser: the meaning of its delays is not in the file. */
import type { RepetitaGraph } from './repetita-graph.ts';
import type { TrafficNetwork } from './traffic-network.ts';

/** One-way delays of the Topology Zoo's files are great-circle km / 0.59; light in fibre takes 5 microseconds a km. */
const ZOO_RTT_US = 2 * 0.59 * 5;
/** Rocketfuel's inferred delays are milliseconds one way. */
const MILLISECONDS_RTT_US = 2000;
/** Delays that are all below this are milliseconds: a network whose longest link is 100 microseconds is one room. */
const LEAST_LONGEST_US = 100;

/** Round-trip microseconds of one unit of the file's delays. */
export function rttPerDelayUs({ delay }: RepetitaGraph): number {
  let longest = 0;
  for (const each of delay) longest = Math.max(longest, each);
  return longest < LEAST_LONGEST_US ? MILLISECONDS_RTT_US : ZOO_RTT_US;
}

/** The network; `perDelayUs`: see rttPerDelayUs, which is the default. */
export function repetitaNetwork(graph: RepetitaGraph, perDelayUs = rttPerDelayUs(graph)): TrafficNetwork {
  return {
    nodeCount: graph.labels.length,
    from: graph.from,
    to: graph.to,
    rttUs: graph.delay.map((delay) => delay * perDelayUs),
    capacityBps: graph.capacityBps,
  };
}
