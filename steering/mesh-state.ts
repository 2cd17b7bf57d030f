/** Everything the steering engine knows, as one value that its loop changes and its views read. */
import { LRUCache } from 'lru-cache';
import type { CostTerms } from '../protocol/api.ts';
import { CsrGraph } from './graph/csr-graph.ts';
import { pathCost } from './link-state/link-cost.ts';
import { LinkRoles } from './link-state/link-roles.ts';
import { LinkState } from './link-state/link-state.ts';
import { TrafficState } from './load/traffic-state.ts';
import { MeshBackups } from './mesh-backups.ts';
import type { BackupChoice } from './rib/backup-choice.ts';
import { HoldTimers } from './rib/hold-times.ts';
import { type HopChoice, NO_SPREAD, type Spread, sameSpread, spreadBySlot, withoutMember } from './rib/hop-choice.ts';
import type { DirectBand } from './rib/incumbency.ts';
import { PathChangeLog } from './rib/path-change-log.ts';
import { rowKey } from './rib/rib.ts';
import { usableSpread } from './rib/usable-spread.ts';
import { NodeTable } from './rollout/node-table.ts';
import { Rollout } from './rollout/rollout.ts';
import { RowDictionary } from './rollout/row-dictionary.ts';
import { SlotMarks } from './rollout/slot-marks.ts';
import type { Tables } from './rollout/tables.ts';
import { FREE, FROZEN, FROZEN_SOURCE, type SpfRules, type SpfTree } from './spf/spf-tree.ts';
import type { TreeRow } from './spf/tree-row.ts';
import type { LoadGroups, SteeringNode } from './steering-engine-port.ts';
import type { SteeringOptions } from './steering-options.ts';

/** A node and the destination that it is. */
export interface MeshNode {
  readonly index: number;
  readonly slot: number;
  name: string;
  /** Willing to forward. */
  transit: boolean;
  /** It said goodbye: not used as transit until its next session. */
  left: boolean;
  /** An operator keeps it out of others' paths. */
  drained: boolean;
  readonly joinedMs: number;
  everConnected: boolean;
  /** Links were reported in the present session. */
  reported: boolean;
  readonly table: NodeTable;
  readonly rollout: Rollout;
  readonly timers: HoldTimers;
  /** Slots whose decided next hop may not be that of the tree; some may stand there twice. Null: any. */
  astray: number[] | null;
  /** The tree where nodes that cannot be told anything do not allow that of the table; null: they do. */
  limited: SpfTree | null;
  /** When a hold time towards this destination ends; Infinity: none. */
  moveDueMs: number;
  /** Groups towards it, as load asks for; none: one next hop each, the best by latency. */
  spread: Spread;
  /** Its tables have groups, or are to have. */
  readonly isSpread: boolean;
}

/** Names of removed nodes that are kept: the changes that their removal brings are recorded within a loop or two. */
const FORMER_NAMES_MAX = 10_000;

export class MeshState implements Tables {
  readonly options: SteeringOptions;
  readonly graph = new CsrGraph();
  readonly links: LinkState;
  /** Which pairs carry packets. */
  readonly roles = new LinkRoles();
  readonly log: PathChangeLog;
  readonly traffic = new TrafficState();
  readonly nodes = new Map<number, MeshNode>();
  /** Nodes that do not forward any more, and when their transit rows may go: once nobody's packets meet them. */
  readonly retiring = new Map<MeshNode, number>();
  readonly backed = new MeshBackups(this);
  readonly marks = new SlotMarks();
  readonly #bySlot: (MeshNode | undefined)[] = [];
  readonly rows = new RowDictionary();
  readonly #formerNames = new LRUCache<number, string>({ max: FORMER_NAMES_MAX });

  constructor(options: SteeringOptions) {
    this.options = options;
    this.links = new LinkState(options);
    this.log = new PathChangeLog({ capacity: options.pathChangesKept });
  }

  at(slot: number): MeshNode {
    const node = this.#bySlot[slot];
    if (node === undefined) throw new Error(`slot ${slot} holds no node`);
    return node;
  }

  /** The node at a slot, if there is one. */
  find(slot: number): MeshNode | undefined {
    return this.#bySlot[slot];
  }

  table(slot: number): NodeTable {
    return this.at(slot).table;
  }

  /** Paths of others are to lead through the node where that is best: it is willing, stays, and nobody keeps it out of them. */
  isUsedAsTransit({ transit, left, drained }: MeshNode): boolean {
    return transit && !left && !drained;
  }

