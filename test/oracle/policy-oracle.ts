/** Policies at random, and what they mean, read off rule by rule. */
import * as fc from 'fast-check';
import type { NodePolicyState } from '../../protocol/node-policy.ts';
import type { Service, ServiceProbe } from '../../protocol/service.ts';
import type { Policy } from '../../steering/policy/policy.ts';
import { makeSelector, type PolicyNode, type SelectorTerm } from '../../steering/policy/selector.ts';

const KEYS = ['app', 'env', 'a.b/c'];
const VALUES = ['web', 'db', 'two words', '', '"#->\\', '*', 'any'];
export const PORTS = [1, 22, 80, 81, 443, 5432, 65_535];

export const arbitraryLabels = fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), { maxKeys: 3 });

const term: fc.Arbitrary<SelectorTerm> = fc.oneof(
  fc.record({ kind: fc.constant('name' as const), name: fc.constantFrom('node-1', 'node-2', 'allow', 'x') }),
  fc.record({
    kind: fc.constant('label' as const),
    key: fc.constantFrom(...KEYS),
    value: fc.option(fc.constantFrom(...VALUES)),
  }),
);
export const arbitrarySelector = fc.array(term, { maxLength: 3 }).map(makeSelector);

const ports = fc
  .uniqueArray(fc.constantFrom(...PORTS), { minLength: 1, maxLength: 4 })
  .map((list) => list.toSorted((a, b) => a - b))
  .map((list) => list.filter((port, i) => i === 0 || port > (list[i - 1] ?? 0) + 1).map((p) => [p, p] as const));

const service: fc.Arbitrary<Service> = fc.oneof(
  fc.record({ protocol: fc.constantFrom('tcp' as const, 'udp' as const), ports }),
  fc.constant({ protocol: 'tcp' as const, ports: [[0, 65_535] as const] }),
  fc.constant({ protocol: 'udp' as const, ports: [[80, 5432] as const] }),
  fc.constant({ protocol: 'icmp' as const, ports: [] }),
  fc.constant({ protocol: 'any' as const, ports: [] }),
);

export const arbitraryProbe: fc.Arbitrary<ServiceProbe> = fc.oneof(
  fc.record({ protocol: fc.constantFrom('tcp' as const, 'udp' as const), port: fc.constantFrom(...PORTS) }),
  fc.constant({ protocol: 'icmp' as const, port: 0 }),
);

export const arbitraryPolicy: fc.Arbitrary<Policy> = fc.record({
  rules: fc
    .array(
      fc.record({
        from: arbitrarySelector,
        to: arbitrarySelector,
        services: fc.array(service, { minLength: 1, maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 6 },
    )
    .map((rules) => rules.map((rule, i) => ({ ...rule, line: i + 1 }))),
  tests: fc.constant([]),
});

/** Slow and plain: the sentence of each rule, one after the other. */
export function oracleAllows(policy: Policy, from: PolicyNode, to: PolicyNode, probe: ServiceProbe): boolean {
  for (const rule of policy.rules) {
    if (!holdsAll(rule.from, from) || !holdsAll(rule.to, to)) continue;
    for (const { protocol, ports: ranges } of rule.services) if (lets(protocol, ranges, probe)) return true;
  }
  return false;
}

/** What a node that holds this state lets in: as the kernel will, by index and port alone. */
export function stateAllows({ active, rules, sets }: NodePolicyState, from: number, probe: ServiceProbe): boolean {
  if (!active) return true;
  return rules.some(
    ({ set, services }) =>
      (set === null || (sets.get(set)?.has(from) ?? false)) &&
      services.some(({ protocol, ports: ranges }) => lets(protocol, ranges, probe)),
  );
}

function holdsAll(terms: readonly SelectorTerm[], node: PolicyNode): boolean {
  for (const wanted of terms) {
    if (wanted.kind === 'name') {
      if (node.name !== wanted.name) return false;
    } else {
      const label = Object.entries(node.labels).find(([key]) => key === wanted.key);
      if (label === undefined || (wanted.value !== null && label[1] !== wanted.value)) return false;
    }
  }
  return true;
}

function lets(protocol: string, ranges: readonly (readonly [number, number])[], probe: ServiceProbe): boolean {
  if (protocol === 'any') return true;
  if (protocol !== probe.protocol) return false;
  if (protocol === 'icmp') return true;
  for (const [first, last] of ranges) if (probe.port >= first && probe.port <= last) return true;
  return false;
}
