/**
 * Who hangs where: the leaves, their sessions with transit nodes, what both ends say of those, and the homes that follow
 * (leaf/leaf-links.ts, leaf/leaf-homes.ts). Node indices outside, slots of the graph inside.
 */
import { LeafHomes } from '../leaf/leaf-homes.ts';
import { DOWN, LeafLinks, NO_TRANSIT } from '../leaf/leaf-links.ts';
import { linkCost } from '../link-state/link-cost.ts';
import { isAbsurd } from '../link-state/link-state.ts';
import type { MeshState } from '../mesh-state.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import { type LeafMember, rttOf } from './leaf-member.ts';

/** Reports that were not believed. */
export interface LeafCounters {
  unknownPeer: number;
  noSession: number;
  absurdValue: number;
}

export class LeafBook {
  readonly mesh: MeshState;
  readonly leaves = new Map<number, LeafMember>();
  readonly counters: LeafCounters = { unknownPeer: 0, noSession: 0, absurdValue: 0 };
  readonly links: LeafLinks;
  readonly homes: LeafHomes;
  /** Leaves whose own tables are to be looked at. */
  readonly dirty = new Set<LeafMember>();
  /** Leaves whose own tables are not known to be what is wanted: all that a step has to ask for deltas. */
  readonly unsettled = new Set<LeafMember>();
  /** Nodes that are to hold other sessions than before: for each the other ends, and whether the session is held. */
  readonly sessionsChanged = new Map<number, Map<number, boolean>>();
  /** Rises with whatever is worth saving. */
  revision = 0;
  /** Leaves that each transit node has sessions with, by node index. */
  readonly #leavesOf = new Map<number, Set<number>>();
  readonly #capacity = new Map<number, number>();
  /** Transit nodes that said goodbye: no leaves until they are back. */
  readonly #leaving = new Set<number>();

  /** Room for node indices below `capacity`. */
  constructor(mesh: MeshState, capacity: number) {
    this.mesh = mesh;
    this.links = new LeafLinks(capacity);
    this.homes = new LeafHomes(this.links);
  }

  // ---- transit nodes

