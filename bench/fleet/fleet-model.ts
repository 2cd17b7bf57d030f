/**
 * A fleet out of a seed. Transit nodes lie on a map of 100 by 50 ms, most of them in clusters; each has links to its
 * nearest and to random far ones. A leaf lies near a transit node, more of them near some than near others, behind an
 * access line of its own, and has links to the nearest of the transit nodes around.
 */
import { seededRandom } from '../../netlab/seeded-random.ts';
import type { FleetPlaces } from '../../netlab/simulator/fleet-simulation.ts';
import { wholeBelow } from '../spf/random.ts';

export interface FleetModelOptions {
  readonly transit: number;
  readonly leaves: number;
  /** Links of a leaf. */
  readonly links: number;
  /** Links that each transit node looks for; what others found comes on top. */
  readonly degree: number;
  readonly seed: number;
}

/** A transit node's neighbours that the leaves around it may choose from. */
const AROUND = 8;
/** Share of a transit node's links that go far. */
const FAR_SHARE = 0.25;

export class FleetModel {
  readonly options: FleetModelOptions;
  readonly random: () => number;
  /** Pairs of transit nodes with a link: numbers from 0, and the RTT in microseconds. */
  readonly pairs: (readonly [number, number])[] = [];
  readonly pairUs: number[] = [];
  /** Of each leaf, `links` each: transit node, and RTT in microseconds. */
  readonly leafTransit: Uint16Array;
  readonly leafUs: Uint32Array;
  readonly #x: Float64Array;
  readonly #y: Float64Array;

  constructor(options: FleetModelOptions) {
    const { transit, leaves, links, seed } = options;
    this.options = options;
    this.random = seededRandom(seed);
    this.#x = new Float64Array(transit);
    this.#y = new Float64Array(transit);
    this.leafTransit = new Uint16Array(leaves * links);
    this.leafUs = new Uint32Array(leaves * links);
    this.#placeTransit();
    const nearest = Array.from({ length: transit }, (_, a) => this.#nearestOf(a));
    this.#linkTransit(nearest);
    this.#placeLeaves(nearest);
  }

  /** What a simulation needs to know of it. */
  get places(): FleetPlaces {
    const { pairs, pairUs, leafTransit, leafUs } = this;
    const { transit, leaves, links } = this.options;
    return {
      transit,
      leaves,
      links,
      pairs,
      pairUs,
      leafTransit,
      leafUs,
      closest: (a, limit) => this.closest(a, limit),
    };
  }

  /** The transit node below `limit` that is closest to `a`; -1 for none. */
  closest(a: number, limit: number): number {
    let best = -1;
    for (let b = 0; b < limit; b++) {
      if (b !== a && (best < 0 || this.#distance(a, b) < this.#distance(a, best))) best = b;
    }
    return best;
  }

  #placeTransit(): void {
    const { transit } = this.options;
    const towns = Math.max(1, Math.round(transit / 20));
    const town = Array.from({ length: towns }, () => [this.random() * 100_000, this.random() * 50_000] as const);
    for (let a = 0; a < transit; a++) {
      const [x, y] = town[wholeBelow(this.random, towns)] ?? [0, 0];
      const spread = this.random() < 0.2 ? 20_000 : 1_500;
      this.#x[a] = x + (this.random() + this.random() - 1) * spread;
      this.#y[a] = y + (this.random() + this.random() - 1) * spread;
    }
  }

  #nearestOf(a: number): Uint16Array {
    const away = Float64Array.from({ length: this.options.transit }, (_, b) => this.#distance(a, b));
    const others = Array.from(away.keys()).filter((b) => b !== a);
    others.sort((b, c) => (away[b] ?? 0) - (away[c] ?? 0) || b - c);
    return Uint16Array.from(others.slice(0, Math.max(AROUND, this.options.degree)));
  }

  #linkTransit(nearest: readonly Uint16Array[]): void {
    const { transit, degree } = this.options;
    const taken = new Set<number>();
    const link = (a: number, b: number) => {
      const key = Math.min(a, b) * transit + Math.max(a, b);
      if (a === b || taken.has(key)) return;
      taken.add(key);
      this.pairs.push([a, b]);
      this.pairUs.push(Math.round(500 + this.#distance(a, b) * (1 + this.random() / 2)));
    };
    const far = Math.max(1, Math.round(degree * FAR_SHARE));
    for (let a = 0; a < transit; a++) {
      // a ring, so that the whole is connected
      link(a, (a + 1) % transit);
      for (let k = 0; k < degree - far; k++) link(a, nearest[a]?.[k] ?? a);
      for (let k = 0; k < far; k++) link(a, wholeBelow(this.random, transit));
    }
  }

  #placeLeaves(nearest: readonly Uint16Array[]): void {
    const { transit, leaves, links } = this.options;
    const crowd = Float64Array.from({ length: transit }, () => 0.5 + this.random());
    const most = crowd.reduce((a, b) => Math.max(a, b));
    const around = new Array<readonly [number, number]>(AROUND + 1);
    for (let leaf = 0; leaf < leaves; leaf++) {
      let anchor = wholeBelow(this.random, transit);
      while (this.random() * most > (crowd[anchor] ?? 0)) anchor = wholeBelow(this.random, transit);
      const x = (this.#x[anchor] ?? 0) + (this.random() - 0.5) * 2_000;
      const y = (this.#y[anchor] ?? 0) + (this.random() - 0.5) * 2_000;
      const accessUs = 1_000 + this.random() * 9_000;
      for (let k = 0; k <= AROUND; k++) {
        const transitNode = k === 0 ? anchor : (nearest[anchor]?.[k - 1] ?? anchor);
        const us = Math.hypot(x - (this.#x[transitNode] ?? 0), y - (this.#y[transitNode] ?? 0)) * 1.2;
        around[k] = [us, transitNode];
      }
      around.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      for (let k = 0; k < links; k++) {
        const [us, transitNode] = around[k] ?? [0, 0];
        this.leafTransit[leaf * links + k] = transitNode;
        this.leafUs[leaf * links + k] = Math.round(accessUs + us + this.random() * 200);
      }
    }
  }

  #distance(a: number, b: number): number {
    return Math.hypot((this.#x[a] ?? 0) - (this.#x[b] ?? 0), (this.#y[a] ?? 0) - (this.#y[b] ?? 0));
  }
}
