/** CPU time of a host's programs, from /proc/PID/stat. The kernel's own work for packets is in nobody's time. */
import { readFileSync } from 'node:fs';
import { namespaceName } from '../../netlab/host-plan.ts';
import type { Lab } from '../../netlab/lab.ts';
import { namespacePath } from '../../netlab/namespace.ts';
import { processesInNamespace } from '../../netlab/process-record.ts';
import { parseProcessStat, processorMs } from '../../protocol/process-stat.ts';

export type ProgramKind = 'tunnel' | 'traffic' | 'control';

export interface CpuTime {
  /** Seconds, of the process and of its children that have ended. */
  readonly seconds: number;
  readonly name: string;
}

/** From a line of /proc/PID/stat. Null: no such line. */
export function cpuTimeIn(stat: string): CpuTime | null {
  const fields = parseProcessStat(stat);
  if (fields === null) return null;
  const [, , name = ''] = fields;
  const ms = processorMs(fields, true);
  return Number.isFinite(ms) ? { seconds: ms / 1000, name } : null;
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
