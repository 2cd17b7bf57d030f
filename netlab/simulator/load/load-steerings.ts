/** What is compared under load: routes by measured delay, as they were, and the slow loop around the optimiser. */
import { DEFAULT_COST_OPTIONS, linkCost } from '../../../steering/link-state/link-cost.ts';
import { DelayTrees } from '../../../steering/traffic-engineering/delay-trees.ts';
import { linksBy } from '../../../steering/traffic-engineering/link-index.ts';
import { LoadLoop, type LoadLoopOptions } from '../../../steering/traffic-engineering/load-loop.ts';
import { shortestTables } from '../../../steering/traffic-engineering/shortest-tables.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import type { WeightedTables } from '../../../steering/traffic-engineering/weighted-tables.ts';
import { BaseRtts } from './base-rtts.ts';
import type { LoadReport, LoadSteering } from './load-simulation.ts';
import type { LoadedLink } from './loaded-underlay.ts';

/** Shortest paths by these RTTs: where every simulation starts. */
export function shortestBy(network: TrafficNetwork, priceUs: Float64Array): WeightedTables {
  return shortestTables(new DelayTrees(network, linksBy(network.to, network)), network.nodeCount, priceUs);
}

/** What is measured decides at once: no damping, no margin, no hold. Queues are delay and loss like any other. */
export class DelaySteering implements LoadSteering {
  readonly #network: TrafficNetwork;
  constructor(network: TrafficNetwork) {
    this.#network = network;
  }

  steer({ links }: LoadReport): WeightedTables {
    return shortestBy(this.#network, Float64Array.from(links, priceUs));
  }
}

/** As the link's own cost is made: RTT, and loss of both directions. */
function priceUs({ rttUs, lossOut, lossIn }: LoadedLink): number {
  const lossPpm = 1e6 * (1 - (1 - lossOut) * (1 - lossIn));
  return linkCost({ rttUs, jitterUs: null, lossPpm, loadUs: 0 }, DEFAULT_COST_OPTIONS).totalUs;
}

/** The shortest paths of a quiet network, whatever happens. */
export class FixedSteering implements LoadSteering {
  steer(): null {
    return null;
  }
}

/** Weighted groups by measured demand. */
export class LoopSteering implements LoadSteering {
  readonly loop: LoadLoop;
  readonly #network: TrafficNetwork;
  readonly #base: BaseRtts;

  constructor(network: TrafficNetwork, options?: LoadLoopOptions) {
    this.loop = new LoadLoop(options);
    this.#network = network;
    this.#base = new BaseRtts(network.from.length);
  }

  steer({ links, demand, nowMs }: LoadReport): WeightedTables | null {
    for (const [link, { rttUs }] of links.entries()) this.#base.report(link, rttUs);
    this.#base.tick(nowMs);
    const decision = this.loop.decide({ ...this.#network, rttUs: this.#base.levelUs }, demand, nowMs);
    return decision.kind === 'move' ? decision.plan.tables : null;
  }
}
