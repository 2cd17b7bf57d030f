/** Why traffic takes the path it takes. */
import type { CostTerms, PathChange, PathExplanation, PathSplit, PathView } from '../../protocol/api.ts';
import type { Paint } from './paint.ts';
import { age, bitRate, cost, latency, moment, percent } from './quantity.ts';
import { plain, table } from './table.ts';

/** `a -> b -> c`; `unreachable` for no path. */
export function route(path: readonly string[]): string {
  return path.length === 0 ? 'unreachable' : path.map(plain).join(' -> ');
}

export function pathList(paths: readonly PathView[], nowMs: number, paint: Paint): string {
  if (paths.length === 0) return 'No paths yet: it takes two nodes that are online. See: thalweg node list\n';
  const right = { align: 'right' as const };
  const columns = [
    { title: 'FROM' },
    { title: 'TO' },
    { title: 'DIRECT', ...right },
    { title: 'STEERED', ...right },
    { title: 'SINCE', ...right },
    { title: 'PATH' },
  ];
  const rows = paths.map((path) => [
    plain(path.from),
    plain(path.to),
    latency(path.directRttUs),
    latency(path.rttUs),
    age(path.sinceMs, nowMs),
    path.path.length === 0
      ? paint.bad('unreachable')
      : route(path.path) + (path.installed ? '' : paint.warn(' (on its way)')),
  ]);
  return table(columns, rows);
}

export function pathPage(path: PathExplanation, nowMs: number, paint: Paint): string {
  const parts = [heading(path, nowMs, paint)];
  if (path.cost !== null) parts.push(costTable(path, path.cost, path.hops));
  if (path.split !== null) parts.push(splitText(path.split));
  const runnerUp = path.runnerUp;
  if (runnerUp === null) parts.push('runner-up  none: there is no other way\n');
  else {
    const behind = runnerUp.behindUs < 0 ? `${cost(-runnerUp.behindUs)} better` : `${cost(runnerUp.behindUs)} behind`;
    parts.push(
      `runner-up  ${route(runnerUp.path)}, cost ${cost(runnerUp.cost.totalUs)} (${behind})\nwhy not    ${plain(runnerUp.whyNot)}\n`,
    );
  }
  if (path.recentChanges.length > 0) parts.push(`recent changes\n${path.recentChanges.map(changeLine).join('')}`);
  return parts.join('\n');
}

/** One line of a path's history. */
export function changeLine(change: PathChange): string {
  return `  ${moment(change.atMs)}  ${route(change.before)}  =>  ${route(change.after)}  (${change.reason}: ${plain(change.detail)})\n`;
}

function heading(path: PathExplanation, nowMs: number, paint: Paint): string {
  const direct = path.kind === 'detour' ? `, direct would be ${latency(path.directRttUs)}` : '';
  const lines = [
    path.kind === 'unreachable'
      ? `${plain(path.from)} cannot reach ${plain(path.to)}`
      : `${paint.strong(route(path.path))}  ${path.kind}, RTT ${latency(path.rttUs)}${direct}`,
    `since ${moment(path.sinceMs)} (${age(path.sinceMs, nowMs)}): ${plain(path.reason)}`,
  ];
  if (!path.installed) lines.push(paint.warn('not in every kernel on the way yet'));
  return `${lines.join('\n')}\n`;
}

/** Where the packets go, how full that is, and what twice the demand would do. */
function splitText({ demandBps, loadAware, members, atTwice }: PathSplit): string {
  const right = { align: 'right' as const };
  const lines = [`demand     ${bitRate(demandBps)}${loadAware ? ', spread for load' : ''}\n`];
  if (members.length > 1) {
    const columns = [
      { title: 'SHARE', ...right },
      { title: 'USED', ...right },
      { title: 'COST', ...right },
      { title: 'PATH' },
    ];
    const rows = members.map(({ path, share, utilisation, cost: terms }) => [
      percent(share),
      percent(utilisation),
      cost(terms?.totalUs ?? null),
      route(path),
    ]);
    lines.push(table(columns, rows));
  }
  const full = members[0];
  if (members.length === 1 && full?.limit != null) {
    lines.push(`fullest    ${plain(full.limit)}: ${percent(full.utilisation)}\n`);
  }
  if (atTwice.utilisation !== null) {
    const fits = atTwice.utilisation > 1 ? `, ${percent(atTwice.fitting)} of it would get through` : '';
    const steered = atTwice.steeredUtilisation;
    const then = steered === null ? '' : `; load-aware steering would hold the mesh at ${percent(steered)}`;
    lines.push(`at twice   ${plain(atTwice.limit ?? '')}: ${percent(atTwice.utilisation)}${fits}${then}\n`);
  }
  return lines.join('');
}

/** Each hop and each term, and their sum. */
function costTable(path: PathView, total: CostTerms, hops: PathExplanation['hops']): string {
  const right = { align: 'right' as const };
  const columns = [
    { title: 'COST OF' },
    { title: 'RTT', ...right },
    { title: 'LOSS', ...right },
    { title: 'JITTER', ...right },
    { title: 'LOAD', ...right },
    { title: 'TRANSIT', ...right },
    { title: 'TOTAL', ...right },
  ];
  const row = (name: string, terms: CostTerms): string[] => [
    name,
    ...[terms.rttUs, terms.lossUs, terms.jitterUs, terms.loadUs, terms.transitUs, terms.totalUs].map(cost),
  ];
  const rows = hops.length > 1 ? hops.map((hop) => row(`${plain(hop.from)} -> ${plain(hop.to)}`, hop.cost)) : [];
  return table(columns, [...rows, row(path.kind === 'direct' ? 'the direct link' : 'the path', total)]);
}
