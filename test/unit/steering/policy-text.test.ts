import { describe, expect, it } from 'vitest';
import { formatRule, formatTest } from '../../../steering/policy/policy.ts';
import { MAX_POLICY_RULES, parsePolicy, parseSelector } from '../../../steering/policy/policy-text.ts';

const EXAMPLE = `# who may open what
allow app=web -> app=db & env=prod tcp/5432   # the shop
allow any -> site=berlin,app=web tcp/80,443,8000-8100 udp/443\r
allow node-1->* icmp

\tallow role="two words" -> app=* any
test app=web -> app=db,env=prod tcp/5432 allowed
test any -> app=db udp/53 denied`;

describe('the text of a policy', () => {
  it('is read statement by statement, with the lines they stand on', () => {
    const parsed = parsePolicy(EXAMPLE);
    if (!parsed.ok) throw new Error(parsed.fault.reason);
    expect(parsed.value.rules.map((rule) => [rule.line, formatRule(rule)])).toEqual([
      [2, 'allow app=web -> app=db & env=prod tcp/5432'],
      [3, 'allow any -> app=web & site=berlin tcp/80,443,8000-8100 udp/443'],
      [4, 'allow node-1 -> any icmp'],
      [6, 'allow role="two words" -> app=* any'],
    ]);
    expect(parsed.value.tests.map((test) => [test.line, formatTest(test)])).toEqual([
      [7, 'test app=web -> app=db & env=prod tcp/5432 allowed'],
      [8, 'test any -> app=db udp/53 denied'],
    ]);
  });

  it('joins ports that touch or overlap', () => {
    const parsed = parsePolicy('allow any -> any tcp/443,80-90,85-100,101 tcp/1-3 udp');
    expect(parsed.ok && parsed.value.rules.map(formatRule)).toEqual(['allow any -> any tcp/1-3,80-101,443 udp']);
  });

  it.each([
    [
      'deny any -> any tcp/22',
      1,
      '"deny" is neither allow nor test',
      'what no rule allows is denied: leave the line out',
    ],
    ['allow', 6, 'the line ends where a selector should be', 'name nodes by a label'],
    ['allow any any tcp/22', 11, 'here should be ->', 'write: allow app=web -> app=db tcp/5432'],
    ['allow any -> any', 17, 'the rule names no service', 'write tcp/443'],
    ['allow any -> any   # tcp/22', 28, 'the rule names no service', 'write tcp/443'],
    ['allow any -> any tcp/0', 18, '"0" is not within 1 to 65535', 'write tcp/443'],
    ['allow any -> any tcp/70000', 18, '"70000" is not within 1 to 65535', 'write tcp/443'],
    ['allow any -> any tcp/90-80', 18, '"90-80" ends before it begins', 'write tcp/443'],
    ['allow any -> any tcp/ssh', 18, '"ssh" is no port and no range such as 8000-8100', 'write tcp/443'],
    ['allow any -> any icmp/8', 18, 'icmp has no ports', 'write tcp/443'],
    ['allow any -> any tcp/22 sctp', 25, '"sctp" is none of tcp, udp, icmp, any', 'write tcp/443'],
    ['allow Web -> any tcp/22', 7, '"Web": a node name is 1 to 63 of a-z, 0-9 and -', 'name nodes by a label'],
    ['allow app=-> any tcp/22', 11, 'here should be a value', 'write app=web'],
    ['allow app="x -> any tcp/22', 11, 'here should be a value', 'write app=web'],
    ['allow app="é" -> any tcp/22', 11, 'the value is no label value', 'a value is at most 128'],
    ['allow any & app=web -> any tcp/22', 7, 'any stands alone', 'drop any, or the rest'],
    ['allow ?x -> any tcp/22', 7, 'no selector begins with "?"', 'name nodes by a label'],
    ['test any -> any tcp/22', 23, 'the test does not end with allowed or denied', 'write: test'],
    ['test any -> any tcp/22-23 allowed', 17, 'one port is tested at a time, such as tcp/443', 'write tcp/5432'],
    ['test any -> any any allowed', 17, 'one protocol is tested at a time', 'write tcp/5432'],
    ['test any -> any icmp allowed now', 30, '"now" follows the end of the test', 'write: test'],
  ])('is refused whole: %s', (line, column, reason, nextStep) => {
    const parsed = parsePolicy(`allow any -> any icmp\n${line}`);
    if (parsed.ok) throw new Error('taken');
    expect(parsed.fault).toMatchObject({ line: 2, column });
    expect(parsed.fault.reason).toContain(reason);
    expect(parsed.fault.nextStep).toContain(nextStep);
  });

  it('is refused when it allows nothing at all, or has too many rules', () => {
    expect(parsePolicy('# nothing\n')).toMatchObject({ ok: false, fault: { line: 1, column: 1 } });
    const many = 'allow any -> any icmp\n'.repeat(MAX_POLICY_RULES + 1);
    expect(parsePolicy(many)).toMatchObject({ ok: false, fault: { line: MAX_POLICY_RULES + 1 } });
    expect(parsePolicy(many.slice(many.indexOf('\n') + 1)).ok).toBe(true);
  });

  it('has selectors that stand alone as arguments', () => {
    expect(parseSelector('app=web,node-1')).toMatchObject({ ok: true, value: [{ kind: 'label' }, { kind: 'name' }] });
    expect(parseSelector('*')).toEqual({ ok: true, value: [] });
    for (const text of ['', 'app=web x', 'any,app=web', '->']) expect(parseSelector(text).ok).toBe(false);
  });
});
