/** How a peer's wireguard-go is started, so that it has the session, the priority and the threads of ours: the tunnel is not compared. */
import { DEFAULT_NICENESS } from '../agent/scheduling.ts';
import { hostEnvironment } from '../netlab/host-environment.ts';
import type { Lab } from '../netlab/lab.ts';
import { type CommandOptions, runChecked } from '../overlay/command-runner.ts';
import { priorityPrefix } from '../overlay/process-runner.ts';
import { TUN_QUEUE_PACKETS } from '../overlay/route/link-plan.ts';
import { widenReceiveBuffers } from '../overlay/wireguard/receive-buffers.ts';
import { DATA_PLANE_NICENESS } from '../overlay/wireguard/wireguard-device.ts';
import { ThalwegError } from '../protocol/error.ts';

/** The words before `wireguard-go DEVICE`, in a lab of so many hosts. */
export function tunnelStart(hosts: number): readonly string[] {
  const bounds = Object.entries(hostEnvironment(hosts)).map(([key, value]) => `${key}=${value}`);
  const asTheAgent = ['setsid', '--wait', 'nice', '-n', `${DEFAULT_NICENESS}`];
  const priority = priorityPrefix({ niceness: DATA_PLANE_NICENESS, daemon: true });
  return [...asTheAgent, ...priority, 'env', 'LOG_LEVEL=silent', ...bounds];
}

/** Queue and receive buffers as ours has them; for tunnels that are up. Throws command_failed. */
export async function widenTunnels(lab: Lab, host: string, devices: readonly string[]): Promise<void> {
  const runner = {
    run: (argv: readonly string[], { stdin = '' }: CommandOptions = {}) => lab.exec(host, argv, { stdin }),
  };
  for (const device of devices) {
    await runChecked(runner, ['ip', 'link', 'set', device, 'txqueuelen', `${TUN_QUEUE_PACKETS}`]);
  }
  const outcome = await widenReceiveBuffers(runner);
  if ('reason' in outcome) throw new ThalwegError('command_failed', `receive buffers: ${outcome.reason}`);
}

/** The same as one line of a shell. */
export function tunnelStartLine(hosts: number): string {
  return tunnelStart(hosts)
    .map((word) => `'${word}'`)
    .join(' ');
}
