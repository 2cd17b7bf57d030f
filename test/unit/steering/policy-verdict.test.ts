import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../steering/policy/policy.ts';
import { PolicyBook } from '../../../steering/policy/policy-book.ts';
import { parsePolicy } from '../../../steering/policy/policy-text.ts';
import type { PolicyNode } from '../../../steering/policy/selector.ts';
import { SourceSet } from '../../../steering/policy/source-set.ts';
import { failedTests } from '../../../steering/policy/verdict.ts';

function policyOf(text: string): Policy {
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new Error(parsed.fault.reason);
  return parsed.value;
}
const node = (index: number, labels: Record<string, string>): PolicyNode => ({ index, name: `n${index}`, labels });
const WEB = node(1, { app: 'web' });
const DB = node(2, { app: 'db' });
const CACHE = node(3, { app: 'cache' });

describe('the tests of a policy', () => {
  const rules = 'allow app=web -> app=db tcp/5432\nallow any -> n3 udp/53\n';

  it('hold for all pairs that they name, and say which pair they do not hold for', () => {
    const nodes = [WEB, DB, CACHE];
    const good =
      'test app=web -> app=db tcp/5432 allowed\ntest n3 -> app=db tcp/5432 denied\ntest any -> n3 udp/53 allowed';
    expect(failedTests(policyOf(rules + good), nodes)).toEqual([]);
    expect(failedTests(policyOf(`${rules}test any -> app=db tcp/5432 allowed`), nodes)).toEqual([
      { line: 3, test: 'test any -> app=db tcp/5432 allowed', from: 'n3', to: 'n2', rule: null },
    ]);
    expect(failedTests(policyOf(`${rules}test any -> n3 udp/53 denied`), nodes)).toEqual([
      { line: 3, test: 'test any -> n3 udp/53 denied', from: 'n1', to: 'n3', rule: 2 },
    ]);
  });

  it('are held against an imagined node where none has the labels, so that they can fail before anybody joined', () => {
    const test = (line: string) => failedTests(policyOf(rules + line), []).length;
    expect(test('test app=web -> app=db tcp/5432 allowed')).toBe(0);
    expect(test('test app=web & env=prod -> app=db tcp/5432 allowed')).toBe(0);
    expect(test('test app=wbe -> app=db tcp/5432 allowed')).toBe(1);
    expect(test('test any -> app=db tcp/5432 allowed')).toBe(1);
    expect(test('test x -> n3 udp/53 allowed')).toBe(0);
  });
});

describe('the policy by destination', () => {
  it('gives a node its own rules only, with equal senders in one', () => {
    const book = new PolicyBook();
    for (const each of [WEB, DB, CACHE]) book.upsert(each);
    expect(
      book.setPolicy(policyOf('allow app=web -> app=db tcp/5432\nallow app=web -> any tcp/22\nallow any -> n3 any')),
    ).toEqual([1, 2, 3]);
    const [web, db, cache] = [1, 2, 3].map((index) => book.compile(index));
    expect(web?.rules).toEqual([{ set: db?.rules[0]?.set, services: [{ protocol: 'tcp', ports: [[22, 22]] }] }]);
    expect(db?.rules.map(({ services }) => services)).toEqual([
      [{ protocol: 'tcp', ports: [[22, 22], [5432, 5432]] }], // biome-ignore format: ports
    ]);
    expect(cache?.rules.map(({ set }) => set === null)).toEqual([false, true]);
    expect([...(book.set(web?.rules[0]?.set ?? 0n)?.since(undefined)?.add ?? [])]).toEqual([1]);
  });

  it('touches no node that a change of labels does not concern', () => {
    const book = new PolicyBook();
    book.setPolicy(policyOf('allow app=web -> app=db tcp/5432\nallow any -> n3 udp/53'));
    for (const each of [WEB, DB, CACHE]) book.upsert(each);
    expect([...book.upsert(node(3, { app: 'cache', x: 'y' }))]).toEqual([]);
    expect([...book.upsert(node(3, { app: 'web' }))]).toEqual([2]);
    expect([...book.upsert(node(1, { app: 'db' }))].sort()).toEqual([1, 2]);
    expect([...book.remove(3)].sort()).toEqual([1, 2]);
    expect(book.setPolicy(policyOf('allow app=web -> app=db tcp/5432\nallow any -> n3 udp/54'))).toEqual([]);
    expect(book.setPolicy(null)).toEqual([1, 2]);
  });

  it('lets nobody in at a node that it does not know, once there is a policy', () => {
    const book = new PolicyBook();
    expect(book.compile(9).active).toBe(false);
    book.setPolicy(policyOf('allow any -> any any'));
    expect(book.compile(9)).toMatchObject({ active: true, rules: [] });
  });

  it('tells a set from any version: as changes while they are fewer, else whole', () => {
    const set = new SourceSet(7n, []);
    for (let index = 1; index <= 10; index++) set.put(index, true);
    const { version } = set;
    expect(set.put(3, true)).toBe(false);
    expect(set.since(version)).toBeNull();
    set.put(3, false);
    set.put(20, true);
    set.put(3, true);
    expect(set.since(version)).toEqual({ id: 7n, reset: false, add: [3, 20], remove: [] });
    expect(set.since(0)).toMatchObject({ reset: true, add: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20] });
    for (let n = 0; n < 20_000; n++) set.put(30, n % 2 === 0);
    expect(set.since(version)).toMatchObject({ reset: true });
  });
});
