/** Demand and accesses on screen. */
import type { AccessSideView, DemandView } from '../../protocol/api.ts';
import { bitRate, count, percent } from './quantity.ts';
import { plain, table } from './table.ts';

/** `matching`: pairs that were asked for, of which `view` holds the first. */
export function demandPage(view: DemandView, matching: number): string {
  const right = { align: 'right' as const };
  const parts = [`${bitRate(view.totalBps)} in ${count(view.pairCount, 'pair')}\n`];
  if (view.pairs.length > 0) {
    const columns = [{ title: 'FROM' }, { title: 'TO' }, { title: 'DEMAND', ...right }, { title: 'SHARE', ...right }];
    const rows = view.pairs.map(({ from, to, bps }) => [
      plain(from),
      plain(to),
      bitRate(bps),
      percent(view.totalBps === 0 ? null : bps / view.totalBps),
    ]);
    parts.push(table(columns, rows));
    if (matching > view.pairs.length)
      parts.push(`and ${count(matching - view.pairs.length, 'smaller pair')}: --limit\n`);
  }
  for (const { from, bps } of view.others) parts.push(`${plain(from)} to others, summed up: ${bitRate(bps)}\n`);
  if (view.access.length > 0) {
    const columns = [
      { title: 'ACCESS OF' },
      { title: 'SENDS', ...right },
      { title: 'UPLINK', ...right },
      { title: 'USED', ...right },
      { title: 'RECEIVES', ...right },
      { title: 'DOWNLINK', ...right },
      { title: 'USED', ...right },
    ];
    const rows = view.access.map(({ node, uplink, downlink }) => [plain(node), ...cells(uplink), ...cells(downlink)]);
    parts.push(table(columns, rows));
  }
  return parts.join('\n');
}

function cells({ carriedBps, capacityBps, source, utilisation }: AccessSideView): string[] {
  const capacity =
    capacityBps === null ? 'unknown' : `${bitRate(capacityBps)}${source === 'learned' ? ' (learned)' : ''}`;
  return [bitRate(carriedBps), capacity, percent(utilisation)];
}
