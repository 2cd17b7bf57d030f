/**
 * The leaves of a running core. The mesh engine steers the transit nodes; a leaf hangs off one of them, its home:
 *
 *   report of a leaf's link -> leaf/leaf-links.ts -> leaf/leaf-homes.ts -> its own table (leaf-rows.ts)        -> delta
 *                                                                      -> rows towards it at transit nodes   -> deltas
 *
 * The rows towards a leaf follow those towards its home and end there: a rollout of their own (leaf-rollout.ts), on a
 * plane of their own, so that no packet to a leaf that moves meets old and new rows. What a leaf sends is put on a plane by its
 * home (the uplink, docs/data-plane.md), so its own default moves at once. Pure.
 */

import type { AddressRanges } from '../../protocol/address-plan.ts';
import type { PathChange } from '../../protocol/api.ts';
import { type NextHop, type RowKey, rowKeyText } from '../../protocol/route-table.ts';
import { NO_TRANSIT } from '../leaf/leaf-links.ts';
import type { MeshGuest } from '../mesh-guest.ts';
import type { MeshState } from '../mesh-state.ts';
import { HopChoice, spreadBySlot } from '../rib/hop-choice.ts';
import { NodeTable } from '../rollout/node-table.ts';
import { RowContents } from '../rollout/row-contents.ts';
import { RowDictionary } from '../rollout/row-dictionary.ts';
import type { SteeringAction } from '../steering-engine-port.ts';
import { homeChange } from './home-change.ts';
import { LaterLeaves } from './later-leaves.ts';
import { LeafBook } from './leaf-book.ts';
import type { LeafMember } from './leaf-member.ts';
import { DELIVER, LeafRollout } from './leaf-rollout.ts';
import { leafRows } from './leaf-rows.ts';
import { LeafSessionKeeper } from './leaf-session-keeper.ts';
import { PathCosts } from './path-costs.ts';

/** A newcomer takes the first transit node that answers, then the nearest of those that do. */
const FIRST_HOME_MS = 30_000;

export interface HomedLeavesDeps {
  readonly mesh: MeshState;
  readonly toUnixMs: (monoMs: number) => number;
}

/** Groups by node index of who sends. */
export type Groups = Iterable<readonly [number, readonly NextHop[]]>;

export class HomedLeaves implements MeshGuest {
  readonly book: LeafBook;
  readonly #deps: HomedLeavesDeps;
  readonly #sessions: LeafSessionKeeper;
  /** What rows of leaves say: few things, and each leaf names destinations of its own. */
  readonly #contents = new RowContents();
  readonly #wholeBits: number;
  readonly #defaultKey: RowKey;
  /** Leaves towards which rows are on their way. */
  readonly #rolling = new Set<LeafMember>();
  /** Leaves that the last step told something, or moved the rows towards. */
  readonly #told = new Set<LeafMember>();
  readonly #changes: PathChange[] = [];
  #onRestored: ((nowMs: number) => void) | null = null;
  /** Leaves whose own tables are looked at when there is time. */
  readonly #later = new LaterLeaves();
  #allDirty = true;

