/** The session of a node that leaves: kept until the node's data plane may go. */
import type { Clock } from '../../protocol/clock.ts';
import type { Logger } from '../../protocol/log.ts';
import type { NodeSession } from './node-session.ts';
import type { SteeringLoop } from './steering-loop.ts';

/**
 * A node that leaves is kept waiting until nobody's packets meet it: one shortest-path run, one acknowledgement and one
 * drain time, which is less than 2 s. Where a node does not answer, or there is no other way, it goes after 5 s.
 */
const LEAVE_LIMIT_MS = 5000;
const LEAVE_POLL_MS = 50;

export interface LeavingDeps {
  readonly clock: Clock;
  readonly loop: SteeringLoop;
  readonly log: Logger;
}

/** Ends the session once no path leads through the node any more; it acknowledges tables until then. */
export function letGo(session: NodeSession, deps: LeavingDeps): void {
  look(session, deps, deps.clock.monoMs() + LEAVE_LIMIT_MS);
}

function look(session: NodeSession, deps: LeavingDeps, deadlineMonoMs: number): void {
  const { clock, loop, log } = deps;
  const { index } = session.options;
  if (!session.isOpen) return;
  const isTransit = loop.engine.isTransit(index, clock.monoMs());
  if (isTransit && clock.monoMs() < deadlineMonoMs) {
    clock.after(LEAVE_POLL_MS, () => look(session, deps, deadlineMonoMs));
    return;
  }
  if (isTransit) log.warn('a node leaves that paths may still lead through', { index });
  session.end('goodbye');
}
