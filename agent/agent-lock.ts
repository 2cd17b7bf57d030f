/**
 * One agent per state directory: agent.pid names the process, with its start time so that a pid that was given anew
 * after a crash is not taken for a running agent.
 */
import { randomBytes } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import { readProcessStat } from '../protocol/process-stat.ts';
import { errnoOf, readSmallFile } from './atomic-file.ts';

/** Tells a running agent to leave: to have paths moved off its node, and then to end. */
export const LEAVE_SIGNAL = 'SIGUSR2';

export interface RunningAgent {
  readonly pid: number;
}

/** The agent that holds the state directory, or undefined where none runs. */
export async function runningAgent(stateDir: string): Promise<RunningAgent | undefined> {
  const bytes = await readSmallFile(join(stateDir, 'agent.pid'), 256);
  const match = /^(\d+) (\d+)\n$/.exec(bytes?.toString('utf8') ?? '');
  if (match === null) return undefined;
  const pid = Number(match[1]);
  return startTicks(pid) === match[2] ? { pid } : undefined;
}

/** Takes the lock; the returned function gives it back. Throws `conflict` where another agent runs. */
export async function lockStateDir(stateDir: string): Promise<() => Promise<void>> {
  const path = join(stateDir, 'agent.pid');
  const own = join(stateDir, `.agent.pid.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      // Linked when it is whole, so that nobody ever reads a lock that does not name its holder.
      await writeFile(own, `${process.pid} ${startTicks(process.pid) ?? '0'}\n`, { mode: 0o600 });
      await link(own, path);
      return () => rm(path, { force: true });
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') {
        throw new ThalwegError('storage_failed', `cannot write ${path}: ${errnoOf(cause) ?? 'unknown'}`, {
          cause,
          fields: { path },
        });
      }
      const running = await runningAgent(stateDir);
      if (running !== undefined) throw alreadyRunning(stateDir, running.pid);
      await rm(path, { force: true });
    } finally {
      await rm(own, { force: true });
    }
  }
  throw new ThalwegError('conflict', `another agent is starting on ${stateDir}`, { fields: { stateDir } });
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)): start time in ticks since boot. Undefined: no such process. */
function startTicks(pid: number): string | undefined {
  try {
    return readProcessStat(pid)[22];
  } catch {
    return undefined;
  }
}

function alreadyRunning(stateDir: string, pid: number): ThalwegError {
  return new ThalwegError('conflict', `an agent already runs on ${stateDir} (process ${pid})`, {
    fields: { stateDir, pid },
    nextStep: 'stop it first (`kill`, or systemctl stop thalweg-agent), or choose another --state-dir',
  });
}
