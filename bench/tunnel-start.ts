/** How a peer's wireguard-go is started, so that it has the session, the priority and the threads of ours: the tunnel is not compared. */
import { DEFAULT_NICENESS } from '../agent/scheduling.ts';
import { hostEnvironment } from '../netlab/host-environment.ts';
import { priorityPrefix } from '../overlay/process-runner.ts';
import { DATA_PLANE_NICENESS } from '../overlay/wireguard/wireguard-device.ts';

/** The words before `wireguard-go DEVICE`, in a lab of so many hosts. */
export function tunnelStart(hosts: number): readonly string[] {
  const bounds = Object.entries(hostEnvironment(hosts)).map(([key, value]) => `${key}=${value}`);
  const asTheAgent = ['setsid', '--wait', 'nice', '-n', `${DEFAULT_NICENESS}`];
  const priority = priorityPrefix({ niceness: DATA_PLANE_NICENESS, daemon: true });
  return [...asTheAgent, ...priority, 'env', 'LOG_LEVEL=silent', ...bounds];
}

/** The same as one line of a shell. */
export function tunnelStartLine(hosts: number): string {
  return tunnelStart(hosts)
    .map((word) => `'${word}'`)
    .join(' ');
}
