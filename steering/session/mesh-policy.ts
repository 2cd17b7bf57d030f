/**
 * The policy of the mesh in a running core: kept in the store, taken apart by node, and brought to the agents. What an
 * operator changes is durable before the first agent hears of it.
 */
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { PolicyUpdate } from '../../protocol/node-policy.ts';
import type {
  EnforcementState,
  NodePolicyView,
  PolicyChange,
  PolicySummary,
  PolicyTestAnswer,
  PolicyTestQuestion,
  PolicyView,
} from '../../protocol/policy-api.ts';
import { parseProbe } from '../../protocol/service.ts';
import { formatRule, type Policy } from '../policy/policy.ts';
import { PolicyBook } from '../policy/policy-book.ts';
import { parseSelector } from '../policy/policy-text.ts';
import { type PolicyNode, type Selector, selects } from '../policy/selector.ts';
import { formatStored, POLICY_SETTING, policyOf, readStored, type StoredPolicy } from '../policy/stored-policy.ts';
import { failedTests, pairVerdicts } from '../policy/verdict.ts';
import { changeLabels } from '../registry/label-change.ts';
import type { NodeChange, NodeRegistry } from '../registry/node-registry.ts';
import { type Actor, NO_SUBJECT, type NodeRecord, type Store } from '../store/store.ts';
import { PolicyPush } from './policy-push.ts';

export interface MeshPolicyDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Pick<NodeRegistry, 'setLabels'>;
  readonly store: Pick<Store, 'setting' | 'setSetting' | 'noteAudit' | 'transaction'>;
  readonly send: (index: number, update: PolicyUpdate) => void;
}

/** Names and verdicts that one answer lists. */
const LISTED = 100;

export class MeshPolicy {
  readonly #deps: MeshPolicyDeps;
  readonly #book = new PolicyBook();
  readonly push: PolicyPush;
  #stored: StoredPolicy | null = null;
  /** As it was read or written last. */
  #setting: string | undefined;

