/**
 * The table of a leaf: a default, its home, and exceptions, for those destinations that it sends to and that another of
 * its transit nodes reaches so much better that a row is worth it.
 *
 *   0/20           -> home            every address
 *   block of d     -> other transit   d hangs where its block is: good for all of its neighbours there
 *   d/0            -> other transit   d has moved
 *
 * An exception is never needed to be reached: whichever transit node a packet meets knows the way. So exceptions are
 * looked at when the leaf itself reports (O(LINKS * DEMANDS)), when its home moves, and in a slow sweep over all leaves;
 * not when something changes far away. 44 bytes a leaf; rows are made while they are sent.
 */
import { NO_HOME } from '../aggregation/prefix-trie.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import type { HomeBlocks } from '../registry/home-blocks.ts';
import type { DeltaStream } from '../rib/delta-stream.ts';
import { NO_NEXT_HOP } from '../rib/delta-writer.ts';
import type { TransitTrees } from '../rib/transit-tables.ts';
import { UNREACHABLE } from '../spf/path-table.ts';
import { DOWN, type LeafLinks, LINKS, NO_TRANSIT } from './leaf-links.ts';

/** Destinations of a leaf that may get an exception: its busiest. */
export const DEMANDS = 4;

export interface LeafTableOptions {
  /** Price of a transit node on a path, as in link-state/link-cost.ts. */
  readonly transitHopUs: number;
  /** An exception must win by both of these, and so must what replaces it (rib/incumbency.ts). */
  readonly gainUs: number;
  readonly gainRatio: number;
}

export const DEFAULT_LEAF_TABLE_OPTIONS: LeafTableOptions = { transitHopUs: 250, gainUs: 500, gainRatio: 0.025 };

/** What leaf tables are made from. */
export interface LeafTableDeps {
  readonly graph: CsrGraph;
  readonly links: LeafLinks;
  /** Home by node index; a transit node is its own. */
  readonly home: Uint16Array;
  readonly blocks: HomeBlocks;
  readonly trees: TransitTrees;
}

const NO_KEY = 0;
/** A key is first * KEY_BASE + bits. */
const KEY_BASE = 32;

export class LeafTables {
  readonly #deps: LeafTableDeps;
  readonly #options: LeafTableOptions;
  readonly #wholeBits: number;
  readonly #demands: Uint32Array;
  /** What the leaf was told: its default, and for each demand the prefix (NO_KEY: none) and the transit node. */
  readonly #toldDefault: Uint16Array;
  readonly #toldKey: Uint32Array;
  readonly #toldVia: Uint16Array;
  readonly #keys = new Uint32Array(DEMANDS);
  readonly #vias = new Uint16Array(DEMANDS);

  constructor(deps: LeafTableDeps, options: LeafTableOptions = DEFAULT_LEAF_TABLE_OPTIONS) {
    this.#deps = deps;
    this.#options = options;
    this.#wholeBits = deps.blocks.trie.bits;
    const capacity = deps.home.length;
    this.#demands = new Uint32Array(capacity * DEMANDS);
    this.#toldDefault = new Uint16Array(capacity).fill(NO_TRANSIT);
    this.#toldKey = new Uint32Array(capacity * DEMANDS);
    this.#toldVia = new Uint16Array(capacity * DEMANDS).fill(NO_TRANSIT);
  }

  /** Node indices that the leaf sends most to, busiest first; what is beyond DEMANDS does not count. */
  setDemands(leaf: number, destinations: readonly number[]): void {
    for (let i = 0; i < DEMANDS; i++) this.#demands[leaf * DEMANDS + i] = destinations[i] ?? 0;
  }

  /** The leaf is gone. */
  forget(leaf: number): void {
    this.#toldDefault[leaf] = NO_TRANSIT;
    this.#toldKey.fill(NO_KEY, leaf * DEMANDS, (leaf + 1) * DEMANDS);
  }

