/**
 * The text of a policy. One statement a line; `#` begins a comment; blanks are blanks and tabs.
 *
 *   statement  = "allow" selector "->" selector service { service }
 *              | "test"  selector "->" selector probe ( "allowed" | "denied" )
 *   selector   = "any" | "*" | term { ( "&" | "," ) term }
 *   term       = name | key "=" value | key "=*"
 *   value      = plain | quoted                 plain: A-Z a-z 0-9 _ . : / @ + -   quoted: as a JSON string
 *   service    = "any" | "icmp" | ( "tcp" | "udp" ) [ "/" ports ]
 *   ports      = port [ "-" port ] { "," port [ "-" port ] }
 *   probe      = "icmp" | ( "tcp" | "udp" ) "/" port
 *
 * Parsing is whole or not at all, never throws, and says the first fault with its place.
 */
import { parseNodeName } from '../../protocol/identifier.ts';
import { mergeServices, parseProbe, parseService, type Service } from '../../protocol/service.ts';
import { LineCursor, LineFault } from './line-cursor.ts';
import type { Policy, PolicyFault, PolicyRule, PolicyTest } from './policy.ts';
import { makeSelector, type Selector, type SelectorTerm } from './selector.ts';

export type ParsedPolicy =
  | { readonly ok: true; readonly value: Policy }
  | { readonly ok: false; readonly fault: PolicyFault };

export type ParsedSelector =
  | { readonly ok: true; readonly value: Selector }
  | { readonly ok: false; readonly reason: string; readonly nextStep: string };

/** A thousand rules of 200 characters fit well; the API takes no larger body either. */
export const MAX_POLICY_BYTES = 256 * 1024;
/** A destination walks its rules in order for each new connection, so their number is a cost at every packet that begins one. */
export const MAX_POLICY_RULES = 1000;
export const MAX_POLICY_TESTS = 1000;
const MAX_SERVICES = 32;
const MAX_TERMS = 16;

const RULE_FORM = 'write: allow app=web -> app=db tcp/5432';
const TEST_FORM = 'write: test app=web -> app=db tcp/5432 allowed';
const SELECTOR_FORM = 'name nodes by a label (app=web), several labels (app=web & env=prod), a node name, or any';
const SERVICE_FORM = 'write tcp/443, udp/53, tcp/80,8000-8100, icmp or any';

export function parsePolicy(text: string): ParsedPolicy {
  const rules: PolicyRule[] = [];
  const tests: PolicyTest[] = [];
  const whole = (line: number, reason: string, nextStep: string): ParsedPolicy => ({
    ok: false,
    fault: { line, column: 1, reason, nextStep },
  });
  if (text.length > MAX_POLICY_BYTES) {
    return whole(1, `the text is longer than ${MAX_POLICY_BYTES} characters`, 'use labels, so that fewer rules do');
  }
  const lines = text.split('\n');
  for (const [at, content] of lines.entries()) {
    const line = at + 1;
    const cursor = new LineCursor(content.endsWith('\r') ? content.slice(0, -1) : content);
    try {
      if (cursor.atEnd) continue;
      const column = cursor.column;
      const verb = cursor.word();
      if (verb === 'allow') rules.push({ line, ...readRule(cursor) });
      else if (verb === 'test') tests.push({ line, ...readTest(cursor) });
      else throw new LineFault(column, `${quote(verb)} is neither allow nor test`, verbStep(verb));
    } catch (cause) {
      if (!(cause instanceof LineFault)) throw cause;
      const { column, reason, nextStep } = cause;
      return { ok: false, fault: { line, column, reason, nextStep } };
    }
    if (rules.length > MAX_POLICY_RULES) {
      return whole(line, `there are more than ${MAX_POLICY_RULES} rules`, 'use labels, so that fewer rules do');
    }
    if (tests.length > MAX_POLICY_TESTS)
      return whole(line, `there are more than ${MAX_POLICY_TESTS} tests`, 'drop some');
  }
  if (rules.length === 0) {
    const nextStep = 'write at least one allow rule; to let everybody reach everything again: thalweg policy clear';
    return whole(1, 'no rule allows anything, so every connection would be denied', nextStep);
  }
  return { ok: true, value: { rules, tests } };
}

/** A selector alone, as a command's argument. */
export function parseSelector(text: string): ParsedSelector {
  try {
    const cursor = new LineCursor(text.slice(0, MAX_POLICY_BYTES));
    const value = readSelector(cursor);
    if (!cursor.atEnd)
      throw new LineFault(cursor.column, `${quote(cursor.word())} follows the selector`, SELECTOR_FORM);
    return { ok: true, value };
  } catch (cause) {
    if (!(cause instanceof LineFault)) throw cause;
    return { ok: false, reason: cause.reason, nextStep: cause.nextStep };
  }
}

