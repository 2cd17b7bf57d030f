/**
 * The next hops of all nodes towards one destination: one each, or several with weights where load is spread. Numbers are
 * slots. Changed by its owner alone; a spread is a value that never changes.
 *
 * Whoever makes a spread sees to it that following any member from any node ends at the destination: no loop.
 */

import type { NextHop } from '../../protocol/route-table.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';

/** A member of a next-hop group. */
export interface SpreadMember {
  readonly slot: number;
  /** 1 to 256, a share of the sum of the group. */
  readonly weight: number;
}

/** Groups by slot of the node that sends, members in ascending order of slots. Others have their one next hop. */
export type Spread = ReadonlyMap<number, readonly SpreadMember[]>;

export const NO_SPREAD: Spread = new Map();

export class HopChoice {
  #nextHop: Int32Array;
  spread: Spread;

  /** Takes `nextHop` (by slot, -1: none) as its own. */
  constructor(nextHop: Int32Array = new Int32Array(0), spread: Spread = NO_SPREAD) {
    this.#nextHop = nextHop;
    this.spread = spread;
  }

  copy(): HopChoice {
    return new HopChoice(this.#nextHop.slice(), this.spread);
  }

  /** The one next hops by slot, for reading: what stands behind a group too. Another array after `addNode`. */
  get nextHops(): Int32Array {
    return this.#nextHop;
  }

  /** Changes the one next hop. */
  set(slot: number, hop: number): void {
    this.#nextHop[slot] = hop;
  }

  /** The one next hop where no group is used, -1: none. */
  nextHop(slot: number): number {
    return this.#nextHop[slot] ?? -1;
  }

  /** All next hops in use, with weights; empty: none. */
  members(slot: number): readonly SpreadMember[] {
    const members = this.spread.get(slot);
    if (members !== undefined) return members;
    const hop = this.nextHop(slot);
    return hop < 0 ? [] : [{ slot: hop, weight: 1 }];
  }

  /** The next hop that most packets take; of equal ones the lower slot. -1: none. */
  main(slot: number): number {
    const members = this.spread.get(slot);
    if (members === undefined) return this.nextHop(slot);
    let best = members[0];
    for (const member of members) if (best === undefined || member.weight > best.weight) best = member;
    return best?.slot ?? -1;
  }

  /** Writes the main next hop of every slot that `into` has room for. */
  mainHops(into: Int32Array): void {
    for (let slot = 0; slot < into.length; slot++) into[slot] = this.#nextHop[slot] ?? -1;
    for (const slot of this.spread.keys()) into[slot] = this.main(slot);
  }

  equalAt(other: HopChoice, slot: number): boolean {
    const [mine, theirs] = [this.spread.get(slot), other.spread.get(slot)];
    if (mine === undefined && theirs === undefined) return this.nextHop(slot) === other.nextHop(slot);
    return sameAt(this, other, slot, true);
  }

  /** The same next hops, whatever their weights: rows may then change without another plane. */
  sameHopsAt(other: HopChoice, slot: number): boolean {
    const [mine, theirs] = [this.spread.get(slot), other.spread.get(slot)];
    if (mine === undefined && theirs === undefined) return this.nextHop(slot) === other.nextHop(slot);
    return sameAt(this, other, slot, false);
  }

  /** Makes room for a slot, which has nothing yet. */
  addNode(slot: number): void {
    if (slot >= this.#nextHop.length) {
      const longer = new Int32Array(Math.max(16, slot + (slot >> 2) + 1)).fill(-1);
      longer.set(this.#nextHop);
      this.#nextHop = longer;
    }
    this.#nextHop[slot] = -1;
    if (!this.spread.has(slot)) return;
    const spread = new Map(this.spread);
    spread.delete(slot);
    this.spread = spread;
  }

  /**
   * Forgets a slot, also as a next hop of others; a group that loses its last member leaves nothing. The slots whose next
   * hops changed by that, without the slot itself.
   */
  removeNode(slot: number): number[] {
    const changed: number[] = [];
    const hops = this.#nextHop;
    if (slot < hops.length) hops[slot] = -1;
    for (let v = hops.indexOf(slot); v >= 0; v = hops.indexOf(slot, v + 1)) {
      hops[v] = -1;
      changed.push(v);
    }
    for (const [at, members] of this.spread) {
      if (at !== slot && members.some((member) => member.slot === slot)) changed.push(at);
    }
    this.spread = withoutMember(this.spread, slot);
    return changed;
  }

  /** Somebody's packets go through the slot, on their way to `root`. */
  passes(slot: number, root: number): boolean {
    if (slot === root) return false;
    const hops = this.#nextHop;
    for (let v = hops.indexOf(slot); v >= 0; v = hops.indexOf(slot, v + 1)) if (!this.spread.has(v)) return true;
    for (const members of this.spread.values()) if (members.some((member) => member.slot === slot)) return true;
    return false;
  }
}

/** Groups of stable indices by slot; nothing where a node of them is not known (any more). */
export function spreadBySlot(
  graph: CsrGraph,
  groups: Iterable<readonly [number, readonly NextHop[]]> | undefined,
): Spread {
  const spread = new Map<number, readonly SpreadMember[]>();
  for (const [from, hops] of groups ?? []) {
    const slot = graph.slotOf(from);
    const members: SpreadMember[] = [];
    for (const { neighbour, weight } of hops) {
      const at = graph.slotOf(neighbour);
      if (at === undefined) return NO_SPREAD;
      members.push({ slot: at, weight: hops.length === 1 ? 1 : weight });
    }
    if (slot === undefined || members.length === 0) return NO_SPREAD;
    members.sort((a, b) => a.slot - b.slot);
    spread.set(slot, members);
  }
  return spread.size === 0 ? NO_SPREAD : spread;
}

export function sameSpread(a: Spread, b: Spread): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  const [left, right] = [new HopChoice(EMPTY, a), new HopChoice(EMPTY, b)];
  for (const slot of a.keys()) if (!b.has(slot) || !left.equalAt(right, slot)) return false;
  return true;
}

const EMPTY = new Int32Array(0);

/** A spread without a node; the same value where it has no part in it. */
export function withoutMember(spread: Spread, slot: number): Spread {
  const kept = new Map<number, readonly SpreadMember[]>();
  let touched = spread.has(slot);
  for (const [at, members] of spread) {
    const others = members.filter((member) => member.slot !== slot);
    if (others.length < members.length) touched = true;
    if (at !== slot && others.length > 0) kept.set(at, others);
  }
  if (!touched) return spread;
  return kept.size === 0 ? NO_SPREAD : kept;
}

/** The same next hops with the same weights. */
export function sameMembers(a: readonly SpreadMember[], b: readonly SpreadMember[]): boolean {
  return a.length === b.length && a.every((m, i) => m.slot === b[i]?.slot && m.weight === b[i]?.weight);
}

function sameAt(a: HopChoice, b: HopChoice, slot: number, weights: boolean): boolean {
  const [left, right] = [a.members(slot), b.members(slot)];
  return (
    left.length === right.length &&
    left.every((member, i) => {
      const other = right[i];
      return member.slot === other?.slot && (!weights || member.weight === other.weight);
    })
  );
}
