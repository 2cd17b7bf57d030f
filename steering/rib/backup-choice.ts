/**
 * The backups of all nodes towards one destination, by the next hops in use: for each node the neighbour to which it sends
 * at once, by itself, when its next hop or the link to it fails (a loop-free alternate, RFC 5286; see spf/backup). What is
 * chosen once is kept while it protects as well as any other, so that rows change only where they must.
 *
 * Where load is spread, a node has several next hops: a backup is then for when all of them fail, and all ways on from it
 * count.
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import { LINK, NODE } from '../spf/backup/loop-free-alternates.ts';
import { NextHopTree } from '../spf/backup/next-hop-tree.ts';
import type { HopChoice } from './hop-choice.ts';

export interface BackupChoice {
  /** By slot: the backup's slot, -1: none. Slots beyond the end have none. Not to be changed. */
  readonly backup: Int32Array;
  /** By slot: LINK, and NODE where the backup also avoids every next hop; 0 without backup. */
  readonly protection: Uint8Array;
}

export const NO_BACKUPS: BackupChoice = { backup: new Int32Array(0), protection: new Uint8Array(0) };

/** What a choice is made from. `graph` and `choice` are read only. */
export interface BackupInput {
  readonly graph: CsrGraph;
  /** Slot of the destination. */
  readonly root: number;
  readonly choice: HopChoice;
  readonly transitHopUs: number;
  /** False for a pair of slots whose link is to go: nobody's backup, or it would stay for that alone. */
  readonly isKept: (slot: number, other: number) => boolean;
  /** What was chosen before. */
  readonly before: BackupChoice;
  /** Only these slots are looked at, all others keep what they have. Null: all; needed when `choice` is another one. */
  readonly only: ReadonlySet<number> | null;
}

/** Ordered pairs of nodes whose packets have a next hop, by what the backup in the source's row protects from. */
export interface BackupCounts {
  /** The next hop is the destination: a link to protect from, and no node. */
  readonly direct: { readonly pairs: number; readonly link: number };
  /** `link` counts backups of either kind, `node` those that also avoid the next hop. */
  readonly detour: { readonly pairs: number; readonly link: number; readonly node: number };
}

const scratch = new NextHopTree();
let mainHops = new Int32Array(0);
let distance = new Float64Array(0);

/** O(nodes), and O(degree) for each node that has no backup of the best kind from before. `before` itself where it holds. */
export function chooseBackups(input: BackupInput): BackupChoice {
  const { graph, root, choice, before, only } = input;
  const slots = graph.slotCount;
  const looked = only === null ? graph.slots() : [...only].filter((slot) => slot !== root && mayChange(input, slot));
  if (Array.isArray(looked) && looked.length === 0) return before;
  if (mainHops.length < slots) {
    mainHops = new Int32Array(2 * slots);
    distance = new Float64Array(2 * slots);
  }
  choice.mainHops(mainHops.subarray(0, slots));
  scratch.loadTree(root, slots, { distance, nextHop: mainHops });
  measure(input);
  const backup = new Int32Array(slots).fill(-1);
  const protection = new Uint8Array(slots);
  if (only !== null) {
    backup.set(before.backup.subarray(0, slots));
    protection.set(before.protection.subarray(0, slots));
  }
  for (const slot of looked) {
    const isThere = slot !== root && (scratch.enter[slot] ?? -1) >= 0;
    const chosen = isThere ? backupOf(input, slot, before.backup[slot] ?? -1) : -1;
    backup[slot] = chosen;
    protection[slot] = chosen < 0 ? 0 : protectionOf(input, slot, chosen);
  }
  return { backup, protection };
}

/** Puts what the paths in use cost now into `distance`: it ranks backups that protect alike. */
function measure({ graph, root, transitHopUs }: BackupInput): void {
  distance.fill(Number.POSITIVE_INFINITY);
  distance[root] = 0;
  for (let i = 1; i < scratch.reached; i++) {
    const slot = scratch.order[i] ?? 0;
    const hop = scratch.nextHop[slot] ?? 0;
    distance[slot] = (distance[hop] ?? 0) + graph.weight(slot, hop) + (hop === root ? 0 : transitHopUs);
  }
}

/** False where the backup is there and nothing could protect better, as long as the next hops are those of before. */
function mayChange(input: BackupInput, slot: number): boolean {
  const { root, choice, before } = input;
  const kept = before.backup[slot] ?? -1;
  if (kept < 0 || !isLinked(input, slot, kept)) return choice.main(slot) >= 0;
  return ((before.protection[slot] ?? 0) & NODE) === 0 && !isDirect(choice, slot, root);
}

/** There is a link from `slot` to `other`, and it is to stay. */
function isLinked({ graph, isKept }: BackupInput, slot: number, other: number): boolean {
  return graph.weight(slot, other) !== Number.POSITIVE_INFINITY && isKept(slot, other);
}

