/** The agent's place among the programs of a busy machine: a probe that waits for a processor measures the host, not the path. */
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Logger } from '../protocol/log.ts';
import { readProcessStat } from '../protocol/process-stat.ts';

/** As routing daemons take it: before programs, behind what the kernel's own threads may need. */
export const DEFAULT_NICENESS = -5;

/** `session` of proc_pid_stat(5). */
const SESSION_FIELD = 6;

/**
 * Sets the niceness of this thread, and so of the threads and programs that it starts from then on; where this process leads a
 * session (a service does, a program in a terminal does not), also that of the session's group (sched(7), autogroup):
 * without it niceness counts inside the session only. -20 to 19. Where we may not it stays as it is, and the log says so.
 */
export function takePlaceAmongPrograms(niceness: number, { log }: { readonly log: Logger }): void {
  try {
    setPriority(niceness);
  } catch (error) {
    log.warn('the priority stays as it is: late probes may be taken for a slow network', {
      niceness,
      reason: error instanceof Error ? error.message : String(error),
    });
    return;
  }
  try {
    if (leadsSession()) writeFileSync('/proc/self/autogroup', `${niceness}`);
  } catch {
    // No such groups here, or they are not ours to set: niceness counts among all programs, or a cgroup's weight does.
  }
}

function leadsSession(): boolean {
  return readProcessStat(process.pid)[SESSION_FIELD] === String(process.pid);
}
