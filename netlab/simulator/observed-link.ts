/** What one end of a simulated link without loss or jitter says of it. */
import type { LinkObservation } from '../../steering/steering-engine-port.ts';

/** `us`: RTT in microseconds, rounded to whole ones, at least 1; null: the link is down. */
export function observedLink(peerIndex: number, us: number | null): LinkObservation {
  const rttUs = us === null ? null : Math.max(1, Math.round(us));
  return {
    peerIndex,
    health: rttUs === null ? 'down' : 'up',
    rttUs,
    minRttUs: rttUs,
    jitterUs: rttUs === null ? null : 0,
    lossOutPpm: rttUs === null ? 1_000_000 : 0,
    lossInPpm: rttUs === null ? 1_000_000 : 0,
    handshakeAgeS: 1,
  };
}
