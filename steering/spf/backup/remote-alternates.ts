/**
 * Remote loop-free alternates (RFC 7490) for pairs that have no direct one: S tunnels a packet for D to a node P, from
 * which it goes on as any other; the tunnel to P does not use what failed, nor does P's path to D.
 *
 *     S --x-- E ........ D        no neighbour of S has a path to D that avoids S
 *     |                  |        S - N - P: S's own path to P, or by S's alternate towards P
 *     N ------- P -------'        P - D:     does not lead through S (nor through E, to protect from E's death)
 *
 * The RFC takes one Q-space for E, whatever the destination; with the trees at hand it is looked at per destination.
 */
import type { CsrGraph } from '../../graph/csr-graph.ts';
import { type PathTable, UNREACHABLE } from '../path-table.ts';
import { type AlternateRow, NODE } from './loop-free-alternates.ts';

export interface RemoteAlternate {
  /** P, where the tunnel ends. */
  readonly release: number;
  /** The neighbour of S that the tunnel starts with. */
  readonly via: number;
  /** Of the whole way. */
  readonly costUs: number;
}

/** Ends of tunnels compared after the nearest has been found: nearby ones, since far ones only lengthen the way. */
const COMPARED = 16;

/** Finds remote alternates of one node at a time; `from` takes O(n log n), `find` walks a few short paths. */
export class RemoteAlternates {
  readonly #graph: CsrGraph;
  readonly #trees: PathTable;
  readonly #alternates: (root: number) => AlternateRow;
  readonly #transitHopUs: number;
  #node = -1;
  /** Transit nodes that `#node` has a path to, nearest first. */
  #nearest: number[] = [];

  constructor(
    deps: {
      readonly graph: CsrGraph;
      /** Paths to every destination. */
      readonly trees: PathTable;
      /** The direct alternates of all nodes towards a destination, computed from the same trees. */
      readonly alternates: (root: number) => AlternateRow;
    },
    transitHopUs: number,
  ) {
    this.#graph = deps.graph;
    this.#trees = deps.trees;
    this.#alternates = deps.alternates;
    this.#transitHopUs = transitHopUs;
  }

  /** Turns to the alternates of `node`. */
  from(node: number): void {
    const [graph, trees] = [this.#graph, this.#trees];
    this.#node = node;
    this.#nearest = [...graph.slots()].filter(
      (p) => p !== node && graph.isTransit(p) && trees.predecessorOf(p, node) >= 0,
    );
    this.#nearest.sort(
      (a, b) => trees.distanceOf(a, node) - trees.distanceOf(b, node) || graph.indexOf(a) - graph.indexOf(b),
    );
  }

  /**
   * The best of the nearest ways round the link to the next hop towards `root` (`protect` 'link') or round the next hop
   * itself ('node'). Null: there is none, there is nothing to protect, or the next hop is the destination ('node').
   */
  find(root: number, protect: 'link' | 'node'): RemoteAlternate | null {
    const trees = this.#trees;
    const failed = trees.predecessorOf(root, this.#node);
    if (failed < 0 || (protect === 'node' && failed === root)) return null;
    let best: RemoteAlternate | null = null;
    let compared = 0;
    for (const release of this.#nearest) {
      if (release === root || (protect === 'node' && release === failed)) continue;
      const rest = trees.distanceOf(root, release);
      if (rest === UNREACHABLE) continue;
      const tunnel = this.#tunnel(release, failed, protect);
      if (tunnel === null || !this.#avoids(root, release, this.#node, protect === 'node' ? failed : -1)) continue;
      const costUs = tunnel.costUs + this.#transitHopUs + rest;
      if (best === null || costUs < best.costUs) best = { release, via: tunnel.via, costUs };
      if (++compared === COMPARED) break;
    }
    return best;
  }

  /** How a packet gets to `release` without what failed. */
  #tunnel(release: number, failed: number, protect: 'link' | 'node'): { via: number; costUs: number } | null {
    const trees = this.#trees;
    const node = this.#node;
    const via = trees.predecessorOf(release, node);
    if (via !== failed) {
      if (protect === 'node' && !this.#avoids(release, via, failed, -1)) return null;
      return { via, costUs: trees.distanceOf(release, node) };
    }
    const row = this.#alternates(release);
    const other = row.alternate[node] ?? -1;
    if (other < 0 || (protect === 'node' && ((row.protection[node] ?? 0) & NODE) === 0)) return null;
    const transit = other === release ? 0 : this.#transitHopUs;
    return { via: other, costUs: this.#graph.weight(node, other) + transit + trees.distanceOf(release, other) };
  }

  /** The path from `slot` to `root` meets neither of two slots. */
  #avoids(root: number, slot: number, first: number, second: number): boolean {
    for (let v = slot; ; v = this.#trees.predecessorOf(root, v)) {
      if (v === first || v === second) return false;
      if (v === root) return true;
      if (v < 0) return false;
    }
  }
}