  constructor(deps: HomedLeavesDeps, ranges: Pick<AddressRanges, 'maxIndex'>) {
    this.#deps = deps;
    this.#wholeBits = Math.ceil(Math.log2(ranges.maxIndex + 2));
    this.#defaultKey = { table: 'source', destination: 0, blockBits: this.#wholeBits };
    this.book = new LeafBook(deps.mesh, 2 ** this.#wholeBits);
    this.#sessions = new LeafSessionKeeper(this.book);
  }

  // ---- transit nodes

  /** A transit node is there, and takes so many leaves; 0: none, and those it has leave. */
  transitAdded(index: number, capacity: number, nowMs: number): void {
    const node = this.#deps.mesh.nodes.get(index);
    if (node === undefined) return;
    if (!this.book.setCapacity(index, capacity, nowMs)) {
      for (const leaf of this.book.leaves.values()) this.#roll(leaf, (rollout) => rollout.addNode(node.slot));
    }
    this.#allDirty = true;
    this.#sessions.wakeAll(nowMs);
  }

  /** It stops forwarding, for now: its leaves move while it goes on. `transitAdded` takes it back. */
  transitLeaving(index: number, nowMs: number): void {
    if (!this.book.knows(index)) return;
    this.book.transitLeaving(index, nowMs);
    this.#sessions.wakeAll(nowMs);
  }

  transitConnected(index: number, nowMs: number): void {
    this.book.transitBack(index, nowMs);
    this.#sessions.wakeAll(nowMs);
  }

  /** Before the mesh forgets it. */
  transitRemoved(index: number, nowMs: number): void {
    const node = this.#deps.mesh.nodes.get(index);
    if (node === undefined) return;
    this.book.transitRemoved(index, nowMs);
    for (const leaf of this.book.leaves.values()) this.#roll(leaf, (rollout) => rollout.removeNode(node.slot));
    this.#sessions.wakeAll(nowMs);
  }

  // ---- leaves

  add(index: number, name: string, nowMs: number): LeafMember {
    const known = this.book.leaves.get(index);
    if (known !== undefined) {
      known.name = name;
      return known;
    }
    const { mesh } = this.#deps;
    const leaf: LeafMember = {
      index,
      name,
      joinedMs: nowMs,
      everConnected: false,
      table: new NodeTable(mesh.options.table, new RowDictionary(this.#contents)),
      rows: [],
      rollout: new LeafRollout(index, mesh, (transit) => this.book.costUs(leaf, transit) !== null),
      links: new Map(),
      knownRttUs: new Map(),
      demands: [],
      exceptions: new Map(),
      homeSinceMs: nowMs,
      uplinkChangedMs: Number.NEGATIVE_INFINITY,
      planDueMs: nowMs,
      roundAtMs: null,
    };
    this.book.leaves.set(index, leaf);
    this.#sessions.wake(leaf, nowMs);
    this.book.revision++;
    return leaf;
  }

  remove(index: number, nowMs: number): void {
    const leaf = this.book.leaves.get(index);
    if (leaf === undefined) return;
    for (const transit of [...leaf.links.keys()]) this.book.close(index, transit, nowMs);
    this.#sessions.remove(index);
    this.book.homes.remove(index);
    for (const node of this.#deps.mesh.nodes.values()) for (const key of keysOf(index)) node.table.unwant(key);
    this.book.leaves.delete(index);
    this.#told.delete(leaf);
    this.#rolling.delete(leaf);
    this.#later.delete(leaf);
    this.book.dirty.delete(leaf);
    this.book.unsettled.delete(leaf);
    this.book.revision++;
  }

  connected(index: number, generation: bigint, checksum: bigint, nowMs: number): void {
    const leaf = this.book.leaves.get(index);
    if (leaf === undefined) return;
    leaf.table.connect(generation, checksum);
    this.book.unsettled.add(leaf);
    leaf.everConnected = true;
    this.#sessions.wake(leaf, nowMs);
    // at once, since without a peer it is cut off while a core that has just started waits for others
    if (leaf.links.size === 0) this.#sessions.planNow(leaf, nowMs);
    this.book.dirty.add(leaf);
    this.book.revision++;
  }

  demanded(index: number, demands: LeafMember['demands']): void {
    const leaf = this.book.leaves.get(index);
    if (leaf === undefined) return;
    leaf.demands = [...demands].sort((a, b) => b.bytesPerSecond - a.bytesPerSecond || a.peerIndex - b.peerIndex);
    this.book.dirty.add(leaf);
  }

  // ---- what others read

  /** What a successor must know of the last step: the leaves that were told something, and those towards which rows moved. */
  get told(): ReadonlySet<LeafMember> {
    return this.#told;
  }

  /** Packets from or to leaves may meet the transit node. */
  isMet(index: number, nowMs: number): boolean {
    const slot = this.#deps.mesh.graph.slotOf(index);
    if (slot === undefined) return false;
    if ((this.book.homes.load[slot] ?? 0) > 0) return true;
    const { drainMs } = this.#deps.mesh.options.rollout;
    for (const leaf of this.book.leaves.values()) {
      if (leaf.rollout.meets(slot)) return true;
      if (!leaf.links.has(index)) continue;
      // what the leaf holds, as far as it can be told
      if (leaf.table.connected && this.#holdsWay(leaf, index)) return true;
      if (nowMs < leaf.uplinkChangedMs + drainMs) return true;
    }
    return false;
  }

  // ---- work, inside the mesh's step

  get dueMs(): number {
    let dueMs = Math.min(this.book.homes.dueMs, this.#sessions.dueMs, this.#later.dueMs);
    for (const leaf of this.#rolling) dueMs = Math.min(dueMs, leaf.rollout.dueMs);
    for (const leaf of this.book.unsettled) dueMs = Math.min(dueMs, leaf.table.dueMs);
    return dueMs;
  }

  /** What is to be done once the mesh's own saved state is in place. */
  onRestored(take: (nowMs: number) => void): void {
    this.#onRestored = take;
  }

  restored(nowMs: number): void {
    this.#onRestored?.(nowMs);
    this.#onRestored = null;
  }

  settle(nowMs: number, decided: boolean): void {
    this.#told.clear();
    this.book.homes.tick(nowMs);
    const moved = this.book.homes.takeChanged();
    for (const index of moved) this.#homeChanged(index, nowMs);
    this.#followHomes(decided || this.#allDirty ? this.book.leaves.keys() : moved);
    for (const leaf of [...this.#rolling]) {
      const { phase: before, committed } = leaf.rollout;
      leaf.rollout.advance(nowMs);
      if (leaf.rollout.committed !== committed) this.#told.add(leaf);
      if (leaf.rollout.phase === 'idle') this.#rolling.delete(leaf);
      if (leaf.rollout.phase !== before) this.book.revision++;
    }
    if (nowMs >= this.#sessions.dueMs) this.#sessions.plan(nowMs);
    // costs behind the transit nodes are others
    if (decided || this.#allDirty) for (const leaf of this.book.leaves.values()) this.#later.add(leaf);
    this.#allDirty = false;
    this.#writeTables(nowMs);
    for (const leaf of this.book.unsettled) {
      leaf.table.tick(nowMs);
      // what is settled holds its default; what is not connected is looked at when it is
      if (leaf.table.converged || !leaf.table.connected) this.book.unsettled.delete(leaf);
      else if (!leaf.table.holdsWanted(this.#defaultKey)) leaf.uplinkChangedMs = nowMs;
    }
  }

  takeActions(nowMs: number, nextGeneration: () => bigint): SteeringAction[] {
    const actions: SteeringAction[] = this.#changes.splice(0).map((change) => ({ kind: 'pathChanged', change }));
    const changed = [...this.book.sessionsChanged].sort(([a], [b]) => a - b);
    this.book.sessionsChanged.clear();
    for (const [index, peers] of changed) actions.push({ kind: 'sessionsChanged', index, peers });
    for (const leaf of [...this.book.unsettled].sort((a, b) => a.index - b.index)) {
      const delta = leaf.table.takeDelta(nowMs, nextGeneration);
      if (delta === null) continue;
      actions.push({ kind: 'sendDelta', index: leaf.index, delta });
      this.#told.add(leaf);
      this.book.revision++;
    }
    return actions;
  }

  // ---- inside

  /** Puts a leaf back where it hung before a restart. */
  restoreHome(
    leaf: LeafMember,
    home: number,
    plane: 'a' | 'b',
    nextHops: ReadonlyMap<number, number>,
    spread: Groups,
    nowMs: number,
  ): void {
    const { graph } = this.#deps.mesh;
    const slot = graph.slotOf(home);
    if (slot === undefined) return;
    this.book.homes.place(leaf.index, slot);
    this.book.homes.takeChanged();
    const committed = new Int32Array(graph.slotCount).fill(-1);
    for (const [from, hop] of nextHops) {
      const at = graph.slotOf(from);
      const to = hop === leaf.index ? DELIVER : graph.slotOf(hop);
      if (at !== undefined && to !== undefined) committed[at] = to;
    }
    leaf.rollout.import(plane, new HopChoice(committed, spreadBySlot(graph, spread)), nowMs);
    this.#rolling.add(leaf);
  }

  /** Next hops that the sources use towards the leaf, by node index. */
  *nextHopsTo(leaf: LeafMember): IterableIterator<[number, number]> {
    const { graph } = this.#deps.mesh;
    for (const slot of graph.slots()) {
      const hop = leaf.rollout.committed.nextHop(slot);
      if (hop >= 0) yield [graph.indexOf(slot), hop === DELIVER ? leaf.index : graph.indexOf(hop)];
    }
  }

  /** Groups that the sources use towards the leaf, by node index. */
  *groupsTo(leaf: LeafMember): IterableIterator<[number, NextHop[]]> {
    const { graph } = this.#deps.mesh;
    for (const [slot, members] of leaf.rollout.committed.spread) {
      yield [graph.indexOf(slot), members.map((m) => ({ neighbour: graph.indexOf(m.slot), weight: m.weight }))];
    }
  }

  #homeChanged(index: number, nowMs: number): void {
    const leaf = this.book.leaves.get(index);
    if (leaf === undefined) return;
    const { graph, log } = this.#deps.mesh;
    this.book.revision++;
    this.book.dirty.add(leaf);
    if (nowMs < leaf.joinedMs + FIRST_HOME_MS) this.book.homes.forgiveLast(index);
    leaf.homeSinceMs = nowMs;
    const slot = [...graph.slots()].find((at) => leaf.rollout.wanted.nextHop(at) === DELIVER);
    const was = slot === undefined ? undefined : graph.indexOf(slot);
    const home = this.book.homeOf(index);
    // back before anything was done about the move
    if (was === home) return;
    this.#changes.push(log.append(homeChange(this.book, leaf, was, home, this.#deps.toUnixMs(nowMs))));
  }

  /** Gives the rows towards each leaf the next hops that are decided towards its home. */
  #followHomes(indices: Iterable<number>): void {
    const { mesh } = this.#deps;
    const towards = new Map<number, HopChoice>();
    for (const index of indices) {
      const leaf = this.book.leaves.get(index);
      const slot = this.book.homes.home[index] ?? NO_TRANSIT;
      // without a home nothing better is known than what there is
      if (leaf === undefined || slot === NO_TRANSIT) continue;
      let way = towards.get(slot);
      if (way === undefined) {
        const hops = new Int32Array(mesh.graph.slotCount).fill(-1);
        const { wanted } = mesh.at(slot).rollout;
        for (const v of mesh.graph.slots()) hops[v] = v === slot ? DELIVER : wanted.nextHop(v);
        way = new HopChoice(hops, wanted.spread);
        towards.set(slot, way);
      }
      let differs = false;
      for (const v of mesh.graph.slots()) if (!leaf.rollout.wanted.equalAt(way, v)) differs = true;
      if (!differs) continue;
      leaf.rollout.decide(way.copy());
      this.#rolling.add(leaf);
    }
  }

  #writeTables(nowMs: number): void {
    for (const leaf of this.#later.take(nowMs)) this.book.dirty.add(leaf);
    const costs = new PathCosts((transit, destination) => this.book.pathCostUs(transit, destination));
    for (const leaf of this.book.dirty) this.#writeRows(leaf, costs);
    this.book.dirty.clear();
  }

  #writeRows(leaf: LeafMember, costs: PathCosts): void {
    const { mesh } = this.#deps;
    const home = this.book.homeOf(leaf.index);
    if (home === undefined) return;
    const { cost, incumbency } = mesh.options;
    const ways = [...leaf.links.keys()].flatMap((transit) => {
      const costUs = this.book.costUs(leaf, transit);
      return costUs === null || this.book.capacityOf(transit) === 0 ? [] : [{ transit, costUs }];
    });
    const { rows, chosen } = leafRows({
      home,
      ways,
      costUs: (transit, destination) => costs.us(transit, this.book.transitOf(destination)),
      demands: leaf.demands.map((demand) => demand.peerIndex).filter((index) => index !== leaf.index),
      before: leaf.exceptions,
      transitHopUs: cost.transitHopUs,
      gainUs: incumbency.marginUs,
      gainRatio: incumbency.marginRatio,
      wholeBits: this.#wholeBits,
    });
    leaf.exceptions.clear();
    for (const [destination, via] of chosen) leaf.exceptions.set(destination, via);
    const keys = new Set(rows.map(rowKeyText));
    for (const row of leaf.rows) if (!keys.has(rowKeyText(row))) leaf.table.unwant(row);
    for (const row of rows) leaf.table.want(row);
    leaf.rows = rows;
    this.book.unsettled.add(leaf);
  }

  #holdsWay(leaf: LeafMember, transit: number): boolean {
    if (!leaf.table.holdsWanted(this.#defaultKey)) return true;
    return leaf.rows.some(
      (row) => row.destination !== transit && row.nextHops.some((hop) => hop.neighbour === transit),
    );
  }

  #roll(leaf: LeafMember, change: (rollout: LeafRollout) => void): void {
    change(leaf.rollout);
    this.#rolling.add(leaf);
  }
}

function keysOf(destination: number): RowKey[] {
  return (['source', 'transitA', 'transitB'] as const).map((table) => ({ table, destination, blockBits: 0 }));
}