  /** Its links are dearer than any path without them from now on, or not any more: a last resort, as links that are to go. */
  setDrained(node: MeshNode, isDrained: boolean): void {
    node.drained = isDrained;
    for (const { low, high } of [...this.links.all()]) {
      if (low === node.index || high === node.index) this.links.touch(low, high);
    }
  }

  keepsTransitRows(slot: number): boolean {
    return this.at(slot).transit;
  }

  *retiringSlots(): IterableIterator<number> {
    for (const node of this.retiring.keys()) yield node.slot;
  }

  /** Also of a node that was removed: the path that led through it is the `before` of a change. */
  name(index: number): string {
    return this.nodes.get(index)?.name ?? this.#formerNames.get(index) ?? `node ${index}`;
  }

  add({ index, name, transit }: SteeringNode, nowMs: number): MeshNode {
    const slot = this.graph.addNode(index, transit);
    const { rollout, table } = this.options;
    const node: MeshNode = {
      index,
      slot,
      name,
      transit,
      left: false,
      drained: false,
      joinedMs: nowMs,
      everConnected: false,
      reported: false,
      table: new NodeTable(table, this.rows),
      rollout: new Rollout(index, slot, this, rollout),
      timers: new HoldTimers(),
      astray: null,
      limited: null,
      moveDueMs: Number.POSITIVE_INFINITY,
      spread: NO_SPREAD,
      get isSpread() {
        return this.spread !== NO_SPREAD || this.rollout.wanted.spread !== NO_SPREAD;
      },
    };
    this.nodes.set(index, node);
    this.#bySlot[slot] = node;
    for (const other of this.nodes.values()) {
      other.timers.forget(slot);
      other.rollout.addNode(slot);
      if (other !== node) node.rollout.addNode(other.slot);
    }
    return node;
  }

  remove(node: MeshNode): void {
    this.retiring.delete(node);
    this.backed.nodesTurned();
    // another node may get its slot
    for (const other of this.nodes.values()) other.spread = withoutMember(other.spread, node.slot);
    this.roles.removeNode(node.index, this.nodes.keys());
    this.links.removeNode(node.index);
    this.traffic.removeNode(node.index);
    this.graph.removeNode(node.index);
    this.log.removeNode(node.index);
    this.nodes.delete(node.index);
    this.#formerNames.set(node.index, node.name);
    this.#bySlot[node.slot] = undefined;
    for (const other of this.nodes.values()) {
      for (const table of ['source', 'transitA', 'transitB'] as const) other.table.unwant(rowKey(table, node.index));
      other.rollout.removeNode(node.slot);
    }
  }

  /** Takes in whether a node is willing to forward; its rows go once no packets meet it any more. */
  setWill(node: MeshNode, isWilling: boolean, nowMs: number): void {
    node.transit = isWilling;
    this.updateTransit(node);
    const { ackTimeoutMs, drainMs } = this.options.rollout;
    if (!isWilling) {
      this.retiring.set(node, nowMs + ackTimeoutMs + drainMs);
      return;
    }
    this.retiring.delete(node);
    for (const other of this.nodes.values()) other.rollout.rewrite(node.slot);
  }

  /** After whether it is used for others' paths may have changed. */
  updateTransit(node: MeshNode): void {
    const forwards = node.transit && !node.left;
    if (this.graph.isTransit(node.slot) !== forwards) this.backed.nodesTurned();
    this.graph.setTransit(node.slot, forwards);
  }

  backups(root: number, choice: HopChoice, before: BackupChoice, only: ReadonlySet<number> | null): BackupChoice {
    return this.backed.choose(root, choice, before, only);
  }

  /** See SteeringEngine.neighboursInUse. */
  neighboursInUse(index: number): ReadonlySet<number> | null {
    const node = this.nodes.get(index);
    if (node === undefined) return new Set();
    const inUse = node.table.neighbours();
    if (inUse === null) return null;
    const note = (slot: number) => void inUse.add(this.graph.indexOf(slot));
    for (const { rollout } of this.nodes.values()) rollout.eachNextHop(node.slot, note);
    return inUse;
  }

