/**
 * What an agent costs the device it runs on: resident memory and CPU of the agent process at a number of peers, probing
 * each five times a second and reflecting as many, beside a bare Node process in the same run. wireguard-go, where the
 * kernel has no WireGuard, is shown on its own line: it is not ours, but the device pays for it.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { ThalwegError } from '../protocol/error.ts';
import { median, withBenchLab } from './bench-lab.ts';

/** Kernel ticks per second of /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface FootprintOptions {
  readonly peers: number;
  readonly seconds: number;
}

interface ProcessCost {
  readonly rssMegabytes: number;
  readonly cpuPercentOfOneCore: number;
}

export interface FootprintResult {
  readonly benchmark: 'agent-footprint';
  readonly peers: number;
  readonly seconds: number;
  /** Median over the agents; and the largest. */
  readonly agent: ProcessCost & { readonly worstRssMegabytes: number; readonly worstCpuPercent: number };
  readonly wireguard: ProcessCost | null;
  readonly bareNode: ProcessCost;
  readonly aim: ProcessCost;
}

export async function benchAgentFootprint({ peers, seconds }: FootprintOptions): Promise<FootprintResult> {
  const hosts = Array.from({ length: peers + 1 }, (_, i) => `h${i + 1}`);
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    return await withBenchLab(hosts, async ({ lab }) => {
      const agents: number[] = [];
      const wireguards: number[] = [];
      for (const host of hosts) {
        for (const pid of await processesOf(`tw-${lab.name}-${host}`)) {
          const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
          if (/thalweg agent|main\.js\0agent/.test(command)) agents.push(pid);
          else if (command.includes('wireguard-go')) wireguards.push(pid);
        }
      }
      if (agents.length !== hosts.length) {
        throw new ThalwegError('internal', `found ${agents.length} agent processes for ${hosts.length} hosts`);
      }
      await pause(15_000); // joining is over, the heap has been collected once
      const all = [...agents, ...wireguards, bare.pid ?? 0];
      const before = await Promise.all(all.map(cpuSeconds));
      await pause(seconds * 1000);
      const costs = await Promise.all(
        all.map(async (pid, i) => ({
          rssMegabytes: await rssMegabytes(pid),
          cpuPercentOfOneCore: (((await cpuSeconds(pid)) - (before[i] ?? 0)) / seconds) * 100,
        })),
      );
      const agentCosts = costs.slice(0, agents.length);
      const wireguardCosts = costs.slice(agents.length, -1);
      const bareNode = costs.at(-1);
      if (bareNode === undefined) throw new ThalwegError('internal', 'no bare Node process');
      return {
        benchmark: 'agent-footprint',
        peers,
        seconds,
        agent: {
          ...middle(agentCosts),
          worstRssMegabytes: Math.max(...agentCosts.map((c) => c.rssMegabytes)),
          worstCpuPercent: Math.max(...agentCosts.map((c) => c.cpuPercentOfOneCore)),
        },
        wireguard: wireguardCosts.length === 0 ? null : middle(wireguardCosts),
        bareNode,
        aim: { rssMegabytes: 90, cpuPercentOfOneCore: 3 },
      };
    });
  } finally {
    bare.kill('SIGKILL');
  }
}

function middle(costs: readonly ProcessCost[]): ProcessCost {
  return {
    rssMegabytes: median(costs.map((c) => c.rssMegabytes)),
    cpuPercentOfOneCore: median(costs.map((c) => c.cpuPercentOfOneCore)),
  };
}

/** Processes whose network namespace is the named one. */
async function processesOf(namespace: string): Promise<number[]> {
  const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
    const child = spawn('ip', ['netns', 'pids', namespace], { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', () => resolve({ stdout: Buffer.concat(chunks).toString('utf8') }));
  });
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function rssMegabytes(pid: number): Promise<number> {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? Number.NaN) / 1024;
}
