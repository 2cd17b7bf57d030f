/** Counters of bytes sent to node addresses -> bytes per second to each node, be it a peer or reached through others. Pure. */
import type { DemandCounter } from '../overlay/overlay-state.ts';

export interface PeerDemand {
  readonly peerIndex: number;
  readonly bytesPerSecond: number;
}

/** Mutable; one per agent. */
export class DemandMeter {
  #previous = new Map<string, number>();
  #previousMonoMs: number | undefined;

  /**
   * The rates since the call before, in the order of the index; undefined: the first call, nothing to compare with. A counter that went back was
   * made anew (the table was rebuilt): what it counts now was sent since. An address that is no node's is left out.
   */
  measure(
    counters: readonly DemandCounter[],
    indexOf: (address: string) => number | undefined,
    monoMs: number,
  ): PeerDemand[] | undefined {
    const elapsedS = this.#previousMonoMs === undefined ? 0 : (monoMs - this.#previousMonoMs) / 1000;
    const bytesByPeer = new Map<number, number>();
    const current = new Map<string, number>();
    for (const { address, bytes } of counters) {
      current.set(address, bytes);
      const index = indexOf(address);
      if (index === undefined) continue;
      const before = this.#previous.get(address) ?? 0;
      const sent = bytes >= before ? bytes - before : bytes;
      bytesByPeer.set(index, (bytesByPeer.get(index) ?? 0) + sent);
    }
    this.#previous = current;
    this.#previousMonoMs = monoMs;
    if (elapsedS <= 0) return undefined;
    return [...bytesByPeer]
      .sort(([a], [b]) => a - b)
      .map(([peerIndex, bytes]) => ({ peerIndex, bytesPerSecond: Math.round(bytes / elapsedS) }));
  }
}

/** The `count` largest, those with something to say only, in the order of the index. */
export function largest(demands: readonly PeerDemand[], count: number): PeerDemand[] {
  return demands
    .filter(({ bytesPerSecond }) => bytesPerSecond > 0)
    .sort((a, b) => b.bytesPerSecond - a.bytesPerSecond || a.peerIndex - b.peerIndex)
    .slice(0, count)
    .sort((a, b) => a.peerIndex - b.peerIndex);
}
