/** Durations as people write them. */
import { ThalwegError } from '../protocol/error.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, m: 60, h: 3600, d: 86_400 };

/** `90s`, `30min`, `24h`, `7d` of --expires as seconds, within bounds. Throws invalid_argument. */
export function parseDuration(text: string, { leastS, mostS }: { leastS: number; mostS: number }): number {
  const [, number = '', unit = ''] = /^(\d{1,9})(s|min|m|h|d)$/.exec(text) ?? [];
  const seconds = Number(number) * (SECONDS[unit] ?? 0);
  if (seconds >= leastS && seconds <= mostS) return seconds;
  if (seconds > 0) {
    throw new ThalwegError('invalid_argument', `--expires ${text}: not between ${leastS}s and ${mostS / 86_400}d`, {
      nextStep: 'pass for instance --expires 30min',
    });
  }
  throw new ThalwegError('invalid_argument', `--expires ${text}: not a duration`, {
    nextStep: 'pass a number and s, min, h or d, e.g. --expires 24h',
  });
}
