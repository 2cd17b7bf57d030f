/** What was typed behind a benchmark's `--KEY`s. */
import { ThalwegError } from '../protocol/error.ts';

/** By key, without dashes. */
export type Values = Readonly<Record<string, string | undefined>>;

/** A whole number. Throws `invalid_argument` unless it is from `least` (default 1) to `most` (default 9999). */
export function whole(
  values: Values,
  key: string,
  { otherwise, least = 1, most = 9999 }: { otherwise: number; least?: number; most?: number },
): number {
  const text = values[key];
  if (text === undefined) return otherwise;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= most) return value;
  throw new ThalwegError('invalid_argument', `--${key} ${text} is not a whole number from ${least} to ${most}`);
}

/** A text that must be there. Throws `invalid_argument` where it is not. */
export function text(values: Values, key: string): string {
  const given = values[key];
  if (given !== undefined && given !== '') return given;
  throw new ThalwegError('invalid_argument', `--${key} is missing`, { nextStep: `give --${key}` });
}

/** One of `known`; the first of them where none is given. Throws `invalid_argument` on anything else. */
export function oneOf<T extends string>(values: Values, key: string, known: readonly [T, ...T[]]): T {
  const given = values[key];
  if (given === undefined) return known[0];
  const found = known.find((each) => each === given);
  if (found !== undefined) return found;
  throw new ThalwegError('invalid_argument', `--${key} ${given} is not one of: ${known.join(', ')}`, {
    nextStep: `give --${key} ${known.join('|')}`,
  });
}
