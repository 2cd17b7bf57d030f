/** What a node says of a link without loss or jitter. */
import type { LinkObservation } from '../../steering/steering-engine-port.ts';

/** `rttUs` null: the link is down. */
export function observedLink(peerIndex: number, rttUs: number | null): LinkObservation {
  return {
    peerIndex,
    health: rttUs === null ? 'down' : 'up',
    rttUs,
    minRttUs: rttUs,
    jitterUs: 0,
    lossOutPpm: 0,
    lossInPpm: 0,
    handshakeAgeS: 1,
  };
}