  constructor(deps: MeshPolicyDeps) {
    this.#deps = deps;
    this.push = new PolicyPush({ ...deps, book: this.#book });
  }

  /**
   * Takes what is in the store, with these nodes; may be called again. Throws invalid_config for a policy that this version
   * cannot read.
   */
  load(nodes: readonly NodeRecord[]): void {
    const { log } = this.#deps;
    const gone = new Set(this.#book.nodes.map(({ index }) => index));
    for (const node of nodes) {
      gone.delete(node.index);
      this.upserted(node);
    }
    for (const index of gone) this.removed(index);
    this.#read();
    const { policy } = this.#book;
    if (policy !== null) log.info('policy in force', { rules: policy.rules.length });
    else
      log.warn('no policy: every node may open everything towards every other', { nextStep: 'thalweg policy apply' });
  }

  /** Another core has changed these nodes, and perhaps the policy. */
  changedElsewhere(changes: readonly NodeChange[]): void {
    for (const { before, after } of changes)
      if (after === undefined && before !== undefined) this.removed(before.index);
    for (const { after } of changes) if (after !== undefined) this.upserted(after);
    try {
      this.#read();
    } catch (cause) {
      // what is in force stays; a newer core than this one has applied it
      this.#deps.log.error('the policy of another core cannot be read', { reason: String(cause) });
    }
  }

  /** A node came, or has other labels. */
  upserted({ index, name, labels }: NodeRecord): void {
    this.push.changed(this.#book.upsert({ index, name, labels }));
  }

  /** Sets and takes labels (null). Durable when it returns. Throws what the store throws, invalid_argument for too many. */
  label(node: NodeRecord, change: Readonly<Record<string, string | null>>, by: Actor): NodeRecord {
    const { labels, detail } = changeLabels(node.labels, change);
    if (detail === '') return node;
    const labelled = this.#deps.registry.setLabels(node, labels, { detail, by });
    this.upserted(labelled);
    this.#deps.log.info('node labelled', { name: node.name, index: node.index, change: detail });
    return labelled;
  }

  removed(index: number): void {
    this.push.changed(this.#book.remove(index));
    this.push.forget(index);
  }

  /**
   * Puts the policy in force, whole or not at all; with `dryRun` only says what that would change. Throws invalid_argument for
   * a text that is no policy, a test that does not hold, or more senders than a node may hold; then the old one stays.
   */
  apply(text: string, dryRun: boolean, by: Actor): PolicyChange {
    const policy = policyOf(text);
    const tried = new PolicyBook();
    const nodes = this.#book.nodes;
    for (const node of nodes) tried.upsert(node);
    tried.setPolicy(policy);
    checkTests(policy, nodes);
    checkSize(tried);
    const touched = nodes.filter(({ index }) => tried.compile(index).checksum !== this.#book.compile(index).checksum);
    const [before, after] = [this.#book.policy, policy].map((each) => new Set((each?.rules ?? []).map(formatRule)));
    const change: PolicyChange = {
      applied: !dryRun,
      added: [...(after ?? [])].filter((rule) => before?.has(rule) !== true),
      removed: [...(before ?? [])].filter((rule) => after?.has(rule) !== true),
      nodesChanged: touched.length,
      nodes: touched.slice(0, LISTED).map(({ name }) => name),
      warnings: this.#warnings(policy),
      tests: policy.tests.length,
    };
    if (!dryRun) this.#put({ text, appliedAtMs: this.#deps.clock.nowMs() }, policy, by);
    return change;
  }

  /** Everybody may reach everything again. */
  clear(by: Actor): PolicyChange {
    const removed = (this.#book.policy?.rules ?? []).map(formatRule);
    const nodesChanged = this.#book.policy === null ? 0 : this.#book.nodes.length;
    const nodes = nodesChanged === 0 ? [] : this.#book.nodes.slice(0, LISTED).map(({ name }) => name);
    if (this.#book.policy !== null) this.#put(null, null, by);
    return { applied: true, added: [], removed, nodesChanged, nodes, warnings: [], tests: 0 };
  }

  /** Throws invalid_argument for what cannot be asked. */
  test({ from, to, service, text }: PolicyTestQuestion): PolicyTestAnswer {
    const probe = parseProbe(service);
    if (!probe.ok) {
      throw new ThalwegError('invalid_argument', `service ${service.slice(0, 60)}: ${probe.reason}`, {
        nextStep: 'name one, such as tcp/5432, udp/53 or icmp',
      });
    }
    const question = { from: selectorOf('from', from), to: selectorOf('to', to), probe: probe.value };
    const policy = text === undefined ? this.#book.policy : policyOf(text);
    if (text !== undefined && policy !== null) checkTests(policy, this.#book.nodes);
    const open: Policy = {
      rules: [{ line: 0, from: [], to: [], services: [{ protocol: 'any', ports: [] }] }],
      tests: [],
    };
    const verdicts = pairVerdicts(policy ?? open, this.#book.nodes, question).map(({ rule, ...pair }) => ({
      from: pair.from.name,
      to: pair.to.name,
      pairs: pair.pairs,
      allowed: rule !== undefined,
      rule: rule === undefined || policy === null ? null : { line: rule.line, text: formatRule(rule) },
    }));
    const allowed = verdicts.every((verdict) => verdict.allowed);
    const listed = verdicts.toSorted((a, b) => Number(a.allowed) - Number(b.allowed)).slice(0, LISTED);
    return { allowed, active: policy !== null, verdicts: listed };
  }

  /** Null: there is no policy. */
  nodeView(index: number): NodePolicyView | null {
    const enforcement = this.push.enforcement(index);
    if (enforcement === null) return null;
    const { generation, ...rest } = enforcement;
    return { ...rest, rules: this.#book.compile(index).rules.length, generation: String(generation) };
  }

  summary(): PolicySummary {
    const enforcement: Record<EnforcementState, number> = {
      enforced: 0,
      pending: 0,
      refused: 0,
      too_old: 0,
      offline: 0,
    };
    let deniedPackets = 0;
    for (const { index } of this.#book.nodes) {
      const node = this.push.enforcement(index);
      if (node === null) break;
      enforcement[node.state]++;
      deniedPackets += node.deniedPackets;
    }
    const { policy } = this.#book;
    const appliedAtMs = this.#stored?.appliedAtMs ?? null;
    return { active: policy !== null, rules: policy?.rules.length ?? 0, appliedAtMs, enforcement, deniedPackets };
  }

  view(): PolicyView {
    const nodes = this.#book.nodes;
    const count = (selector: Selector) => nodes.filter((node) => selects(selector, node)).length;
    const ruleList = (this.#book.policy?.rules ?? []).map((rule) => ({
      line: rule.line,
      rule: formatRule(rule),
      from: count(rule.from),
      to: count(rule.to),
    }));
    return { ...this.summary(), text: this.#stored?.text ?? null, ruleList, notEnforcing: this.#notEnforcing() };
  }

  /** The policy as the store has it now. */
  #read(): void {
    const setting = this.#deps.store.setting(POLICY_SETTING);
    if (setting === this.#setting) return;
    const stored = readStored(setting);
    this.#setting = setting;
    this.#stored = stored;
    this.push.changed(this.#book.setPolicy(stored?.policy ?? null));
  }

  #put(stored: StoredPolicy | null, policy: Policy | null, by: Actor): void {
    const { clock, log, store } = this.#deps;
    const kind = stored === null ? 'policy_cleared' : 'policy_applied';
    const detail = `${policy?.rules.length ?? 0} rules`;
    store.transaction(() => {
      store.setSetting(POLICY_SETTING, formatStored(stored));
      store.noteAudit({ atMs: clock.nowMs(), kind, ...NO_SUBJECT, by, detail });
    });
    this.#setting = formatStored(stored);
    this.#stored = stored;
    const touched = this.#book.setPolicy(policy);
    this.push.changed(touched);
    if (policy === null) log.warn('policy cleared: every node may open everything towards every other');
    else log.info('policy applied', { rules: policy.rules.length, nodes: touched.length });
  }

  #warnings({ rules }: Policy): string[] {
    const nodes = this.#book.nodes;
    const names = (selector: Selector) => nodes.some((node) => selects(selector, node));
    const idle = rules.flatMap((rule) => {
      const ends = [names(rule.from) ? [] : ['nobody is the sender'], names(rule.to) ? [] : ['nobody is the receiver']];
      return ends.flat().length === 0 ? [] : [`line ${rule.line}: ${ends.flat().join(', ')} of ${formatRule(rule)}`];
    });
    const old = nodes.filter(({ index }) => this.push.knowsPolicies(index) === false).map(({ name }) => name);
    const some = old.slice(0, 5).join(', ');
    const who = old.length > 5 ? `${some} and ${old.length - 5} more` : some;
    return [...idle.slice(0, LISTED), ...(old.length === 0 ? [] : [`too old to enforce policies: ${who}`])];
  }

  #notEnforcing(): string[] {
    const not = (node: PolicyNode) => ['refused', 'too_old'].includes(this.push.enforcement(node.index)?.state ?? '');
    return this.#book.nodes
      .filter(not)
      .slice(0, LISTED)
      .map(({ name }) => name);
  }
}

function selectorOf(field: string, text: string): Selector {
  const parsed = parseSelector(text);
  if (parsed.ok) return parsed.value;
  throw new ThalwegError('invalid_argument', `${field} ${text.slice(0, 60)}: ${parsed.reason}`, {
    fields: { field },
    nextStep: parsed.nextStep,
  });
}

function checkTests(policy: Policy, nodes: readonly PolicyNode[]): void {
  const failed = failedTests(policy, nodes);
  const [first] = failed;
  if (first === undefined) return;
  const why = first.rule === null ? 'no rule allows it' : `the rule in line ${first.rule} allows it`;
  const more = failed.length === 1 ? '' : `; ${failed.length - 1} more tests do not hold`;
  throw new ThalwegError(
    'invalid_argument',
    `policy, line ${first.line}: \`${first.test}\` does not hold from ${first.from} to ${first.to}: ${why}${more}`,
    { fields: { line: first.line, failed: failed.length }, nextStep: 'correct the rules, or the test' },
  );
}

function checkSize(book: PolicyBook): void {
  const full = book.overfull();
  if (full === undefined) return;
  const { node, members } = full;
  throw new ThalwegError(
    'invalid_argument',
    `the rules for node ${node.name} name ${members} senders in all: more than a node can hold`,
    { fields: { name: node.name, members }, nextStep: 'use `any` for who may come from anywhere, or fewer rules' },
  );
}
