/** The backups of a mesh: which may be others since they were chosen, and how many pairs have one. */

import type { MeshState } from './mesh-state.ts';
import { type BackupChoice, type BackupCounts, chooseBackups } from './rib/backup-choice.ts';
import type { HopChoice } from './rib/hop-choice.ts';
import { LINK, NODE } from './spf/backup/loop-free-alternates.ts';

export class MeshBackups {
  readonly #mesh: MeshState;
  /** Slots with a link that came or went since backups were looked at; null: any may be concerned. */
  #relinked: Set<number> | null = new Set();

  constructor(mesh: MeshState) {
    this.#mesh = mesh;
  }

  /** The link between two slots came or went, or is to go, or to stay after all. */
  linkTurned(low: number, high: number): void {
    this.#relinked?.add(low).add(high);
  }

  /** Other nodes are there, or forward, than before. */
  nodesTurned(): void {
    this.#relinked = null;
  }

  /** The backups of all nodes towards `root` when they forward by `choice`; see chooseBackups. */
  choose(root: number, choice: HopChoice, before: BackupChoice, only: ReadonlySet<number> | null): BackupChoice {
    const { graph, roles, options } = this.#mesh;
    const isKept = roles.everyPair
      ? () => true
      : (a: number, b: number) => roles.of(graph.indexOf(a), graph.indexOf(b)) === 'planned';
    return chooseBackups({ graph, root, choice, transitHopUs: options.cost.transitHopUs, isKept, before, only });
  }

  /** Has backups looked at again where links came or went, or nodes began or ceased to forward. */
  renew(): void {
    const relinked = this.#relinked;
    if (relinked !== null && relinked.size === 0) return;
    this.#relinked = new Set();
    for (const node of this.#mesh.nodes.values()) node.rollout.renewBackups(relinked);
  }

  /** How many pairs have a backup. O(pairs). */
  counts(): BackupCounts {
    const direct = { pairs: 0, link: 0 };
    const detour = { pairs: 0, link: 0, node: 0 };
    for (const { slot: root, rollout } of this.#mesh.nodes.values()) {
      const { committed, backups } = rollout;
      for (const slot of this.#mesh.graph.slots()) {
        const hop = committed.main(slot);
        if (hop < 0) continue;
        const bits = backups.protection[slot] ?? 0;
        const counts = hop === root ? direct : detour;
        counts.pairs++;
        if ((bits & LINK) !== 0) counts.link++;
        if (hop !== root && (bits & NODE) !== 0) detour.node++;
      }
    }
    return { direct, detour };
  }
}