/** The place and what is wrong there, in one phrase. */
export function faultText({ line, column, reason }: PolicyFault): string {
  return `line ${line}, column ${column}: ${reason}`;
}

function readRule(cursor: LineCursor): Omit<PolicyRule, 'line'> {
  const { from, to } = readEnds(cursor, RULE_FORM);
  const services: Service[] = [];
  if (cursor.atEnd) throw new LineFault(cursor.column, 'the rule names no service', SERVICE_FORM);
  while (!cursor.atEnd) {
    const column = cursor.column;
    const word = cursor.word();
    const service = parseService(word);
    if (!service.ok) throw new LineFault(column, service.reason, SERVICE_FORM);
    services.push(service.value);
    if (services.length > MAX_SERVICES) throw new LineFault(column, `more than ${MAX_SERVICES} services`, RULE_FORM);
  }
  return { from, to, services: mergeServices(services) };
}

function readTest(cursor: LineCursor): Omit<PolicyTest, 'line'> {
  const { from, to } = readEnds(cursor, TEST_FORM);
  let column = cursor.column;
  if (cursor.atEnd) throw new LineFault(column, 'the test names no service', TEST_FORM);
  const probe = parseProbe(cursor.word());
  if (!probe.ok) throw new LineFault(column, probe.reason, 'write tcp/5432, udp/53 or icmp');
  column = cursor.column;
  const verdict = cursor.atEnd ? '' : cursor.word();
  if (verdict !== 'allowed' && verdict !== 'denied') {
    throw new LineFault(column, 'the test does not end with allowed or denied', TEST_FORM);
  }
  if (!cursor.atEnd) {
    throw new LineFault(cursor.column, `${quote(cursor.word())} follows the end of the test`, TEST_FORM);
  }
  return { from, to, probe: probe.value, allowed: verdict === 'allowed' };
}

function readEnds(cursor: LineCursor, form: string): { readonly from: Selector; readonly to: Selector } {
  const from = readSelector(cursor);
  if (!cursor.take('->')) throw new LineFault(cursor.column, 'here should be ->', form);
  return { from, to: readSelector(cursor) };
}

function readSelector(cursor: LineCursor): Selector {
  const terms: SelectorTerm[] = [];
  const start = cursor.column;
  let every = false;
  do {
    const term = readTerm(cursor);
    if (term === null) every = true;
    else terms.push(term);
    if (terms.length > MAX_TERMS) throw new LineFault(start, `more than ${MAX_TERMS} terms`, SELECTOR_FORM);
  } while (cursor.take('&') || cursor.take(','));
  if (every && terms.length > 0) {
    throw new LineFault(start, 'any stands alone: it would be narrowed by the rest', 'drop any, or the rest');
  }
  return makeSelector(terms);
}

/** Null: every node. */
function readTerm(cursor: LineCursor): SelectorTerm | null {
  if (cursor.take('*')) return null;
  const column = cursor.column;
  const name = cursor.match(/[A-Za-z0-9][A-Za-z0-9._/-]*?(?=->|[^A-Za-z0-9._/-]|$)/y);
  if (name === undefined) {
    const what = cursor.atEnd
      ? 'the line ends where a selector should be'
      : `no selector begins with ${quote(cursor.rest(1))}`;
    throw new LineFault(column, what, SELECTOR_FORM);
  }
  if (!cursor.takeHere('=')) {
    if (name === 'any') return null;
    const parsed = parseNodeName(name);
    if (parsed.ok) return { kind: 'name', name };
    throw new LineFault(column, `${quote(name)}: ${parsed.reason}`, SELECTOR_FORM);
  }
  if (name.length > 63 || !/[A-Za-z0-9]$/.test(name)) {
    throw new LineFault(column, `${quote(name)} is no label key`, 'a key is 1 to 63 of A-Z a-z 0-9 . _ / -');
  }
  return { kind: 'label', key: name, value: readValue(cursor) };
}

function readValue(cursor: LineCursor): string | null {
  const column = cursor.column;
  if (cursor.takeHere('*')) return null;
  const quoted = cursor.matchHere(/"(?:[^"\\]|\\.)*"/y);
  const value =
    quoted === undefined
      ? cursor.matchHere(/(?!->)[A-Za-z0-9_.:/@+-]+?(?=->|[^A-Za-z0-9_.:/@+-]|$)/y)
      : unquote(quoted);
  if (value === undefined) {
    throw new LineFault(
      column,
      'here should be a value',
      'write app=web, app="two words", or app=* for whatever value',
    );
  }
  if (!/^[\x20-\x7e]{0,128}$/.test(value)) {
    throw new LineFault(column, 'the value is no label value', 'a value is at most 128 printable ASCII characters');
  }
  return value;
}

function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function verbStep(verb: string): string {
  if (verb === 'deny') return 'what no rule allows is denied: leave the line out';
  return RULE_FORM;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
