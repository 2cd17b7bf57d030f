/** The policy on screen. */
import type {
  NodePolicyView,
  PolicyChange,
  PolicySummary,
  PolicyTestAnswer,
  PolicyView,
} from '../../protocol/policy-api.ts';
import type { Paint } from './paint.ts';
import { count, relative } from './quantity.ts';
import { pairs, plain, table } from './table.ts';

const OPEN = 'none: every node may open everything towards every other';

/** One line, for the status of the mesh. */
export function policyLine({ active, rules, enforcement, deniedPackets }: PolicySummary, paint: Paint): string {
  if (!active) return paint.warn(OPEN);
  const { enforced, pending, refused, too_old: tooOld } = enforcement;
  const faults = [
    pending === 0 ? [] : [paint.warn(`${pending} pending`)],
    refused === 0 ? [] : [paint.bad(`${refused} refused`)],
    tooOld === 0 ? [] : [paint.bad(`${tooOld} not enforced (agent too old)`)],
    deniedPackets === 0 ? [] : [`${count(deniedPackets, 'packet')} denied`],
  ];
  return [`${count(rules, 'rule')}, enforced by ${count(enforced, 'node')}`, ...faults.flat()].join(', ');
}

/** Of one node, where there is a policy. */
export function nodePolicy({ state, rules, generation, error, deniedPackets }: NodePolicyView, paint: Paint): string {
  const more = `${count(rules, 'rule')}, generation ${generation}, ${count(deniedPackets, 'packet')} denied`;
  return `${enforcementWord({ state }, paint)}: ${error === null ? more : plain(error)}`;
}

export function enforcementWord({ state }: Pick<NodePolicyView, 'state'>, paint: Paint): string {
  switch (state) {
    case 'enforced':
      return paint.good('enforced');
    case 'pending':
      return paint.warn('pending');
    case 'refused':
      return paint.bad('refused');
    case 'too_old':
      return paint.bad('not enforced');
    case 'offline':
      return 'as last told';
    default:
      return state satisfies never;
  }
}

export function policyPage(view: PolicyView, nowMs: number, paint: Paint): string {
  if (!view.active) return `${paint.warn(`Policy: ${OPEN}.`)}\nTo put one in force: thalweg policy apply FILE\n`;
  const head = pairs([
    ['policy', policyLine(view, paint)],
    ['applied', view.appliedAtMs === null ? '-' : relative(view.appliedAtMs, nowMs)],
    ...(view.notEnforcing.length === 0 ? [] : [['not enforced by', view.notEnforcing.map(plain).join(', ')] as const]),
  ]);
  const columns = [
    { title: 'LINE', align: 'right' as const },
    { title: 'SENDERS', align: 'right' as const },
    { title: 'RECEIVERS', align: 'right' as const },
    { title: 'RULE' },
  ];
  const rows = view.ruleList.map(({ line, from, to, rule }) => [
    String(line),
    from === 0 ? paint.warn('0') : String(from),
    to === 0 ? paint.warn('0') : String(to),
    plain(rule),
  ]);
  return `${head}\n${table(columns, rows)}\nWhat no rule allows is denied. To ask: thalweg policy test FROM TO tcp/5432\n`;
}

export function policyChangePage(change: PolicyChange, paint: Paint): string {
  const { applied, added, removed, nodesChanged, nodes, warnings, tests } = change;
  const lines = [
    ...removed.map((rule) => paint.bad(`- ${plain(rule)}`)),
    ...added.map((rule) => paint.good(`+ ${plain(rule)}`)),
    ...warnings.map((text) => paint.warn(`warning: ${plain(text)}`)),
  ];
  const shown = nodes.slice(0, 5).map(plain).join(', ');
  const who = nodesChanged > 5 ? `${shown} and ${nodesChanged - 5} more` : shown;
  const verb = applied ? 'lets' : 'would let';
  const verbs = applied ? 'let' : 'would let';
  lines.push(
    nodesChanged === 0
      ? 'No node lets in others than before.'
      : `${count(nodesChanged, 'node')} ${nodesChanged === 1 ? verb : verbs} in others than before: ${who}.`,
  );
  if (tests > 0) lines.push(`${count(tests, 'test')} ${tests === 1 ? 'holds' : 'hold'}.`);
  lines.push(applied ? 'In force. To see who enforces it: thalweg policy show' : 'Nothing was changed.');
  return `${lines.join('\n')}\n`;
}

export function policyTestPage({ allowed, active, verdicts }: PolicyTestAnswer, paint: Paint): string {
  const lines = verdicts.map((verdict) => {
    const pair = `${plain(verdict.from)} -> ${plain(verdict.to)}`;
    const more = verdict.pairs > 1 ? ` (and ${verdict.pairs - 1} alike)` : '';
    if (!verdict.allowed) return `${paint.bad('denied')}   ${pair}${more}: no rule allows it`;
    const why = verdict.rule === null ? 'there is no policy' : `line ${verdict.rule.line}: ${plain(verdict.rule.text)}`;
    return `${paint.good('allowed')}  ${pair}${more}: ${why}`;
  });
  if (verdicts.length > 1) lines.push(allowed ? 'Allowed for every pair.' : 'Denied for some pairs.');
  if (verdicts.length === 0) lines.push('There is no pair of two different nodes.');
  if (!active) lines.push(paint.warn(`Policy: ${OPEN}.`));
  return `${lines.join('\n')}\n`;
}
