/**
 * A queue of limited length in front of a line, in equilibrium: M/M/1/K (Kleinrock, Queueing Systems I, 1975, section
 * 3.6). With load a (offered over capacity) and room for K packets, the one on the line included:
 *
 *   P(n)  = (1 - a) a^n / (1 - a^(K+1)),  1 / (K + 1) where a is 1
 *   loss  = P(K): who arrives when the queue is full is dropped (drop-tail)
 *   wait  = L / (a (1 - loss)), L = sum of n P(n): in units of one packet's time on the line, that one included (Little)
 */

export interface QueueState {
  /** Share of packets that are dropped, 0 to 1. */
  readonly loss: number;
  /** Mean time in the queue before the packet's own time on the line, in packet times. */
  readonly waitPackets: number;
}

const IDLE: QueueState = { loss: 0, waitPackets: 0 };
/** So near to 1 the closed form loses its digits. */
const NEAR_ONE = 1e-6;

/** `load`: offered over capacity, 0 or more; `places`: packets that fit, 1 or more. */
export function finiteQueue(load: number, places: number): QueueState {
  if (!(load > 0)) return IDLE;
  if (Math.abs(load - 1) < NEAR_ONE) {
    const loss = 1 / (places + 1);
    return { loss, waitPackets: places / 2 / (1 - loss) - 1 };
  }
  // the queue seen from its full end is the same one under load 1 / a: powers stay finite
  if (load > 1) {
    const mirror = 1 / load;
    const loss = (1 - mirror) / (1 - mirror ** (places + 1));
    const free = meanLength(mirror, places);
    return { loss, waitPackets: Math.max(0, (places - free) / (load * (1 - loss)) - 1) };
  }
  const loss = ((1 - load) * load ** places) / (1 - load ** (places + 1));
  return { loss, waitPackets: Math.max(0, meanLength(load, places) / (load * (1 - loss)) - 1) };
}

function meanLength(load: number, places: number): number {
  return load / (1 - load) - ((places + 1) * load ** (places + 1)) / (1 - load ** (places + 1));
}
