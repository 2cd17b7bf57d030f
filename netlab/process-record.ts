/** A process as it is remembered across programs: its id and when it started, so that a reused id is not mistaken for it. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { readProcessStat } from '../protocol/process-stat.ts';
import { pause } from './pause.ts';

export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks from boot to start: field 22 of /proc/PID/stat (proc(5)). */
  readonly startTicks: number;
}

/** Time for SIGKILL to take effect on a busy machine. */
const KILL_DEADLINE_MS = 10_000;
const POLL_MS = 10;

/** Undefined when there is no such process, or only its zombie. */
export function recordOf(pid: number): ProcessRecord | undefined {
  try {
    const { 3: state, 22: startTicks } = readProcessStat(pid);
    return state === 'Z' || state === 'X' ? undefined : { pid, startTicks: Number(startTicks) };
  } catch {
    return undefined;
  }
}

export function isAlive(record: ProcessRecord): boolean {
  return recordOf(record.pid)?.startTicks === record.startTicks;
}

/** Sends the signal if this very process is still there. */
export function signalProcess(record: ProcessRecord, signal: NodeJS.Signals): void {
  if (!isAlive(record)) return;
  try {
    process.kill(record.pid, signal);
  } catch {
    // It ended in between.
  }
}

/** True when it is gone before the deadline. */
export async function waitForEnd(record: ProcessRecord, deadlineMs: number): Promise<boolean> {
  const until = performance.now() + deadlineMs;
  while (isAlive(record)) {
    if (performance.now() > until) return false;
    await pause(POLL_MS);
  }
  return true;
}

export async function killProcesses(records: readonly ProcessRecord[]): Promise<void> {
  for (const record of records) signalProcess(record, 'SIGKILL');
  for (const record of records) await waitForEnd(record, KILL_DEADLINE_MS);
}

/** Every process whose network namespace is the file at `namespacePath`, as under /run/netns. */
export function processesInNamespace(namespacePath: string): ProcessRecord[] {
  let inode: number;
  try {
    inode = statSync(namespacePath).ino;
  } catch {
    return [];
  }
  const found: ProcessRecord[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readlinkSync(`/proc/${entry}/ns/net`) !== `net:[${inode}]`) continue;
    } catch {
      continue; // ended, or a kernel thread
    }
    const record = recordOf(Number(entry));
    if (record !== undefined) found.push(record);
  }
  return found;
}

/** Kills until none is left: a program may start another while it is being killed. */
export async function emptyNamespace(namespacePath: string): Promise<number> {
  let killed = 0;
  const until = performance.now() + KILL_DEADLINE_MS;
  for (;;) {
    const records = processesInNamespace(namespacePath);
    if (records.length === 0 || performance.now() > until) return killed;
    killed += records.length;
    await killProcesses(records);
  }
}
