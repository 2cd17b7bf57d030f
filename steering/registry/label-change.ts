/** Labels as they are, and what is to become of some of them. Pure. */
import { ThalwegError } from '../../protocol/error.ts';
import type { Labels } from '../store/store.ts';

/** As many as a token may give. */
export const MAX_LABELS = 32;

export interface LabelChange {
  readonly labels: Labels;
  /** `app=web env-`: what is set, and what goes; empty: nothing changes. */
  readonly detail: string;
}

/** Null takes a label away. Keys in order, so that equal labels are equal text. Throws invalid_argument for too many. */
export function changeLabels(before: Labels, change: Readonly<Record<string, string | null>>): LabelChange {
  const after = new Map(Object.entries(before));
  const done: string[] = [];
  for (const [key, value] of Object.entries(change).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === null) {
      if (after.delete(key)) done.push(`${key}-`);
    } else if (after.get(key) !== value) {
      after.set(key, value);
      done.push(`${key}=${value}`);
    }
  }
  if (after.size > MAX_LABELS) {
    throw new ThalwegError('invalid_argument', `a node has at most ${MAX_LABELS} labels, not ${after.size}`, {
      nextStep: 'take some away: thalweg node label NODE key-',
    });
  }
  return { labels: Object.fromEntries([...after].toSorted(([a], [b]) => (a < b ? -1 : 1))), detail: done.join(' ') };
}
