/** What `thalweg plan` prints. */
import type { PlanReport } from '../../steering/traffic-engineering/plan-report.ts';
import { bitRate, count, latency } from './quantity.ts';
import { pairs, plain, table } from './table.ts';

/** Pure. */
export function planPage(report: PlanReport): string {
  const { before, after, doubled } = report;
  const head = pairs([
    ['network', `${count(report.nodes, 'node')}, ${count(report.links, 'link')}`],
    ['demand', `${count(report.pairs, 'pair')}, ${bitRate(report.demandBps)}`],
    ['tables', tablesLine(report)],
  ]);
  const sides = table(
    [{ title: '' }, { title: 'SHORTEST PATHS', align: 'right' }, { title: 'PLANNED', align: 'right' }],
    [
      ['highest utilisation', utilisation(before.highestUtilisation), utilisation(after.highestUtilisation)],
      ['mean RTT of the traffic', latency(before.meanRttUs), latency(after.meanRttUs)],
    ],
  );
  const bound = after.lowerBound > 0 ? `No routing whatever is below ${utilisation(after.lowerBound)}.\n` : '';
  const links = table(
    [
      { title: 'FROM' },
      { title: 'TO' },
      { title: 'CAPACITY', align: 'right' },
      { title: 'BEFORE', align: 'right' },
      { title: 'AFTER', align: 'right' },
    ],
    report.worstLinks.map((link) => [
      plain(link.from),
      plain(link.to),
      bitRate(link.capacityBps),
      utilisation(link.before),
      utilisation(link.after),
    ]),
  );
  const warnings = [...unconnected(report), ...overload(report)].map((line) => `${line}\n`).join('');
  return [
    head,
    `\n${sides}${bound}`,
    report.worstLinks.length === 0 ? '' : `\nWorst links\n${links}`,
    `\nAt 2x demand: highest utilisation ${utilisation(doubled.highestAsPlanned)} with these tables, `,
    `${utilisation(doubled.highestReplanned)} planned anew${doubledEnd(report)}.\n`,
    warnings === '' ? '' : `\n${warnings}`,
  ].join('');
}

function tablesLine({ calm, after }: PlanReport): string {
  if (calm) return `${count(after.routes, 'route')}: the shortest paths, since nothing is loaded enough to matter`;
  const { routes, changedRoutes, splitRoutes } = after;
  return `${count(routes, 'route')}, ${changedRoutes} off the shortest path, ${splitRoutes} with more than one next hop`;
}

function doubledEnd({ doubled }: PlanReport): string {
  if (doubled.fitting >= 1) return '';
  return `; ${count(doubled.overloadedLinks, 'link is', 'links are')} over capacity, ${utilisation(doubled.fitting)} of every demand fits`;
}

function unconnected({ unconnectedPairs, undeliveredBps }: PlanReport): string[] {
  if (unconnectedPairs === 0) return [];
  return [
    `warning: no path connects ${count(unconnectedPairs, 'pair')}: ${bitRate(undeliveredBps)} cannot be delivered`,
  ];
}

function overload({ fitting }: PlanReport): string[] {
  if (fitting >= 1) return [];
  return [`warning: not all demand fits: ${utilisation(fitting)} of every demand does, the rest is shared out as loss`];
}

/** Tenths of per cent: between 90.0 and 90.4 % lies what the plan is held to. */
function utilisation(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