  /**
   * Rules of SPF towards `destination`: which nodes cannot be told, and what they certainly forward by. Valid until
   * something is decided for it.
   */
  rulesFor(destination: MeshNode, frozenNodes: readonly MeshNode[]): SpfRules {
    const { transitHopUs } = this.options.cost;
    const decidedHops = destination.rollout.wanted.nextHops;
    if (frozenNodes.length === 0) return { transitHopUs, frozen: null, inUse: decidedHops, banned: null };
    const inUse = decidedHops.slice();
    const frozen = new Uint8Array(this.graph.slotCount).fill(FREE);
    for (const node of frozenNodes) {
      if (node === destination) continue;
      const [source, a, b] = (['source', 'transitA', 'transitB'] as const).map((table) => {
        const hops = node.table.certain(rowKey(table, destination.index))?.nextHops ?? [];
        // a group is no next hop that a tree could have
        return hops.length === 1 || table === 'source' ? hops[0]?.neighbour : undefined;
      });
      const transits = a !== undefined && a === b;
      frozen[node.slot] = transits ? FROZEN : FROZEN_SOURCE;
      inUse[node.slot] = this.graph.slotOf((transits ? a : source) ?? 0) ?? -1;
    }
    return { transitHopUs, frozen, inUse, banned: null };
  }

  /** True where a node is not drained and can be told its group, or holds rows on both planes that go to the same next hops. */
  forwardsBy(node: MeshNode, destination: MeshNode): boolean {
    if (node.drained) return false;
    if (!node.table.frozen) return true;
    const wanted = destination.spread.get(node.slot) ?? [];
    const indices = new Set(wanted.map(({ slot }) => this.graph.indexOf(slot)));
    return (['transitA', 'transitB'] as const).every((table) => {
      const held = node.table.certain(rowKey(table, destination.index))?.nextHops ?? [];
      return held.length === indices.size && held.every(({ neighbour }) => indices.has(neighbour));
    });
  }

  /** Takes new groups for all destinations; true when they are not those of before. */
  takeSpreads(groups: LoadGroups): boolean {
    let changed = false;
    for (const node of this.nodes.values()) {
      const spread = spreadBySlot(this.graph, groups.get(node.index));
      if (sameSpread(spread, node.spread)) continue;
      node.spread = spread;
      changed = true;
    }
    return changed;
  }

  /** The groups towards a node, as far as links and nodes allow them now. */
  usableSpread(destination: MeshNode, tree: TreeRow): Spread {
    const { slot, spread } = destination;
    const forwards = (at: number): boolean => this.forwardsBy(this.at(at), destination);
    return usableSpread(this.graph, slot, spread, forwards, (at) => tree.hopOf(at) >= 0);
  }

  /**
   * Path that packets from a node take: slots, source first. Empty: none that is worth the name (the pair's link is
   * down and there is no way round; or one end was never there).
   */
  pathSlots(from: MeshNode, to: MeshNode): number[] {
    if (!from.everConnected || !to.everConnected) return [];
    const path = [from.slot];
    for (let v = from.slot; v !== to.slot; ) {
      v = to.rollout.committed.main(v);
      if (v < 0 || path.length > this.graph.nodeCount) {
        if (path.length > 1) return [];
        if (this.roles.of(from.index, to.index) === 'none') return [];
        return this.links.get(from.index, to.index)?.filter.health === 'down' ? [] : [from.slot, to.slot];
      }
      path.push(v);
    }
    return path;
  }

  /** What a detour must be proven against: null where there is no direct link, or none that is to stay. */
  directBand(from: number, to: number): DirectBand | null {
    return this.roles.of(from, to) === 'planned' ? (this.links.get(from, to)?.band ?? null) : null;
  }

  /** Cost terms of each link of a path of stable indices; null where a link is not up. */
  hopCosts(path: readonly number[]): CostTerms[] | null {
    const costs: CostTerms[] = [];
    for (let i = 1; i < path.length; i++) {
      const effective = this.links.get(path[i - 1] ?? 0, path[i] ?? 0)?.filter.effective;
      if (effective === undefined || effective === null) return null;
      costs.push(effective);
    }
    return costs.length === 0 ? null : costs;
  }

  /** The total of `costOf`, made without its terms. */
  totalUsOf(path: readonly number[]): number | null {
    if (path.length < 2) return null;
    let totalUs = (path.length - 2) * this.options.cost.transitHopUs;
    for (let i = 1; i < path.length; i++) {
      const effective = this.links.get(path[i - 1] ?? 0, path[i] ?? 0)?.filter.effective;
      if (effective === undefined || effective === null) return null;
      totalUs += effective.totalUs;
    }
    return totalUs;
  }

  costOf(path: readonly number[]): CostTerms | null {
    const costs = this.hopCosts(path);
    return costs === null ? null : pathCost(costs, this.options.cost);
  }
}
