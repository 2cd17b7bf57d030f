/** Asks for what other cores have committed, when somebody comes who is not known here. */
import type { Clock } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';

/** A store that did not answer is not waited for again for this long: asking it takes seconds of the core's thread. */
const REST_MS = 5000;

/** Whether what is here now is the newest; false: the store cannot be asked. Never throws. */
export function refreshing(
  store: { refresh(): void },
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): () => boolean {
  let restsUntilMonoMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.monoMs() < restsUntilMonoMs) return false;
    try {
      store.refresh();
      return true;
    } catch (cause) {
      restsUntilMonoMs = clock.monoMs() + REST_MS;
      log.warn('other cores cannot be asked for what is new', { error: cause instanceof Error ? cause.message : '' });
      return false;
    }
  };
}
