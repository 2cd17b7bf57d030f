/** What the optimiser routes over: nodes, directed links with round-trip time and capacity, and the nodes' accesses. */
import { ThalwegError } from '../../protocol/error.ts';

/** Nodes are numbered from 0, links from 0 in the order of the columns. Nobody writes to the columns. */
export interface TrafficNetwork {
  readonly nodeCount: number;
  /** Per link: the node that sends. Parallel links are allowed, self loops are not. */
  readonly from: Int32Array;
  /** Per link: the node that receives. */
  readonly to: Int32Array;
  /** Per link: microseconds there and back, 0 or more. */
  readonly rttUs: Float64Array;
  /** Per link: bits per second, more than 0. Infinity: the link itself limits nothing. */
  readonly capacityBps: Float64Array;
  /** Per node: what it can send, own and forwarded traffic together. Absent: no access limits anything. */
  readonly uplinkBps?: Float64Array;
  /** Per node: what it can receive, own and forwarded traffic together. */
  readonly downlinkBps?: Float64Array;
  /** Per node: 1 where it may forward for others. Absent: all may. */
  readonly forwards?: Uint8Array;
}

/** More than any link carries: 1000 Tbit/s. What is above is a mistake in the units, or a lie. */
export const MOST_BPS = 1e15;
/** Half an hour: more than any path that TCP survives. */
export const MOST_RTT_US = 1.8e9;
/** The groups of all pairs are held in memory: 2,048 nodes take about 330 MB. */
export const MOST_TRAFFIC_NODES = 2048;

/** Throws `invalid_argument`, naming link or node, where the columns do not fit together or a value is absurd. */
export function checkTrafficNetwork(network: TrafficNetwork): void {
  const { nodeCount, from, to, rttUs, capacityBps } = network;
  if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > MOST_TRAFFIC_NODES) {
    throw fault(`nodeCount is ${nodeCount}: a whole number from 1 to ${MOST_TRAFFIC_NODES} is wanted`);
  }
  const links = from.length;
  if (to.length !== links || rttUs.length !== links || capacityBps.length !== links) {
    throw fault(`the columns of the links have ${links}, ${to.length}, ${rttUs.length} and ${capacityBps.length} rows`);
  }
  for (let link = 0; link < links; link++) {
    for (const node of [from[link], to[link]]) {
      if (node === undefined || node < 0 || node >= nodeCount) throw fault(`link ${link} names node ${node}`);
    }
    if (from[link] === to[link]) throw fault(`link ${link} leads from node ${from[link]} to itself`);
    const rtt = rttUs[link] ?? Number.NaN;
    if (!(rtt >= 0 && rtt <= MOST_RTT_US)) throw fault(`the RTT of link ${link} is ${rtt} microseconds`);
    checkCapacity(`the capacity of link ${link}`, capacityBps[link]);
  }
  for (const [name, column] of [
    ['uplink', network.uplinkBps],
    ['downlink', network.downlinkBps],
  ] as const) {
    if (column === undefined) continue;
    if (column.length !== nodeCount) throw fault(`the ${name}s have ${column.length} rows for ${nodeCount} nodes`);
    for (let node = 0; node < nodeCount; node++) checkCapacity(`the ${name} of node ${node}`, column[node]);
  }
  if (network.forwards !== undefined && network.forwards.length !== nodeCount) {
    throw fault(`forwards has ${network.forwards.length} rows for ${nodeCount} nodes`);
  }
}

function checkCapacity(what: string, bps: number | undefined): void {
  if (bps === Number.POSITIVE_INFINITY || (bps !== undefined && bps > 0 && bps <= MOST_BPS)) return;
  throw fault(`${what} is ${bps} bit/s: more than 0 and at most ${MOST_BPS}, or Infinity, is wanted`);
}

function fault(message: string): ThalwegError {
  return new ThalwegError('invalid_argument', `traffic network: ${message}`);
}
