/** Network namespaces as `ip netns` keeps them, and how to run a program in one. */
import { readdirSync } from 'node:fs';
import { runMachine } from './machine-command.ts';

const NETNS_DIR = '/run/netns';
/** Where WireGuard's user-space implementation and `wg` meet (wireguard-go, rwcancel; /var/run is /run). */
export const WIREGUARD_DIR = '/run/wireguard';

export function namespacePath(namespace: string): string {
  return `${NETNS_DIR}/${namespace}`;
}

export function listNamespaces(): string[] {
  try {
    return readdirSync(NETNS_DIR);
  } catch {
    return []; // none was ever made on this machine
  }
}

/** The argv that runs `argv` in the namespace. The process id stays the caller's child's. */
export function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=${namespacePath(namespace)}`, '--', ...argv];
}

/**
 * As inNamespace, and with a WireGuard socket directory of the host's own, in a mount namespace that ends with the
 * program: hosts share a file system, and two `tw0` would share one socket. Not `ip netns exec`, which mounts /sys anew.
 */
export function inHost(namespace: string, wireguardDir: string, argv: readonly string[]): string[] {
  const script = `mkdir -p ${WIREGUARD_DIR} && mount --bind "$0" ${WIREGUARD_DIR} && exec "$@"`;
  return inNamespace(namespace, ['unshare', '-m', '--', 'sh', '-c', script, wireguardDir, ...argv]);
}

/** Commands of `ip`, one per line, without `ip` itself; stops at the first that fails. `namespace` undefined: this one. */
export async function ipBatch(namespace: string | undefined, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const where = namespace === undefined ? [] : ['-n', namespace];
  await runMachine(['ip', ...where, '-batch', '-'], `${lines.join('\n')}\n`);
}
