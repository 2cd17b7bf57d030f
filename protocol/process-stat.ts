/** What the kernel says of a process in /proc/PID/stat (proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';
import { ThalwegError } from './error.ts';

/** Ticks in a second of what /proc says: 100 on every Linux that Node runs on (`getconf CLK_TCK`). */
export const USER_HZ = 100;

/** User and system time of the process, and of its children that it has waited for. */
const OWN_TIMES = [14, 15] as const;
const CHILDRENS_TIMES = [16, 17] as const;

/** The fields of the line, numbered as in the manual (from 1; 0 is empty). Null: no such line. */
export function parseProcessStat(text: string): readonly string[] | null {
  // The name may hold spaces and parentheses: what follows is counted after the last one.
  const nameBegins = text.indexOf('(');
  const nameEnds = text.lastIndexOf(')');
  if (nameBegins < 0 || nameEnds < nameBegins) return null;
  return [
    '',
    text.slice(0, nameBegins).trim(),
    text.slice(nameBegins + 1, nameEnds),
    ...text.slice(nameEnds + 2).split(' '),
  ];
}

/** The fields of that process. Throws what reading throws when there is no such process. */
export function readProcessStat(pid: number): readonly string[] {
  const fields = parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (fields === null) throw new ThalwegError('internal', `/proc/${pid}/stat is not as proc_pid_stat(5) says`);
  return fields;
}

/** Processor time; `withChildren`: also of its children that have ended. NaN: the fields do not say. */
export function processorMs(fields: readonly string[], withChildren: boolean): number {
  const times = withChildren ? [...OWN_TIMES, ...CHILDRENS_TIMES] : OWN_TIMES;
  return (times.reduce((ticks, field) => ticks + Number(fields[field]), 0) * 1000) / USER_HZ;
}
