/** Brings a model into a fleet engine as nodes would join it, and makes up what they report later. */
import { observedLink } from '../../netlab/simulator/observed-link.ts';
import { FleetEngine } from '../../steering/fleet/fleet-engine.ts';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { DEFAULT_COST_OPTIONS } from '../../steering/link-state/link-cost.ts';
import { IncrementalTable } from '../../steering/spf/incremental/incremental-table.ts';
import { wholeBelow } from '../spf/random.ts';
import type { FleetModel } from './fleet-model.ts';

export interface LoadedFleet {
  readonly model: FleetModel;
  readonly engine: FleetEngine;
  readonly graph: CsrGraph;
  readonly trees: IncrementalTable;
  /** Node index of each transit node and leaf of the model. */
  readonly transit: Uint32Array;
  readonly leaf: Uint32Array;
}

/** Leaves that a transit node takes, as a multiple of an even share. */
const CAPACITY_FACTOR = 2;

/** Adds all nodes and sessions and reports all links once. `demands` destinations for each leaf. */
export function loadFleet(model: FleetModel, demands: number): LoadedFleet {
  const { options, random } = model;
  const graph = new CsrGraph();
  const trees = new IncrementalTable(graph, { direction: 'to', transitHopUs: DEFAULT_COST_OPTIONS.transitHopUs });
  const engine = new FleetEngine({ graph, trees });
  const transit = new Uint32Array(options.transit);
  const leaf = new Uint32Array(options.leaves);
  const capacity = Math.ceil((CAPACITY_FACTOR * options.leaves) / options.transit);
  for (let a = 0; a < options.transit; a++) {
    const near = model.closest(a, a);
    transit[a] = engine.addTransit(capacity, near < 0 ? 0 : (transit[near] ?? 0), 0);
  }
  for (const [i, [a, b]] of model.pairs.entries()) {
    engine.openSession(transit[a] ?? 0, transit[b] ?? 0);
    engine.reportLink(transit[a] ?? 0, observedLink(transit[b] ?? 0, model.pairUs[i] ?? 1), 0);
  }
  const { links } = options;
  for (let v = 0; v < options.leaves; v++) {
    const candidates = Array.from({ length: links }, (_, k) => ({
      transit: transit[model.leafTransit[v * links + k] ?? 0] ?? 0,
      costUs: model.leafUs[v * links + k] ?? 1,
    }));
    leaf[v] = engine.addLeaf(candidates, 0);
  }
  for (let v = 0; v < options.leaves; v++) {
    const to = Array.from({ length: demands }, () => leaf[wholeBelow(random, options.leaves)] ?? 0);
    engine.reportDemand(leaf[v] ?? 0, to);
  }
  return { model, engine, graph, trees, transit, leaf };
}

/** Reports one random link: its RTT is what the model says times a random factor of 0.5 to 2. True: of transit nodes. */
export function reportRandomLink(fleet: LoadedFleet, transitShare: number, nowMs: number): boolean {
  const { model, engine, transit, leaf } = fleet;
  const { random } = model;
  const factor = 2 ** (2 * random() - 1);
  if (random() < transitShare) {
    const i = wholeBelow(random, model.pairs.length);
    const [a, b] = model.pairs[i] ?? [0, 1];
    engine.reportLink(transit[a] ?? 0, observedLink(transit[b] ?? 0, (model.pairUs[i] ?? 1) * factor), nowMs);
    return true;
  }
  const v = wholeBelow(random, leaf.length);
  const at = v * model.options.links + wholeBelow(random, model.options.links);
  const peer = transit[model.leafTransit[at] ?? 0] ?? 0;
  engine.reportLink(leaf[v] ?? 0, observedLink(peer, (model.leafUs[at] ?? 1) * factor), nowMs);
  return false;
}
