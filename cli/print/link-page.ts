/** Links on screen. */
import type { LinkView } from '../../protocol/api.ts';
import type { Paint } from './paint.ts';
import { age, bitRate, cost, duration, latency, loss, MISSING, percent } from './quantity.ts';
import { plain, table } from './table.ts';

export function linkList(links: readonly LinkView[], nowMs: number, paint: Paint): string {
  if (links.length === 0) return 'No links yet: they appear when two nodes are online. See: thalweg node list\n';
  const right = { align: 'right' as const };
  const columns = [
    { title: 'FROM' },
    { title: 'TO' },
    { title: 'SESSION' },
    { title: 'HEALTH' },
    { title: 'RTT', ...right },
    { title: 'LEAST', ...right },
    { title: 'JITTER', ...right },
    { title: 'LOSS OUT', ...right },
    { title: 'LOSS IN', ...right },
    { title: 'DEMAND', ...right },
    { title: 'CARRIES', ...right },
    { title: 'USED', ...right },
    { title: 'COST', ...right },
    { title: 'HANDSHAKE', ...right },
    { title: 'UPDATED', ...right },
  ];
  const rows = links.map((link) => [
    plain(link.from),
    plain(link.to),
    link.role,
    health(link.health, paint),
    latency(link.rttUs),
    latency(link.minRttUs),
    latency(link.jitterUs),
    loss(link.lossOutPpm),
    loss(link.lossInPpm),
    bitRate(link.demandBps),
    bitRate(link.carriedBps),
    percent(link.utilisation),
    cost(link.cost?.totalUs ?? null),
    link.handshakeAgeS === null ? MISSING : duration(link.handshakeAgeS * 1000),
    age(link.updatedAtMs, nowMs),
  ]);
  return table(columns, rows);
}

function health(value: LinkView['health'], paint: Paint): string {
  if (value === 'up') return paint.good(value);
  return value === 'down' ? paint.bad(value) : paint.faint(value);
}
