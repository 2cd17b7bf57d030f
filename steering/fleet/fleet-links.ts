/**
 * Every link of the fleet, and who may report on it: pairs of transit nodes go through link-state/ to the graph, links
 * of leaves to the typed arrays of leaf/. A report on a pair that has no session is refused and counted.
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import { LeafLinks, NO_TRANSIT } from '../leaf/leaf-links.ts';
import { linkCost } from '../link-state/link-cost.ts';
import { isAbsurd, LinkState } from '../link-state/link-state.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import type { FleetNodes } from './fleet-nodes.ts';
import type { FleetOptions } from './fleet-options.ts';

/** What was not believed, and links whose ends began to disagree wildly; leaves' and transit nodes' together. */
export interface FleetCounters {
  readonly unknownNode: number;
  readonly noSession: number;
  readonly absurdValue: number;
  readonly endsDisagree: number;
}

/** Leaf whose link changed. */
export type LeafNews = (leaf: number, nowMs: number) => void;

export class FleetLinks {
  readonly leafLinks: LeafLinks;
  readonly #pairs: LinkState;
  readonly #nodes: FleetNodes;
  readonly #graph: CsrGraph;
  readonly #options: FleetOptions;

  constructor(nodes: FleetNodes, graph: CsrGraph, options: FleetOptions) {
    this.#nodes = nodes;
    this.#graph = graph;
    this.#options = options;
    this.leafLinks = new LeafLinks(nodes.capacity, options.leafLinks);
    this.#pairs = new LinkState(options.steering);
  }

  get counters(): FleetCounters {
    const [leaves, pairs] = [this.leafLinks.counters, this.#pairs.counters];
    return {
      unknownNode: leaves.unknownNode + pairs.unknownPeer,
      noSession: leaves.noSession,
      absurdValue: leaves.absurdCost + pairs.absurdValue,
      endsDisagree: leaves.endsDisagree + pairs.endsDisagree,
    };
  }

  /** Lets two nodes talk. False: they do already, or may not (two leaves, a leaf with LINKS others). */
  open(a: number, b: number): boolean {
    const pair = this.#leafPair(a, b);
    if (pair !== undefined) return this.leafLinks.open(pair.leaf, pair.transit);
    return this.#isTransitPair(a, b) && this.#nodes.setSession(a, b, true);
  }

  /** Ends the session of two nodes. False: there was none. */
  close(a: number, b: number, nowMs: number, news: LeafNews): boolean {
    const pair = this.#leafPair(a, b);
    if (pair !== undefined) {
      if (!this.leafLinks.close(pair.leaf, pair.transit)) return false;
      news(pair.leaf, nowMs);
      return true;
    }
    if (!this.#isTransitPair(a, b) || !this.#nodes.setSession(a, b, false)) return false;
    this.#setArcs(a, b, null);
    return true;
  }

  /** Takes one measured link. False: it was not believed, and counted, or it changed nothing. */
  report(from: number, observation: LinkObservation, nowMs: number, news: LeafNews): boolean {
    const peer = observation.peerIndex;
    const { counters } = this.leafLinks;
    if (this.#nodes.kindOf(from) === undefined || this.#nodes.kindOf(peer) === undefined) {
      counters.unknownNode++;
      return false;
    }
    const pair = this.#leafPair(from, peer);
    if (pair === undefined) {
      if (!this.#nodes.hasSession(from, peer)) {
        counters.noSession++;
        return false;
      }
      return this.#pairs.report(from, observation, (index) => this.#nodes.kindOf(index) !== undefined, nowMs);
    }
    if (isAbsurd(observation)) {
      counters.absurdCost++;
      return false;
    }
    const costUs = this.#costOf(observation);
    const end = pair.leaf === from ? 'leaf' : 'transit';
    if (costUs === undefined || !this.leafLinks.report(pair.leaf, pair.transit, end, costUs)) return false;
    news(pair.leaf, nowMs);
    return true;
  }

  /** Brings the graph's arcs up to what the pairs of transit nodes cost now. */
  takeChanged(nowMs: number): void {
    this.#pairs.tick(nowMs);
    for (const { low, high, filter } of this.#pairs.takeChanged()) {
      if (!this.#nodes.hasSession(low, high)) continue;
      const untrustedUs = filter.held ? this.#options.steering.untrustedUs : 0;
      this.#setArcs(low, high, filter.effective === null ? null : filter.effective.totalUs + untrustedUs);
    }
  }

  /** When `takeChanged` has something without further reports. */
  get dueMs(): number {
    return this.#pairs.dueMs;
  }

  /** Slot of a transit node, or NO_TRANSIT. */
  slotOf(transit: number): number {
    return this.#graph.slotOf(transit) ?? NO_TRANSIT;
  }

  #setArcs(a: number, b: number, weight: number | null): void {
    const [x, y] = [this.#graph.slotOf(a), this.#graph.slotOf(b)];
    if (x === undefined || y === undefined) return;
    for (const [from, to] of [
      [x, y],
      [y, x],
    ] as const) {
      if (weight === null) this.#graph.removeArc(from, to);
      else this.#graph.setArc(from, to, weight);
    }
  }

  /** Undefined: nothing was measured. Null: down. */
  #costOf(o: LinkObservation): number | null | undefined {
    if (o.health === 'down') return null;
    if (o.health === 'unmeasured' || o.rttUs === null) return undefined;
    const [out, back] = [o.lossOutPpm ?? 0, o.lossInPpm ?? 0];
    const lossPpm = 1_000_000 - ((1_000_000 - out) * (1_000_000 - back)) / 1_000_000;
    const metrics = { rttUs: o.rttUs, jitterUs: o.jitterUs, lossPpm, loadUs: 0 };
    return linkCost(metrics, this.#options.steering.cost).totalUs;
  }

  #isTransitPair(a: number, b: number): boolean {
    return a !== b && this.#nodes.kindOf(a) === 'transit' && this.#nodes.kindOf(b) === 'transit';
  }

  #leafPair(a: number, b: number): { readonly leaf: number; readonly transit: number } | undefined {
    const [kindA, kindB] = [this.#nodes.kindOf(a), this.#nodes.kindOf(b)];
    if (kindA === 'leaf' && kindB === 'transit') return { leaf: a, transit: this.slotOf(b) };
    if (kindB === 'leaf' && kindA === 'transit') return { leaf: b, transit: this.slotOf(a) };
    return undefined;
  }
}
