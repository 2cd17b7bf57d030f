/** What tables do with demands: pushed through the groups hop by hop, by their integer weights, as kernels do it. */
import { ThalwegError } from '../../protocol/error.ts';
import type { TrafficNetwork } from './traffic-network.ts';
import type { WeightedTables } from './weighted-tables.ts';

export interface ForwardedLoads {
  /** Per link, bits per second. */
  readonly linkBps: Float64Array;
  /** Per node: what it sends and receives, own and forwarded. */
  readonly uplinkBps: Float64Array;
  readonly downlinkBps: Float64Array;
  /** Demand of pairs whose sender has no group towards the destination. */
  readonly undeliveredBps: number;
}

/**
 * Pushes `demand` (destination-major, see demandByDestination) through `tables`. Throws `internal` where the groups of a
 * destination form a loop, or lead to a node that has none: no tables of the optimiser do.
 */
export function forwardedLoads(network: TrafficNetwork, tables: WeightedTables, demand: Float64Array): ForwardedLoads {
  const linkBps = new Float64Array(network.from.length);
  const push = new TablePush(network);
  let undeliveredBps = 0;
  for (let t = 0; t < network.nodeCount; t++) undeliveredBps += push.add(tables, demand, t, 1, linkBps);
  return { linkBps, ...accessLoads(network, linkBps), undeliveredBps };
}

/** Pushes what goes to one destination through tables. Keeps its buffers between calls. */
export class TablePush {
  readonly #network: TrafficNetwork;
  readonly #waiting: Int32Array;
  readonly #through: Float64Array;
  readonly #ready: Int32Array;

  constructor(network: TrafficNetwork) {
    this.#network = network;
    this.#waiting = new Int32Array(network.nodeCount);
    this.#through = new Float64Array(network.nodeCount);
    this.#ready = new Int32Array(network.nodeCount);
  }

  /** Adds `sign` times what the links carry towards `t` to `linkBps`; returns what no group takes. Throws as `forwardedLoads`. */
  add(tables: WeightedTables, demand: Float64Array, t: number, sign: 1 | -1, linkBps: Float64Array): number {
    const network = this.#network;
    const waiting = this.#waiting;
    const through = this.#through;
    const ready = this.#ready;
    const n = network.nodeCount;
    let undeliveredBps = 0;
    waiting.fill(0);
    let groups = 0;
    for (let v = 0; v < n; v++) {
      const group = t * n + v;
      const end = tables.start[group + 1] ?? 0;
      for (let k = tables.start[group] ?? 0; k < end; k++) {
        const head = network.to[tables.link[k] ?? 0] ?? 0;
        waiting[head] = (waiting[head] ?? 0) + 1;
      }
      const empty = tables.start[group] === end;
      if (!empty) groups++;
      through[v] = empty ? 0 : (demand[group] ?? 0);
      if (empty && v !== t) undeliveredBps += demand[group] ?? 0;
    }
    let count = 0;
    let pushed = 0;
    for (let v = 0; v < n; v++) if (waiting[v] === 0) ready[count++] = v;
    for (let at = 0; at < count; at++) {
      const v = ready[at] ?? 0;
      const group = t * n + v;
      const start = tables.start[group] ?? 0;
      const end = tables.start[group + 1] ?? 0;
      if (start === end) {
        if (v !== t && (through[v] ?? 0) > 0) throw broken(t, `node ${v} gets traffic for it and has no group`);
        continue;
      }
      pushed++;
      let sum = 0;
      for (let k = start; k < end; k++) sum += tables.weight[k] ?? 0;
      for (let k = start; k < end; k++) {
        const link = tables.link[k] ?? 0;
        const head = network.to[link] ?? 0;
        const part = ((through[v] ?? 0) * (tables.weight[k] ?? 0)) / sum;
        linkBps[link] = (linkBps[link] ?? 0) + sign * part;
        through[head] = (through[head] ?? 0) + part;
        waiting[head] = (waiting[head] ?? 0) - 1;
        if (waiting[head] === 0) ready[count++] = head;
      }
    }
    if (pushed !== groups) throw broken(t, 'the groups form a loop');
    return undeliveredBps;
  }
}

/** What the nodes send and receive when the links carry this. */
export function accessLoads(
  network: TrafficNetwork,
  linkBps: Float64Array,
): Pick<ForwardedLoads, 'uplinkBps' | 'downlinkBps'> {
  const uplinkBps = new Float64Array(network.nodeCount);
  const downlinkBps = new Float64Array(network.nodeCount);
  for (let link = 0; link < linkBps.length; link++) {
    const bps = linkBps[link] ?? 0;
    const from = network.from[link] ?? 0;
    const to = network.to[link] ?? 0;
    uplinkBps[from] = (uplinkBps[from] ?? 0) + bps;
    downlinkBps[to] = (downlinkBps[to] ?? 0) + bps;
  }
  return { uplinkBps, downlinkBps };
}

/** The highest utilisation of links and accesses. */
export function highestUtilisation(network: TrafficNetwork, loads: ForwardedLoads): number {
  let most = 0;
  const see = (bps: Float64Array, capacity: Float64Array | undefined): void => {
    if (capacity === undefined) return;
    for (let k = 0; k < bps.length; k++) most = Math.max(most, (bps[k] ?? 0) / (capacity[k] ?? 1));
  };
  see(loads.linkBps, network.capacityBps);
  see(loads.uplinkBps, network.uplinkBps);
  see(loads.downlinkBps, network.downlinkBps);
  return most;
}

function broken(t: number, message: string): ThalwegError {
  return new ThalwegError('internal', `tables towards node ${t}: ${message}`, { fields: { destination: t } });
}
