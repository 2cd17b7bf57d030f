/**
 * A network that carries traffic: every link, uplink and downlink is a queue, and who probes a link finds the waiting
 * time of all six queues of a round trip in its RTT, and their drops in its loss.
 *
 *   a -> uplink(a) -> link(a, b) -> downlink(b) -> b -> uplink(b) -> link(b, a) -> downlink(a) -> a
 */

import type { ForwardedLoads } from '../../../steering/traffic-engineering/forwarded-loads.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import { finiteQueue, type QueueState } from './finite-queue.ts';

export interface QueueRule {
  /** Mean packet: 1,000 bytes with headers. */
  readonly packetBits: number;
  /** What fits into a queue, as time on the line; at least `leastPlaces` packets. */
  readonly bufferMs: number;
  readonly leastPlaces: number;
}

export const DEFAULT_QUEUE_RULE: QueueRule = { packetBits: 8_000, bufferMs: 50, leastPlaces: 20 };

/** What probes of a link meet. Not of a single probe: the means. */
export interface LoadedLink {
  readonly rttUs: number;
  /** 0 to 1, in the direction of the link. */
  readonly lossOut: number;
  readonly lossIn: number;
}

interface Line {
  readonly waitUs: number;
  readonly loss: number;
}

export class LoadedUnderlay {
  readonly #network: TrafficNetwork;
  readonly #rule: QueueRule;
  /** By link: the link the other way; -1: there is none. */
  readonly #reverse: Int32Array;
  #links: readonly Line[] = [];
  #uplinks: readonly Line[] = [];
  #downlinks: readonly Line[] = [];

  constructor(network: TrafficNetwork, rule: QueueRule = DEFAULT_QUEUE_RULE) {
    this.#network = network;
    this.#rule = rule;
    const byEnds = new Map<number, number>();
    const { from, to, nodeCount } = network;
    for (let link = 0; link < from.length; link++) byEnds.set((from[link] ?? 0) * nodeCount + (to[link] ?? 0), link);
    this.#reverse = Int32Array.from(from, (a, link) => byEnds.get((to[link] ?? 0) * nodeCount + a) ?? -1);
  }

  /** Traffic as it is from now on. */
  carry(loads: ForwardedLoads): void {
    const { capacityBps, uplinkBps, downlinkBps } = this.#network;
    const lines = (bps: Float64Array, capacity: Float64Array | undefined): Line[] =>
      Array.from(bps, (load, k) => this.#line(load, capacity?.[k] ?? Number.POSITIVE_INFINITY));
    this.#links = lines(loads.linkBps, capacityBps);
    this.#uplinks = lines(loads.uplinkBps, uplinkBps);
    this.#downlinks = lines(loads.downlinkBps, downlinkBps);
  }

  see(link: number): LoadedLink {
    const { from, to, rttUs } = this.#network;
    const [a, b] = [from[link] ?? 0, to[link] ?? 0];
    const back = this.#reverse[link] ?? -1;
    const out = [this.#uplinks[a], this.#links[link], this.#downlinks[b]];
    const home = [this.#uplinks[b], this.#links[back], this.#downlinks[a]];
    let waitUs = 0;
    for (const line of [...out, ...home]) waitUs += line?.waitUs ?? 0;
    return { rttUs: (rttUs[link] ?? 0) + waitUs, lossOut: lossOf(out), lossIn: lossOf(home) };
  }

  #line(bps: number, capacityBps: number): Line {
    if (!(bps > 0) || capacityBps === Number.POSITIVE_INFINITY) return { waitUs: 0, loss: 0 };
    const { packetBits, bufferMs, leastPlaces } = this.#rule;
    const packetUs = (packetBits / capacityBps) * 1e6;
    const places = Math.max(leastPlaces, Math.round((bufferMs * 1_000) / packetUs));
    const { loss, waitPackets }: QueueState = finiteQueue(bps / capacityBps, places);
    return { waitUs: waitPackets * packetUs, loss };
  }
}

function lossOf(lines: readonly (Line | undefined)[]): number {
  return 1 - lines.reduce((passed, line) => passed * (1 - (line?.loss ?? 0)), 1);
}
