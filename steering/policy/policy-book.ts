/**
 * The policy, taken apart by destination: for each node only the rules that let somebody in there, with the senders in
 * sets that rules and destinations share. Kept current: a node's labels change the sets that they touch, and the nodes
 * whose rules name those sets.
 */
import { createHash } from 'node:crypto';
import { checksumOfSums, MAX_SET_MEMBERS, type NodeRule } from '../../protocol/node-policy.ts';
import { mergeServices, type Service } from '../../protocol/service.ts';
import type { Policy, PolicyRule } from './policy.ts';
import { formatSelector, type PolicyNode, type Selector, selects } from './selector.ts';
import { SourceSet } from './source-set.ts';

/** Rules with the senders' set at hand; null: any sender. */
interface BookRule {
  readonly rule: PolicyRule;
  readonly senders: SourceSet | null;
}

export interface CompiledNode {
  readonly active: boolean;
  readonly rules: readonly NodeRule[];
  readonly checksum: bigint;
}

export class PolicyBook {
  readonly #nodes = new Map<number, PolicyNode>();
  #policy: Policy | null = null;
  #rules: readonly BookRule[] = [];
  #sets = new Map<bigint, SourceSet>();

  get policy(): Policy | null {
    return this.#policy;
  }

  get nodes(): readonly PolicyNode[] {
    return [...this.#nodes.values()];
  }

  set(id: bigint): SourceSet | undefined {
    return this.#sets.get(id);
  }

  /** Null: no policy, everything is let in. Returns the nodes whose own part is another one than before. */
  setPolicy(policy: Policy | null): number[] {
    const before = new Map([...this.#nodes.keys()].map((index) => [index, this.compile(index).checksum]));
    const kept = this.#sets;
    this.#sets = new Map();
    this.#policy = policy;
    this.#rules = (policy?.rules ?? []).map((rule) => ({ rule, senders: this.#setOf(rule.from, kept) }));
    return [...before].filter(([index, sum]) => this.compile(index).checksum !== sum).map(([index]) => index);
  }

  /** A node came, or its labels or name are others. Returns the nodes whose own part changed, itself among them. */
  upsert(node: PolicyNode): Set<number> {
    const before = this.#nodes.get(node.index);
    this.#nodes.set(node.index, node);
    return this.#changed(node.index, before, node);
  }

  remove(index: number): Set<number> {
    const before = this.#nodes.get(index);
    this.#nodes.delete(index);
    const touched = this.#changed(index, before, undefined);
    touched.delete(index);
    return touched;
  }

  /** What the node lets in. Rules of the same senders are one, at the place of the first. */
  compile(index: number): CompiledNode {
    const node = this.#nodes.get(index);
    if (this.#policy === null || node === undefined) {
      // a node that nobody knows is let nothing in as long as there is a policy
      const active = this.#policy !== null;
      return { active, rules: [], checksum: checksumOfSums(active, [], () => 0n) };
    }
    const services = new Map<SourceSet | null, Service[]>();
    for (const { rule, senders } of this.#rules) {
      if (!selects(rule.to, node)) continue;
      const merged = services.get(senders);
      if (merged === undefined) services.set(senders, [...rule.services]);
      else merged.push(...rule.services);
    }
    const rules = [...services].map(([senders, of]) => ({ set: senders?.id ?? null, services: mergeServices(of) }));
    return { active: true, rules, checksum: checksumOfSums(true, rules, (id) => this.#sets.get(id)?.sum ?? 0n) };
  }

  /** Members of all sets that the node's rules name. */
  members({ rules }: Pick<CompiledNode, 'rules'>): number {
    return rules.reduce((sum, { set }) => sum + (set === null ? 0 : (this.#sets.get(set)?.size ?? 0)), 0);
  }

  /** A node that would have to hold more senders than a node may; undefined: none. */
  overfull(): { readonly node: PolicyNode; readonly members: number } | undefined {
    let total = 0;
    for (const set of this.#sets.values()) total += set.size;
    if (total <= MAX_SET_MEMBERS) return undefined; // no node names a set twice
    for (const node of this.#nodes.values()) {
      const members = this.members(this.compile(node.index));
      if (members > MAX_SET_MEMBERS) return { node, members };
    }
    return undefined;
  }

  #changed(index: number, before: PolicyNode | undefined, after: PolicyNode | undefined): Set<number> {
    const touched = new Set<number>();
    const sets = new Set<SourceSet>();
    for (const set of this.#sets.values()) {
      if (set.put(index, after !== undefined && selects(set.selector, after))) sets.add(set);
    }
    for (const { rule, senders } of this.#rules) {
      if (senders === null || !sets.has(senders)) continue;
      for (const node of this.#nodes.values()) if (selects(rule.to, node)) touched.add(node.index);
    }
    const isTarget = (node: PolicyNode | undefined, { to }: PolicyRule) => node !== undefined && selects(to, node);
    if (before === undefined || this.#rules.some(({ rule }) => isTarget(before, rule) !== isTarget(after, rule))) {
      touched.add(index);
    }
    return touched;
  }

  #setOf(selector: Selector, kept: ReadonlyMap<bigint, SourceSet>): SourceSet | null {
    if (selector.length === 0) return null;
    const id = setId(selector);
    const known = this.#sets.get(id) ?? kept.get(id) ?? this.#fill(new SourceSet(id, selector));
    this.#sets.set(id, known);
    return known;
  }

  #fill(set: SourceSet): SourceSet {
    for (const node of this.#nodes.values()) if (selects(set.selector, node)) set.put(node.index, true);
    return set;
  }
}

/** The same on every core and after every restart; never 0, which stands for any sender. */
function setId(selector: Selector): bigint {
  return createHash('sha256').update(formatSelector(selector)).digest().readBigUInt64BE() | 1n;
}
