/** Who sends how much to whom. */
import { ThalwegError } from '../../protocol/error.ts';
import { MOST_BPS } from './traffic-network.ts';

/** One row a pair, in any order; rows of the same pair add up. Nobody writes to the columns. */
export interface TrafficDemand {
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Bits per second, 0 or more. */
  readonly rateBps: Float64Array;
}

/**
 * The demands as a dense matrix, destination-major: row t holds at column s what s sends to t. Traffic of a node to
 * itself never leaves it and is left out. Throws `invalid_argument` naming the row of an unknown node or absurd rate.
 */
export function demandByDestination(demand: TrafficDemand, nodeCount: number): Float64Array {
  const { from, to, rateBps } = demand;
  if (to.length !== from.length || rateBps.length !== from.length) {
    throw fault(`the columns have ${from.length}, ${to.length} and ${rateBps.length} rows`);
  }
  const byDestination = new Float64Array(nodeCount * nodeCount);
  for (let row = 0; row < from.length; row++) {
    const s = from[row] ?? -1;
    const t = to[row] ?? -1;
    const rate = rateBps[row] ?? Number.NaN;
    if (s < 0 || s >= nodeCount) throw fault(`row ${row} is from node ${s}, which is not one of ${nodeCount}`);
    if (t < 0 || t >= nodeCount) throw fault(`row ${row} is to node ${t}, which is not one of ${nodeCount}`);
    if (!(rate >= 0 && rate <= MOST_BPS)) throw fault(`row ${row} demands ${rate} bit/s`);
    if (s !== t) byDestination[t * nodeCount + s] = (byDestination[t * nodeCount + s] ?? 0) + rate;
  }
  return byDestination;
}

function fault(message: string): ThalwegError {
  return new ThalwegError('invalid_argument', `traffic demand: ${message}`);
}
