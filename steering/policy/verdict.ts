/** Whether a policy lets one node open a connection to another, and whether its tests hold. Pure. */
import { type ServiceProbe, servesProbe } from '../../protocol/service.ts';
import { formatTest, type Policy, type PolicyRule, type PolicyTest } from './policy.ts';
import { type PolicyNode, type Selector, selects } from './selector.ts';

/** The first rule that allows it; undefined: denied. */
export function allowingRule(
  { rules }: Policy,
  from: PolicyNode,
  to: PolicyNode,
  probe: ServiceProbe,
): PolicyRule | undefined {
  return rules.find(
    (rule) =>
      selects(rule.from, from) && selects(rule.to, to) && rule.services.some((service) => servesProbe(service, probe)),
  );
}

/** One pair of nodes that stands for all pairs that the rules treat alike. */
export interface PairVerdict {
  readonly from: PolicyNode;
  readonly to: PolicyNode;
  /** Pairs that it stands for. */
  readonly pairs: number;
  readonly rule: PolicyRule | undefined;
}

/**
 * Verdicts for every ordered pair of two different nodes that the selectors name, alike ones together. Where a selector
 * names no node there is, one is imagined that has just these labels (or this name), so that a policy can be tested before
 * its nodes have joined; its index is 0. So too for the sender where the only node that is named is the receiver.
 */
export function pairVerdicts(
  policy: Policy,
  nodes: readonly PolicyNode[],
  question: Pick<PolicyTest, 'from' | 'to' | 'probe'>,
): PairVerdict[] {
  const { probe } = question;
  const relevant = policy.rules.filter(({ services }) => services.some((service) => servesProbe(service, probe)));
  const targetNodes = nodesOf(question.to, nodes);
  const named = nodesOf(question.from, nodes);
  const isAlone = named.length === 1 && targetNodes.length === 1 && named[0] === targetNodes[0];
  const isByName = question.from.some(({ kind }) => kind === 'name');
  const from = alike(isAlone && !isByName ? [imagined(question.from)] : named, relevant, 'from');
  const to = alike(targetNodes, relevant, 'to');
  const verdicts: PairVerdict[] = [];
  for (const sources of from) {
    const senders = new Set(sources);
    for (const targets of to) {
      const pair = twoDifferent(sources, targets);
      if (pair === undefined) continue;
      const own = targets.filter((node) => senders.has(node)).length;
      const pairs = sources.length * targets.length - own;
      verdicts.push({ ...pair, pairs, rule: allowingRule({ ...policy, rules: relevant }, pair.from, pair.to, probe) });
    }
  }
  return verdicts;
}

export interface FailedTest {
  readonly line: number;
  /** The test as text. */
  readonly test: string;
  /** One pair for which it does not hold. */
  readonly from: string;
  readonly to: string;
  /** Line of the rule that allows what should be denied. */
  readonly rule: number | null;
}

/** The tests of the policy that do not hold with these nodes. */
export function failedTests(policy: Policy, nodes: readonly PolicyNode[]): FailedTest[] {
  return policy.tests.flatMap((test) => {
    const wrong = pairVerdicts(policy, nodes, test).find(({ rule }) => (rule !== undefined) !== test.allowed);
    if (wrong === undefined) return [];
    const { from, to, rule } = wrong;
    return [{ line: test.line, test: formatTest(test), from: from.name, to: to.name, rule: rule?.line ?? null }];
  });
}

function nodesOf(selector: Selector, nodes: readonly PolicyNode[]): readonly PolicyNode[] {
  const named = nodes.filter((node) => selects(selector, node));
  return named.length > 0 ? named : [imagined(selector)];
}

function imagined(selector: Selector): PolicyNode {
  const labels: Record<string, string> = {};
  let name = '(a node that is not there)';
  for (const term of selector) {
    if (term.kind === 'name') name = term.name;
    else labels[term.key] = term.value ?? '';
  }
  return { index: 0, name, labels };
}

/** Nodes by which of the rules name them on that side. */
function alike(
  nodes: readonly PolicyNode[],
  rules: readonly PolicyRule[],
  side: 'from' | 'to',
): readonly (readonly PolicyNode[])[] {
  const groups = new Map<string, PolicyNode[]>();
  for (const node of nodes) {
    const key = rules.map((rule) => (selects(rule[side], node) ? '1' : '0')).join('');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [node]);
    else group.push(node);
  }
  return [...groups.values()];
}

function twoDifferent(
  sources: readonly PolicyNode[],
  targets: readonly PolicyNode[],
): Pick<PairVerdict, 'from' | 'to'> | undefined {
  for (const from of sources.slice(0, 2)) {
    const to = targets.find((node) => node !== from);
    if (to !== undefined) return { from, to };
  }
  return undefined;
}
