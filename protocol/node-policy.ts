/**
 * What one node lets in, as the core computes it and the agent holds it: rules in order, sets of senders that rules share,
 * changed by updates, compared by checksum. Pure; both ends use this one implementation.
 */
import { createHash } from 'node:crypto';
import type { Parsed } from './error.ts';
import { formatService, type Service } from './service.ts';

export interface NodeRule {
  /** Whose packets; null: any node's. */
  readonly set: bigint | null;
  /** At least one, each protocol once. */
  readonly services: readonly Service[];
}

export interface SetChange {
  readonly id: bigint;
  /** The set starts empty instead of from what is known of it. */
  readonly reset: boolean;
  /** Node indexes. */
  readonly add: readonly number[];
  readonly remove: readonly number[];
}

export interface PolicyUpdate {
  readonly generation: bigint;
  readonly baseGeneration: bigint;
  /** Nothing of what was known stays. */
  readonly full: boolean;
  /** False: there is no policy, and everything is let in. */
  readonly active: boolean;
  /** All of them, in order. */
  readonly rules: readonly NodeRule[];
  /** Sets that are new to the node, or have changed. What no rule names any more is forgotten. */
  readonly sets: readonly SetChange[];
  readonly checksum: bigint;
}

/** Rules of one node; the text of a policy has no more. */
export const MAX_NODE_RULES = 1000;
/** Members of all sets of one node: 1,000 rules that name 1,000 nodes each. About 100 MB of a kernel's memory. */
export const MAX_SET_MEMBERS = 2 ** 20;

/** The generation that a node has without ever having been told anything. */
export const NO_POLICY = { generation: 0n, active: false, rules: [], sets: new Map<bigint, ReadonlySet<number>>() };

export interface NodePolicyState {
  readonly generation: bigint;
  readonly active: boolean;
  readonly rules: readonly NodeRule[];
  readonly sets: ReadonlyMap<bigint, ReadonlySet<number>>;
}

/**
 * What `update` makes of `state`; `state` itself stays as it is. Not ok: the update does not build on it, or the result has
 * not the update's checksum.
 */
export function applyPolicyUpdate(state: NodePolicyState, update: PolicyUpdate): Parsed<NodePolicyState> {
  if (!update.full && update.baseGeneration !== state.generation) {
    return { ok: false, reason: `it builds on policy ${update.baseGeneration}, here is ${state.generation}` };
  }
  const before = update.full ? NO_POLICY.sets : state.sets;
  const changes = new Map(update.sets.map((change) => [change.id, change]));
  const sets = new Map<bigint, ReadonlySet<number>>();
  let members = 0;
  for (const { set: id } of update.rules) {
    if (id === null || sets.has(id)) continue;
    const change = changes.get(id);
    const known = before.get(id);
    if (known === undefined && change?.reset !== true) return { ok: false, reason: `set ${id} is not known here` };
    const set = change === undefined ? known : changed(known, change);
    sets.set(id, set ?? new Set());
    members += set?.size ?? 0;
  }
  if (members > MAX_SET_MEMBERS) return { ok: false, reason: `its sets have ${members} members` };
  const { generation, active, rules } = update;
  const value = { generation, active, rules, sets };
  return policyChecksum(value) === update.checksum
    ? { ok: true, value }
    : { ok: false, reason: 'the checksum of the result is another one' };
}

/** Of everything but the generation; 0 without a policy. */
export function policyChecksum({ active, rules, sets }: Omit<NodePolicyState, 'generation'>): bigint {
  return checksumOfSums(active, rules, (id) => memberSum(sets.get(id) ?? []));
}

/** The same, where the sums of the sets are kept: a change costs its own members. */
export function checksumOfSums(active: boolean, rules: readonly NodeRule[], sumOf: (id: bigint) => bigint): bigint {
  if (!active) return 0n;
  const hash = createHash('sha256');
  for (const { set, services } of rules) {
    const senders = set === null ? 'any' : `${set} ${sumOf(set)}`;
    hash.update(`${senders} ${services.map(formatService).join(' ')}\n`);
  }
  return hash.digest().readBigUInt64BE();
}

/** Of a set: does not depend on the order. Modulo 2^64. */
export function memberSum(members: Iterable<number>): bigint {
  let sum = 0n;
  for (const index of members) sum += memberHash(index);
  return BigInt.asUintN(64, sum);
}

/** splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
export function memberHash(index: number): bigint {
  let z = BigInt.asUintN(64, (BigInt(index) + 1n) * 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

function changed(known: ReadonlySet<number> | undefined, { reset, add, remove }: SetChange): ReadonlySet<number> {
  const set = new Set(reset ? [] : known);
  for (const index of remove) set.delete(index);
  for (const index of add) set.add(index);
  return set;
}
