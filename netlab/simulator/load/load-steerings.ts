/** What is compared under load: routes by measured delay, as they were, and the slow loop around the optimiser. */

import { DEFAULT_COST_OPTIONS, linkCost } from '../../../steering/link-state/link-cost.ts';
import { LoadController, type LoadControllerOptions } from '../../../steering/load/load-controller.ts';
import { DelayTrees } from '../../../steering/traffic-engineering/delay-trees.ts';
import { linksBy } from '../../../steering/traffic-engineering/link-index.ts';
import { optimise } from '../../../steering/traffic-engineering/optimise.ts';
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

/** Weighted groups by measured demand, by the rules of the core. A plan is there at once. */
export class LoopSteering implements LoadSteering {
  readonly controller: LoadController;
  readonly #network: TrafficNetwork;
  readonly #base: BaseRtts;

  #tables: WeightedTables;
  #isSpread = false;

  constructor(network: TrafficNetwork, options?: LoadControllerOptions) {
    this.controller = new LoadController(options);
    this.#tables = shortestBy(network, network.rttUs);
    this.#network = network;
    this.#base = new BaseRtts(network.from.length);
  }

  steer({ links, demand, nowMs }: LoadReport): WeightedTables | null {
    for (const [link, { rttUs }] of links.entries()) this.#base.report(link, rttUs);
    this.#base.tick(nowMs);
    const network = { ...this.#network, rttUs: this.#base.levelUs };
    const look = this.controller.look(
      { network, demand, learnings: 0, inForce: this.#tables, spread: this.#isSpread, whole: true },
      nowMs,
    );
    if (look.kind === 'keep') return null;
    const plan = optimise(network, look.demand, this.controller.options.traffic, this.#tables);
    if (!this.controller.judge(look, plan, nowMs)) return null;
    this.#tables = plan.tables;
    this.#isSpread = !plan.calm;
    return plan.tables;
  }
}