/** A node beside the destination is protected as well as it can be by any backup. */
function isDirect(choice: HopChoice, slot: number, root: number): boolean {
  if (!choice.spread.has(slot)) return choice.nextHop(slot) === root;
  return choice.members(slot).every((member) => member.slot === root);
}

/** Without a node that is removed, also as a backup of others. */
export function withoutBackup({ backup, protection }: BackupChoice, slot: number): BackupChoice {
  const isGone = (at: number): boolean => at === slot || backup[at] === slot;
  return {
    backup: backup.map((chosen, at) => (isGone(at) ? -1 : chosen)),
    protection: protection.map((bits, at) => (isGone(at) ? 0 : bits)),
  };
}

/** Slots whose rows differ between the two. */
export function changedBackups(a: BackupChoice, b: BackupChoice): number[] {
  const changed: number[] = [];
  for (let slot = 0; slot < Math.max(a.backup.length, b.backup.length); slot++) {
    if ((a.backup[slot] ?? -1) !== (b.backup[slot] ?? -1)) changed.push(slot);
  }
  return changed;
}

function backupOf(input: BackupInput, slot: number, kept: number): number {
  const { graph, root, choice, transitHopUs } = input;
  const stays = kept >= 0 && isLinked(input, slot, kept);
  const keptBits = stays ? protectionOf(input, slot, kept) : 0;
  if ((keptBits & NODE) !== 0 || (keptBits !== 0 && isDirect(choice, slot, root))) return kept;
  const { start, length, transitLength, neighbour, weight } = graph.out;
  const end = (start[slot] ?? 0) + ((graph.isTransit(root) ? transitLength : length)[slot] ?? 0);
  const own = distance[slot] ?? 0;
  let best = -1;
  let bestRank = keptBits === 0 ? -1 : rankOf(keptBits, false);
  let bestCost = Number.POSITIVE_INFINITY;
  for (let k = start[slot] ?? 0; k < end; k++) {
    const other = neighbour[k] ?? 0;
    const bits = protectionOf(input, slot, other);
    if (bits === 0 || !input.isKept(slot, other)) continue;
    const rest = distance[other] ?? Number.POSITIVE_INFINITY;
    const rank = rankOf(bits, rest < own);
    // what was there before goes only for one that protects better
    if (rank < bestRank || (rank === bestRank && best < 0)) continue;
    const cost = (weight[k] ?? 0) + (other === root ? 0 : transitHopUs) + rest;
    if (rank === bestRank && !isBefore(graph, cost, other, bestCost, best)) continue;
    best = other;
    bestRank = rank;
    bestCost = cost;
  }
  return best >= 0 ? best : keptBits === 0 ? -1 : kept;
}

/** Node-protecting first; then nearer to the destination: there the next hop itself may have died, and others repair too. */
function rankOf(bits: number, isDownstream: boolean): number {
  return (bits & NODE) !== 0 ? 2 : isDownstream ? 1 : 0;
}

/** Less cost, then fewer hops, then the lower stable index. */
function isBefore(graph: CsrGraph, cost: number, slot: number, otherCost: number, other: number): boolean {
  if (cost !== otherCost) return cost < otherCost;
  const hops = (scratch.hops[slot] ?? 0) - (scratch.hops[other] ?? 0);
  return hops !== 0 ? hops < 0 : graph.indexOf(slot) < graph.indexOf(other);
}

/** What `other` would protect `slot` from; 0: it is no backup. */
function protectionOf(input: BackupInput, slot: number, other: number): number {
  const { graph, root, choice } = input;
  const at = scratch.enter[other] ?? -1;
  if (at < 0 || (other !== root && !graph.isTransit(other))) return 0;
  if (choice.spread.size > 0) return spreadProtectionOf(input, slot, other);
  const primary = scratch.nextHop[slot] ?? -1;
  if (other === primary || scratch.passes(other, slot)) return 0;
  return primary === root || scratch.passes(other, primary) ? LINK : LINK | NODE;
}

/** The same where some nodes have several next hops. */
function spreadProtectionOf({ root, choice }: BackupInput, slot: number, other: number): number {
  const met = waysFrom(choice, other);
  if (met.has(slot)) return 0;
  let bits = LINK | NODE;
  for (const { slot: primary } of choice.members(slot)) {
    if (other === primary) return 0;
    if (primary === root || met.has(primary)) bits = LINK;
  }
  return bits;
}

/** All that packets from a node may meet, itself included, by any member of any group. */
function waysFrom(choice: HopChoice, from: number): Set<number> {
  const met = new Set([from]);
  for (const slot of met) for (const member of choice.members(slot)) met.add(member.slot);
  return met;
}
