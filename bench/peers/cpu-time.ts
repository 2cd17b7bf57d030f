/** CPU time of a host's programs, from /proc/PID/stat. The kernel's own work for packets is in nobody's time. */
import { readFileSync } from 'node:fs';
import { namespaceName } from '../../netlab/host-plan.ts';
import type { Lab } from '../../netlab/lab.ts';
import { namespacePath } from '../../netlab/namespace.ts';
import { processesInNamespace } from '../../netlab/process-record.ts';

/** USER_HZ, which is 100 on every Linux that Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

export type ProgramKind = 'tunnel' | 'traffic' | 'control';

export interface CpuTime {
  /** Seconds, of the process and of its children that have ended. */
  readonly seconds: number;
  readonly name: string;
}

/** Fields 2 (name), 14 to 17 (time of it and of its children, in ticks) of a line of /proc/PID/stat. Null: no such line. */
export function cpuTimeIn(stat: string): CpuTime | null {
  const [open, close] = [stat.indexOf('('), stat.lastIndexOf(')')];
  if (open < 0 || close < open) return null;
  const fields = stat.slice(close + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return Number.isFinite(ticks) ? { seconds: ticks / TICKS_PER_SECOND, name: stat.slice(open + 1, close) } : null;
}

export function programKind(name: string, commandLine: string): ProgramKind {
  if (name === 'wireguard-go') return 'tunnel';
  return commandLine.includes('netlab/traffic/') ? 'traffic' : 'control';
}

/** Seconds of CPU time of what runs on the host, by process. */
export function hostCpuTimes(lab: Lab, host: string): Map<number, { kind: ProgramKind; seconds: number }> {
  const times = new Map<number, { kind: ProgramKind; seconds: number }>();
  for (const { pid } of processesInNamespace(namespacePath(namespaceName(lab.name, host)))) {
    try {
      const time = cpuTimeIn(readFileSync(`/proc/${pid}/stat`, 'latin1'));
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      if (time !== null) times.set(pid, { kind: programKind(time.name, commandLine), seconds: time.seconds });
    } catch {
      // it ended in between
    }
  }
  return times;
}
