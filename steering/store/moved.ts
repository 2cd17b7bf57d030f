/** A commit that failed only because another core committed first: nothing of it happened, and it may be done again. */
import { ThalwegError } from '../../protocol/error.ts';

const MOVED = 'moved';

export function movedError(): ThalwegError {
  return new ThalwegError('conflict', 'another core has changed the store at the same moment', {
    fields: { [MOVED]: true },
    nextStep: 'try again',
  });
}

/** What was read before it is stale. */
export function hasMoved(cause: unknown): boolean {
  return cause instanceof ThalwegError && cause.code === 'conflict' && cause.fields[MOVED] === true;
}
