/** Labs on screen. */
import type { LabStatusResult, LabUpResult } from '../../netlab/lab-commands.ts';
import { age, latency, loss, MISSING, rate } from './quantity.ts';
import { plain, table } from './table.ts';

export function labUpPage(lab: LabUpResult): string {
  const columns = [{ title: 'HOST' }, { title: 'UNDERLAY ADDRESS' }, { title: 'FILES' }];
  const rows = lab.hosts.map((host) => [host.name, host.underlayAddress, host.dir]);
  return `Lab ${lab.name} is up (${lab.driver}).

${table(columns, rows)}
Ask its core:     thalweg status --core ${lab.apiTarget}
Run on a host:    thalweg lab exec --lab ${lab.name} ${lab.hosts[0]?.name ?? 'HOST'} -- ip route
Take it down:     thalweg lab down ${lab.name}
`;
}

export function labStatusPage(labs: readonly LabStatusResult[], nowMs: number): string {
  if (labs.length === 0) return 'No labs. Build one: thalweg lab up detour\n';
  const columns = [
    { title: 'LAB' },
    { title: 'STATE' },
    { title: 'AGE', align: 'right' as const },
    { title: 'LINKS BY' },
    { title: 'PROGRAMS', align: 'right' as const },
    { title: 'HOSTS' },
    { title: 'CORE' },
  ];
  const rows = labs.map((lab) => [
    plain(lab.name),
    lab.state,
    age(lab.startedAtMs, nowMs),
    lab.driver ?? MISSING,
    String(lab.runningProcesses),
    lab.hosts.map(plain).join(','),
    lab.apiTarget,
  ]);
  const remains = labs.some((lab) => lab.state === 'remains');
  const hint = remains ? '\nRemains of a crash are removed with: thalweg lab down NAME\n' : '';
  return [table(columns, rows), ...labs.filter((lab) => lab.links.length > 0).map(linkTable), hint].join('');
}

export function labDownPage(
  reports: readonly { readonly name: string; readonly removed: readonly string[] }[],
): string {
  if (reports.length === 0) return 'No labs: nothing to remove.\n';
  return reports
    .map(({ name, removed }) =>
      removed.length === 0
        ? `${plain(name)}: nothing to remove.\n`
        : `${plain(name)}: removed\n${removed.map((line) => `  ${plain(line)}\n`).join('')}`,
    )
    .join('');
}

function linkTable(lab: LabStatusResult): string {
  const right = { align: 'right' as const };
  const columns = [
    { title: 'FROM' },
    { title: 'TO' },
    { title: 'DELAY', ...right },
    { title: 'JITTER', ...right },
    { title: 'LOSS', ...right },
    { title: 'RATE', ...right },
    { title: '' },
  ];
  const rows = lab.links.map((link) => [
    link.from,
    link.to,
    latency(link.oneWayDelayUs),
    latency(link.jitterUs),
    loss(link.lossPpm),
    link.rateBps === null ? MISSING : rate(link.rateBps / 8),
    link.cut ? 'cut' : '',
  ]);
  return `\n${plain(lab.name)}, one way each\n${table(columns, rows)}`;
}
