/**
 * The next hops of all nodes towards one destination: one each, or several with weights where load is spread. Values of
 * one choice never change; numbers are slots.
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
  readonly #nextHop: Int32Array;
  readonly spread: Spread;

  /** Copies `nextHop` (by slot, -1: none). */
  constructor(nextHop: Int32Array = new Int32Array(0), spread: Spread = NO_SPREAD) {
    this.#nextHop = nextHop.slice();
    this.spread = spread;
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

  /** With room for a slot that has nothing yet. */
  withNode(slot: number): HopChoice {
    const nextHop = new Int32Array(Math.max(16, this.#nextHop.length, slot + 1)).fill(-1);
    nextHop.set(this.#nextHop);
    nextHop[slot] = -1;
    if (!this.spread.has(slot)) return new HopChoice(nextHop, this.spread);
    const spread = new Map(this.spread);
    spread.delete(slot);
    return new HopChoice(nextHop, spread);
  }

  /** Without a slot, also as a next hop of others; a group that loses its last member leaves nothing. */
  withoutNode(slot: number): HopChoice {
    const nextHop = this.#nextHop.map((hop, at) => (hop === slot || at === slot ? -1 : hop));
    return new HopChoice(nextHop, withoutMember(this.spread, slot));
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