  /** Leaves that a transit node may have; 0: none, and those it has leave. False: it was not known before. */
  setCapacity(transit: number, leaves: number, nowMs: number): boolean {
    const known = this.#capacity.has(transit);
    this.#leaving.delete(transit);
    this.#capacity.set(transit, leaves);
    this.homes.setCapacity(this.#slotOf(transit), leaves, nowMs);
    // those that could not have it may now
    for (const leaf of this.#leavesOf.get(transit) ?? []) this.review(leaf, nowMs);
    return known;
  }

  /** It stops forwarding: its leaves move while it goes on. */
  transitLeaving(transit: number, nowMs: number): void {
    this.#leaving.add(transit);
    this.homes.setCapacity(this.#slotOf(transit), 0, nowMs);
  }

  /** It has a session again: takes leaves as it said. */
  transitBack(transit: number, nowMs: number): void {
    const leaves = this.#capacity.get(transit);
    if (leaves !== undefined) this.setCapacity(transit, leaves, nowMs);
  }

  /** It cannot be told of newcomers: those that it has may stay, and what it said of them is not kept. */
  transitSilent(transit: number, nowMs: number): void {
    const slot = this.#slotOf(transit);
    if (slot === NO_TRANSIT) return;
    for (const leaf of this.#leavesOf.get(transit) ?? []) {
      const words = this.leaves.get(leaf)?.links.get(transit);
      if (words === undefined || words.theirs === null) continue;
      words.theirs = null;
      if (this.links.forget(leaf, slot, 'transit')) this.review(leaf, nowMs);
    }
    this.homes.setCapacity(slot, Math.min(this.capacityOf(transit), this.homes.load[slot] ?? 0), nowMs);
  }

  /** Before the mesh forgets it. */
  transitRemoved(transit: number, nowMs: number): void {
    for (const leaf of [...(this.#leavesOf.get(transit) ?? [])]) this.close(leaf, transit, nowMs);
    this.setCapacity(transit, 0, nowMs);
    this.#capacity.delete(transit);
    this.#leaving.delete(transit);
    this.#leavesOf.delete(transit);
    for (const leaf of this.leaves.values()) leaf.knownRttUs.delete(transit);
  }

  knows(transit: number): boolean {
    return this.#capacity.has(transit);
  }

  capacityOf(transit: number): number {
    return this.#leaving.has(transit) ? 0 : (this.#capacity.get(transit) ?? 0);
  }

  /** Leaves whose home a transit node is. */
  loadOf(transit: number): number {
    return this.homes.load[this.#slotOf(transit)] ?? 0;
  }

  // ---- leaves

  /** The transit node that a leaf hangs off; undefined: none. */
  homeOf(leaf: number): number | undefined {
    const slot = this.homes.home[leaf] ?? NO_TRANSIT;
    return slot === NO_TRANSIT ? undefined : this.mesh.graph.indexOf(slot);
  }

  /** Nodes that hold a session with it, a leaf or a transit node, as far as leaves are concerned. */
  peersOf(index: number): Iterable<number> {
    return this.leaves.get(index)?.links.keys() ?? this.#leavesOf.get(index) ?? [];
  }

  /** Cost of a leaf's link to a transit node, in microseconds; null: down, unmeasured, or none. */
  costUs(leaf: LeafMember, transit: number): number | null {
    const at = this.links.find(leaf.index, this.#slotOf(transit));
    const costUs = at < 0 ? 0 : (this.links.cost[at] ?? 0);
    return costUs === 0 || costUs === DOWN ? null : costUs;
  }

  /** The transit node by which a node is reached: itself, or a leaf's home; undefined: it has none. */
  transitOf(destination: number): number | undefined {
    return this.leaves.has(destination) ? this.homeOf(destination) : destination;
  }

  /** Cost of the path from one transit node to another, in microseconds; Infinity: there is none. */
  pathCostUs(transit: number, target: number): number {
    const { graph, options } = this.mesh;
    const node = this.mesh.nodes.get(target);
    let at = graph.slotOf(transit);
    if (at === undefined || node === undefined) return Number.POSITIVE_INFINITY;
    let costUs = 0;
    for (let hops = 0; at !== node.slot; hops++) {
      const next = node.rollout.wanted.main(at);
      if (next < 0 || hops > graph.nodeCount) return Number.POSITIVE_INFINITY;
      costUs += graph.weight(at, next) + (next === node.slot ? 0 : options.cost.transitHopUs);
      at = next;
    }
    return costUs;
  }

  /** Opens a session. False: the leaf has it, or has as many as it may. */
  open(leaf: LeafMember, transit: number, nowMs: number): boolean {
    if (!this.links.open(leaf.index, this.#slotOf(transit))) return false;
    leaf.links.set(transit, { own: null, theirs: null, openedMs: nowMs });
    const leaves = this.#leavesOf.get(transit) ?? new Set<number>();
    this.#leavesOf.set(transit, leaves.add(leaf.index));
    this.#sessionChanged(leaf.index, transit, true);
    this.revision++;
    return true;
  }

  close(index: number, transit: number, nowMs: number): void {
    const leaf = this.leaves.get(index);
    if (leaf === undefined || !leaf.links.delete(transit)) return;
    this.#leavesOf.get(transit)?.delete(index);
    this.#sessionChanged(index, transit, false);
    this.links.close(index, this.#slotOf(transit));
    this.revision++;
    this.review(index, nowMs);
  }

  /**
   * Takes what one end says about links. A link without a session is not believed: who reports it holds no key for it, or
   * speaks of another mesh.
   */
  reported(from: number, observations: readonly LinkObservation[], nowMs: number): void {
    const isLeaf = this.leaves.has(from);
    const touched = new Set<number>();
    for (const observation of observations) {
      const peer = observation.peerIndex;
      const [leaf, transit] = isLeaf ? [from, peer] : [peer, from];
      const member = this.leaves.get(leaf);
      if (member === undefined || !this.mesh.nodes.has(transit)) this.counters.unknownPeer++;
      else if (!member.links.has(transit)) this.counters.noSession++;
      else if (isAbsurd(observation)) this.counters.absurdValue++;
      else if (this.take(member, transit, isLeaf ? 'leaf' : 'transit', observation, nowMs)) touched.add(leaf);
    }
    // once all that was said at one time is known: the home is not left because the others were named first
    for (const leaf of touched) this.review(leaf, nowMs);
  }

  /** Takes one end's word into the costs. True when the cost that counts changed. */
  take(leaf: LeafMember, transit: number, end: 'leaf' | 'transit', said: LinkObservation, nowMs: number): boolean {
    const words = leaf.links.get(transit);
    if (words === undefined) return false;
    words[end === 'leaf' ? 'own' : 'theirs'] = { observation: said, atMs: nowMs };
    const rttUs = rttOf(words);
    if (rttUs !== null) leaf.knownRttUs.set(transit, rttUs);
    const costUs = costOf(said, this.mesh);
    return costUs !== undefined && this.links.report(leaf.index, this.#slotOf(transit), end, costUs);
  }

  review(leaf: number, nowMs: number): void {
    this.homes.review(leaf, nowMs);
    const member = this.leaves.get(leaf);
    if (member !== undefined) this.dirty.add(member);
  }

  #sessionChanged(leaf: number, transit: number, isHeld: boolean): void {
    for (const [node, other] of [
      [leaf, transit],
      [transit, leaf],
    ] as const) {
      const peers = this.sessionsChanged.get(node) ?? new Map<number, boolean>();
      this.sessionsChanged.set(node, peers.set(other, isHeld));
    }
  }

  #slotOf(transit: number): number {
    return this.mesh.graph.slotOf(transit) ?? NO_TRANSIT;
  }
}

/** Undefined: nothing was measured. Null: down. */
function costOf(o: LinkObservation, mesh: MeshState): number | null | undefined {
  if (o.health === 'down') return null;
  if (o.health === 'unmeasured' || o.rttUs === null) return undefined;
  const [out, back] = [o.lossOutPpm ?? 0, o.lossInPpm ?? 0];
  const lossPpm = 1_000_000 - ((1_000_000 - out) * (1_000_000 - back)) / 1_000_000;
  return linkCost({ rttUs: o.rttUs, jitterUs: o.jitterUs, lossPpm, loadUs: 0 }, mesh.options.cost).totalUs;
}