  /** Rows of the leaf: its default, if it has a home, and its exceptions. */
  size(leaf: number): number {
    let rows = this.#toldDefault[leaf] === NO_TRANSIT ? 0 : 1;
    for (let i = 0; i < DEMANDS; i++) if (this.#toldKey[leaf * DEMANDS + i] !== NO_KEY) rows++;
    return rows;
  }

  /** Decides the leaf's rows and writes what is not as it was told (all of them, into a full delta). */
  write(leaf: number, full: boolean, stream: DeltaStream): void {
    const { graph, home } = this.#deps;
    const nextHop = (transit: number) => (transit === NO_TRANSIT ? NO_NEXT_HOP : graph.indexOf(transit));
    this.#decide(leaf);
    const now = home[leaf] ?? NO_TRANSIT;
    const told = this.#toldDefault[leaf] ?? NO_TRANSIT;
    stream.entry(0, this.#wholeBits, full ? NO_NEXT_HOP : nextHop(told), nextHop(now));
    this.#toldDefault[leaf] = now;
    const at = leaf * DEMANDS;
    for (let i = at; i < at + DEMANDS; i++) {
      const key = this.#toldKey[i] ?? NO_KEY;
      if (full || key === NO_KEY || this.#keys.includes(key)) continue;
      stream.entry(Math.floor(key / KEY_BASE), key % KEY_BASE, nextHop(this.#toldVia[i] ?? NO_TRANSIT), NO_NEXT_HOP);
    }
    for (let i = 0; i < DEMANDS; i++) {
      const key = this.#keys[i] ?? NO_KEY;
      if (key === NO_KEY) continue;
      const before = full ? NO_TRANSIT : this.#toldWay(at, key);
      stream.entry(Math.floor(key / KEY_BASE), key % KEY_BASE, nextHop(before), nextHop(this.#vias[i] ?? NO_TRANSIT));
    }
    this.#toldKey.set(this.#keys, at);
    this.#toldVia.set(this.#vias, at);
  }

  #toldWay(at: number, key: number): number {
    for (let i = at; i < at + DEMANDS; i++) if (this.#toldKey[i] === key) return this.#toldVia[i] ?? NO_TRANSIT;
    return NO_TRANSIT;
  }

  /** Fills #keys and #vias with the exceptions that the leaf should have. */
  #decide(leaf: number): void {
    this.#keys.fill(NO_KEY);
    this.#vias.fill(NO_TRANSIT);
    const own = this.#deps.home[leaf] ?? NO_TRANSIT;
    if (own === NO_TRANSIT) return;
    for (let i = 0; i < DEMANDS; i++) {
      const destination = this.#demands[leaf * DEMANDS + i] ?? 0;
      const target = this.#deps.home[destination] ?? NO_TRANSIT;
      if (destination === 0 || destination === leaf || target === NO_TRANSIT) continue;
      const key = this.#keyOf(destination, target);
      if (this.#keys.includes(key)) continue;
      const via = this.#wayTo(leaf, own, target, this.#toldWay(leaf * DEMANDS, key));
      if (via === own) continue;
      this.#keys[i] = key;
      this.#vias[i] = via;
    }
  }

  #keyOf(destination: number, home: number): number {
    const { blocks } = this.#deps;
    const owner = blocks.ownerOf(destination);
    if (owner === NO_HOME || owner !== home) return destination * KEY_BASE;
    const { first, bits } = blocks.blockOf(destination);
    return first * KEY_BASE + bits;
  }

  /** The transit node by which the leaf should send to what hangs off `target`; `told` is the exception it has. */
  #wayTo(leaf: number, own: number, target: number, told: number): number {
    const { links } = this.#deps;
    const paths = this.#deps.trees.table;
    const { transitHopUs, gainUs, gainRatio } = this.#options;
    const from = leaf * LINKS;
    let best = NO_TRANSIT;
    let bestUs = Number.POSITIVE_INFINITY;
    let ownUs = Number.POSITIVE_INFINITY;
    let toldUs = Number.POSITIVE_INFINITY;
    for (let k = 0; k < LINKS; k++) {
      const transit = links.transit[from + k] ?? NO_TRANSIT;
      const link = links.cost[from + k] ?? 0;
      if (transit === NO_TRANSIT || link === 0 || link === DOWN) continue;
      let cost = link;
      if (transit !== target) {
        const rest = paths.distance[target * paths.stride + transit] ?? UNREACHABLE;
        cost = rest === UNREACHABLE ? Number.POSITIVE_INFINITY : link + rest + transitHopUs;
      }
      if (transit === own) ownUs = cost;
      if (transit === told) toldUs = cost;
      if (cost < bestUs) [best, bestUs] = [transit, cost];
    }
    const keeps = told !== NO_TRANSIT && toldUs < ownUs;
    const presentUs = keeps ? toldUs : ownUs;
    if (best === NO_TRANSIT) return own;
    const gain = presentUs - bestUs;
    if (gain >= gainUs && gain >= gainRatio * bestUs) return best;
    return keeps ? told : own;
  }
}
