/**
 * What a link costs, in whole microseconds, as a sum of named terms (docs/steering.md):
 *
 *   cost = max(rtt, floor) + lossSlope * max(0, L - Lfloor) + jitterFactor * max(0, jitter - jitterFloor) + load
 *
 * with L = -ln(1 - p), p the probability that a packet or its answer is lost. L adds up along a path as
 * probabilities of independent losses multiply, so the sum over links prices the path's own loss.
 */
import type { CostTerms } from '../../protocol/api.ts';

export interface CostOptions {
  /** Least cost of a link: differences below it are the kernel's scheduling, not distance. */
  readonly floorUs: number;
  /**
   * Price of one unit of -ln(1-p). 2 s makes 1 % of loss cost 20 ms: an exchange of ten packets (the initial window of
   * RFC 6928) loses one with probability ten times p and then waits the 200 ms of a least retransmission timeout.
   */
  readonly lossSlopeUs: number;
  /** Loss that is free. 0.5 %: a probe lost now and then must not look like a bad link. */
  readonly lossFloorPpm: number;
  /** Price of each microsecond of delay variation above `jitterFloorUs`: a play-out buffer adds as much delay. */
  readonly jitterFactor: number;
  /** Delay variation that is free. 3 ms: above what a busy two-core host with userspace WireGuard adds by itself. */
  readonly jitterFloorUs: number;
  /** Price of one transit node on a path: its forwarding work, half of a userspace hop's processing time. */
  readonly transitHopUs: number;
}

export const DEFAULT_COST_OPTIONS: CostOptions = {
  floorUs: 100,
  lossSlopeUs: 2_000_000,
  lossFloorPpm: 5_000,
  jitterFactor: 1,
  jitterFloorUs: 3_000,
  transitHopUs: 250,
};

/** A link as both ends together see it. Null: not measured, priced at 0. */
export interface LinkMetrics {
  readonly rttUs: number;
  readonly jitterUs: number | null;
  /** Both directions together: 1 - (1 - out)(1 - in). */
  readonly lossPpm: number | null;
  /** Price of utilisation, already in microseconds. */
  readonly loadUs: number;
}

export const NO_COST: CostTerms = { rttUs: 0, lossUs: 0, jitterUs: 0, loadUs: 0, transitUs: 0, totalUs: 0 };

/** -ln(1-p); p is held below 99 % so that the price of a link that still answers stays finite (9.2 s). */
function lossUnits(ppm: number): number {
  return -Math.log1p(-Math.min(ppm, 990_000) / 1_000_000);
}

export function linkCost(metrics: LinkMetrics, options: CostOptions): CostTerms {
  const rttUs = Math.max(Math.round(metrics.rttUs), options.floorUs);
  const lossUs = Math.round(
    options.lossSlopeUs * Math.max(0, lossUnits(metrics.lossPpm ?? 0) - lossUnits(options.lossFloorPpm)),
  );
  const jitterUs = Math.round(options.jitterFactor * Math.max(0, (metrics.jitterUs ?? 0) - options.jitterFloorUs));
  const loadUs = Math.round(metrics.loadUs);
  return { rttUs, lossUs, jitterUs, loadUs, transitUs: 0, totalUs: rttUs + lossUs + jitterUs + loadUs };
}

/** Cost of a path: the links' terms added, and the price of the transit nodes between them. */
export function pathCost(links: readonly CostTerms[], options: CostOptions): CostTerms {
  let [rttUs, lossUs, jitterUs, loadUs] = [0, 0, 0, 0];
  for (const link of links) {
    rttUs += link.rttUs;
    lossUs += link.lossUs;
    jitterUs += link.jitterUs;
    loadUs += link.loadUs;
  }
  const transitUs = Math.max(0, links.length - 1) * options.transitHopUs;
  return { rttUs, lossUs, jitterUs, loadUs, transitUs, totalUs: rttUs + lossUs + jitterUs + loadUs + transitUs };
}
