/** Policies: what is compiled for each node and told in updates, against a reading rule by rule. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyPolicyUpdate, NO_POLICY, type NodePolicyState, policyChecksum } from '../../protocol/node-policy.ts';
import { mergeServices } from '../../protocol/service.ts';
import { formatRule } from '../../steering/policy/policy.ts';
import { PolicyBook } from '../../steering/policy/policy-book.ts';
import { parsePolicy } from '../../steering/policy/policy-text.ts';
import type { PolicyNode } from '../../steering/policy/selector.ts';
import { allowingRule, pairVerdicts } from '../../steering/policy/verdict.ts';
import {
  arbitraryLabels,
  arbitraryPolicy,
  arbitraryProbe,
  arbitrarySelector,
  oracleAllows,
  stateAllows,
} from '../oracle/policy-oracle.ts';

const index = fc.integer({ min: 1, max: 5 });
const node = fc
  .record({ index, labels: arbitraryLabels })
  .map(({ index: i, labels }): PolicyNode => ({ index: i, name: `node-${i}`, labels }));

type Step =
  | { readonly kind: 'upsert'; readonly node: PolicyNode }
  | { readonly kind: 'remove'; readonly index: number }
  | { readonly kind: 'policy'; readonly policy: Parameters<PolicyBook['setPolicy']>[0] };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('upsert' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), index }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('policy' as const), policy: fc.option(arbitraryPolicy, { freq: 6 }) }),
  },
);

/** A node that is told as sessions are: whoever is touched, what is new of the sets since it last heard of them. */
class Receiver {
  state: NodePolicyState = NO_POLICY;
  readonly #versions = new Map<bigint, number>();

  tell(book: PolicyBook, at: number): void {
    const { active, rules, checksum } = book.compile(at);
    const sets = [...new Set(rules.flatMap(({ set }) => set ?? []))].flatMap((id) => {
      const set = book.set(id);
      if (set === undefined) throw new Error(`no set ${id}`);
      const change = set.since(this.state.sets.has(id) ? this.#versions.get(id) : undefined);
      this.#versions.set(id, set.version);
      return change === null ? [] : [change];
    });
    const { generation } = this.state;
    const update = {
      generation: generation + 1n,
      baseGeneration: generation,
      full: false,
      active,
      rules,
      sets,
      checksum,
    };
    const result = applyPolicyUpdate(this.state, update);
    if (!result.ok) throw new Error(result.reason);
    this.state = result.value;
  }
}

it('keeps what each touched node was told equal to the rules, through any changes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), arbitraryProbe, (steps, probe) => {
      const book = new PolicyBook();
      const nodes = new Map<number, PolicyNode>();
      const receivers = new Map<number, Receiver>();
      for (const each of steps) {
        let touched: Iterable<number>;
        if (each.kind === 'upsert') {
          nodes.set(each.node.index, each.node);
          if (!receivers.has(each.node.index)) receivers.set(each.node.index, new Receiver());
          touched = book.upsert(each.node);
        } else if (each.kind === 'remove') {
          nodes.delete(each.index);
          receivers.delete(each.index);
          touched = book.remove(each.index);
        } else touched = book.setPolicy(each.policy);
        for (const at of touched) receivers.get(at)?.tell(book, at);
        for (const [at, receiver] of receivers) {
          expect(policyChecksum(receiver.state)).toBe(book.compile(at).checksum);
          const to = nodes.get(at);
          if (to === undefined) continue;
          for (const from of nodes.values()) {
            const expected = book.policy === null || oracleAllows(book.policy, from, to, probe);
            expect(stateAllows(receiver.state, from.index, probe)).toBe(expected);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});

it('reads back what it writes', () => {
  fc.assert(
    fc.property(arbitraryPolicy, (policy) => {
      const parsed = parsePolicy(policy.rules.map(formatRule).join('\n'));
      if (!parsed.ok) throw new Error(`${parsed.fault.line}:${parsed.fault.column} ${parsed.fault.reason}`);
      const expected = policy.rules.map((rule) => ({ ...rule, services: mergeServices(rule.services) }));
      expect(parsed.value.rules).toEqual(expected);
    }),
  );
});

it('never throws, and names a place that is there', () => {
  const word = fc.constantFrom(
    'allow',
    'test',
    '->',
    'app=web',
    '&',
    ',',
    'any',
    '*',
    'tcp/80',
    'icmp',
    '\n',
    '"',
    '#',
    '=',
    'allowed',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 14 }).map((words) => words.join(' ')),
  );
  fc.assert(
    fc.property(text, (content) => {
      const parsed = parsePolicy(content);
      if (parsed.ok) return;
      const line = content.split('\n')[parsed.fault.line - 1];
      expect(parsed.fault.column).toBeGreaterThan(0);
      expect(parsed.fault.column).toBeLessThanOrEqual((line ?? '').length + 1);
      expect(parsed.fault.nextStep).not.toBe('');
    }),
  );
});

it('judges pairs in groups as it does one by one', () => {
  const nodes = fc.uniqueArray(node, { selector: (each) => each.index, maxLength: 5 });
  fc.assert(
    fc.property(
      arbitraryPolicy,
      nodes,
      arbitrarySelector,
      arbitrarySelector,
      arbitraryProbe,
      (policy, all, from, to, probe) => {
        const named = (terms: typeof from) =>
          all.filter((each) =>
            oracleAllows(
              { rules: [{ line: 1, from: terms, to: [], services: [{ protocol: 'any', ports: [] }] }], tests: [] },
              each,
              each,
              probe,
            ),
          );
        const [senders, targets] = [named(from), named(to)];
        if (senders.length === 0 || targets.length === 0) return; // somebody is imagined
        if (senders.length === 1 && targets.length === 1 && senders[0] === targets[0]) return; // so too
        const pairs = senders.flatMap((a) =>
          targets.filter((b) => b !== a).map((b) => oracleAllows(policy, a, b, probe)),
        );
        const verdicts = pairVerdicts(policy, all, { from, to, probe });
        const count = (allowed: boolean) =>
          verdicts.reduce((sum, { pairs: n, rule }) => sum + ((rule !== undefined) === allowed ? n : 0), 0);
        expect([count(true), count(false)]).toEqual([pairs.filter((p) => p).length, pairs.filter((p) => !p).length]);
        for (const verdict of verdicts) {
          expect(verdict.rule).toEqual(allowingRule(policy, verdict.from, verdict.to, probe));
        }
      },
    ),
  );
});
