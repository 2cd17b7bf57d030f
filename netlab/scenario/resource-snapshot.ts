/** Memory, descriptors, processes and WireGuard peers of a lab host, to see whether something leaks. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { RunLab } from './run-lab.ts';

export interface ResourceSnapshot {
  readonly processes: number;
  readonly descriptors: number;
  readonly memoryBytes: number;
  /** WireGuard sessions of tw0; null where there is no tw0. */
  readonly peers: number | null;
}

/** Everything that runs in the host's network namespace right now, but not what is only there to look. */
export async function resourceSnapshot(lab: RunLab, host: string): Promise<ResourceSnapshot> {
  const namespace = (await lab.exec(host, ['readlink', '/proc/self/ns/net'])).stdout.trim();
  const peers = await lab.exec(host, ['wg', 'show', 'tw0', 'peers']);
  let [processes, descriptors, memoryBytes] = [0, 0, 0];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const seen = await processResources(pid, namespace);
    if (seen === null) continue;
    processes++;
    descriptors += seen.descriptors;
    memoryBytes += seen.memoryBytes;
  }
  const count = peers.stdout.split('\n').filter((line) => line !== '').length;
  return { processes, descriptors, memoryBytes, peers: peers.exitCode === 0 ? count : null };
}

/** Null for processes of other namespaces and for those that ended while they were looked at. */
async function processResources(
  pid: string,
  namespace: string,
): Promise<{ descriptors: number; memoryBytes: number } | null> {
  try {
    if ((await readlink(`/proc/${pid}/ns/net`)) !== namespace) return null;
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const rssKib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    return { descriptors: (await readdir(`/proc/${pid}/fd`)).length, memoryBytes: rssKib * 1024 };
  } catch {
    return null;
  }
}
