/** How much of the traffic has a backup: counts of (node, destination) pairs, and their shares. */
import { type AlternateRow, DOWNSTREAM, LINK, NODE } from './loop-free-alternates.ts';
import type { NextHopTree } from './next-hop-tree.ts';

export interface CoverageShares {
  /** Pairs that have a path. */
  readonly pairs: number;
  /** Pairs whose next hop is not the destination itself: only there is a node to protect from. */
  readonly detours: number;
  /** Share of `pairs` that have a loop-free alternate, and that have a downstream one. 0 to 1; 1 where there are none. */
  readonly link: number;
  readonly downstream: number;
  /** Share of `detours` that have a node-protecting alternate. */
  readonly node: number;
  /** The same with remote alternates counted. */
  readonly linkOrRemote: number;
  readonly nodeOrRemote: number;
}

/** Mutable; adds up one destination after another. */
export class BackupCoverage {
  #pairs = 0;
  #detours = 0;
  #link = 0;
  #downstream = 0;
  #node = 0;
  #remoteLink = 0;
  #remoteNode = 0;

  /** Takes in the alternates of all nodes towards the root of `tree`. */
  add(tree: NextHopTree, alternates: AlternateRow): void {
    for (let i = 1; i < tree.reached; i++) {
      const node = tree.order[i] ?? 0;
      const protection = alternates.protection[node] ?? 0;
      this.#pairs++;
      if (tree.nextHop[node] !== tree.root) this.#detours++;
      if ((protection & LINK) !== 0) this.#link++;
      if ((protection & NODE) !== 0) this.#node++;
      if ((protection & DOWNSTREAM) !== 0) this.#downstream++;
    }
  }

  /** A pair without direct alternate of that kind has a remote one. */
  addRemote(protects: 'link' | 'node'): void {
    if (protects === 'link') this.#remoteLink++;
    else this.#remoteNode++;
  }

  shares(): CoverageShares {
    const share = (count: number, of: number) => (of === 0 ? 1 : count / of);
    return {
      pairs: this.#pairs,
      detours: this.#detours,
      link: share(this.#link, this.#pairs),
      downstream: share(this.#downstream, this.#pairs),
      node: share(this.#node, this.#detours),
      linkOrRemote: share(this.#link + this.#remoteLink, this.#pairs),
      nodeOrRemote: share(this.#node + this.#remoteNode, this.#detours),
    };
  }
}
