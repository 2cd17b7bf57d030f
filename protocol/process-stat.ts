/** What the kernel says of a process in /proc/PID/stat (proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';

/** Its fields, numbered as in the manual (from 1; 0 is empty). Throws what reading throws when there is no such process. */
export function readProcessStat(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name may hold spaces and parentheses: what follows is counted after the last one.
  const nameBegins = stat.indexOf('(');
  const nameEnds = stat.lastIndexOf(')');
  return [
    '',
    stat.slice(0, nameBegins).trim(),
    stat.slice(nameBegins + 1, nameEnds),
    ...stat.slice(nameEnds + 2).split(' '),
  ];
}
