/** The CA and its rotation on screen. */
import type { CaView } from '../../protocol/api.ts';
import { count, relative } from './quantity.ts';
import { pairs, plain } from './table.ts';

export function caPage({ fingerprint, expiresAtMs, rotation }: CaView, nowMs: number): string {
  const own = ['CA', `${fingerprint}, ends ${relative(expiresAtMs, nowMs)}`] as const;
  if (rotation === null) return pairs([own, ['rotation', 'none']]);
  const left = rotation.waiting + rotation.away;
  const names = rotation.names.slice(0, 10).map(plain).join(', ');
  const page = pairs([
    own,
    ['next CA', rotation.fingerprint],
    ['rotation', `began ${relative(rotation.startedAtMs, nowMs)}`],
    ['moved', count(rotation.moved, 'node')],
    [
      'on the old one',
      `${rotation.waiting} online, ${rotation.away} offline${left > 0 ? `: ${names}${left > 10 ? ', …' : ''}` : ''}`,
    ],
  ]);
  const next =
    left === 0
      ? 'Nobody needs the old CA: thalweg core ca rotate --finish'
      : `Of these the last certificate ends for good ${relative(rotation.lastEndsAtMs, nowMs)}.`;
  return `${page}${next}\n`;
}
