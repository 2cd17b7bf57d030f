/**
 * What an agent costs the device it runs on: resident memory and CPU of the agent process at a number of peers, probing
 * each five times a second and reflecting as many, beside a bare Node process in the same run. wireguard-go, where the
 * kernel has no WireGuard, is shown on its own line: it is not ours, but the device pays for it.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ThalwegError } from '../protocol/error.ts';
import { processorMs, readProcessStat } from '../protocol/process-stat.ts';
import { median, withBenchLab } from './bench-lab.ts';

/**
 * Thirteen agents take more CPU than a small machine has, and make one another late by more than their links' RTT. What is
 * asked here is what probing costs, so no detour is worth its price and no route moves.
 */
const CORE = { steering: { transitHopUs: 1_000_000 } };

export interface FootprintOptions {
  readonly peers: number;
  readonly seconds: number;
  /** Waited before: joining is over after 15, V8 has compiled what runs often after 240. */
  readonly settle: number;
}

interface ProcessCost {
  readonly rssMegabytes: number;
  readonly cpuPercentOfOneCore: number;
}

export interface FootprintResult {
  readonly benchmark: 'agent-footprint';
  readonly peers: number;
  readonly seconds: number;
  readonly settle: number;
  /** Median over the agents; and the largest. CPU includes that of the programs it starts. */
  readonly agent: ProcessCost & {
    /** Of the shell and the monitors that it keeps running. */
    readonly programsMegabytes: number;
    readonly worstRssMegabytes: number;
    readonly worstCpuPercent: number;
  };
  readonly wireguard: ProcessCost | null;
  readonly bareNode: ProcessCost;
  readonly aim: ProcessCost;
}

export async function benchAgentFootprint({ peers, seconds, settle }: FootprintOptions): Promise<FootprintResult> {
  const hosts = Array.from({ length: peers + 1 }, (_, i) => `h${i + 1}`);
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    return await withBenchLab(
      hosts,
      async ({ lab }) => {
        const groups = await Promise.all(hosts.map((host) => groupOf(`tw-${lab.name}-${host}`)));
        await pause(settle * 1000);
        const cpuOf = (group: HostGroup) => ({ agent: sumOf(group.agent), wireguard: sumOf(group.wireguard) });
        const sumOf = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
        const bareBefore = cpuSeconds(bare.pid ?? 0);
        const before = groups.map(cpuOf);
        await pause(seconds * 1000);
        const percent = (after: number, begin = 0) => ((after - begin) / seconds) * 100;
        const costs = groups.map((group, i) => {
          const cpu = cpuOf(group);
          const [main = 0, ...others] = group.agent;
          return {
            agent: {
              rssMegabytes: rssMegabytes(main),
              cpuPercentOfOneCore: percent(cpu.agent, before[i]?.agent),
              programsMegabytes: others.reduce((sum, pid) => sum + rssMegabytes(pid), 0),
            },
            wireguard: {
              rssMegabytes: group.wireguard.reduce((sum, pid) => sum + rssMegabytes(pid), 0),
              cpuPercentOfOneCore: percent(cpu.wireguard, before[i]?.wireguard),
            },
          };
        });
        const agents = costs.map((cost) => cost.agent);
        return {
          benchmark: 'agent-footprint',
          peers,
          seconds,
          settle,
          agent: {
            ...middle(agents),
            programsMegabytes: median(agents.map((cost) => cost.programsMegabytes)),
            worstRssMegabytes: Math.max(...agents.map((cost) => cost.rssMegabytes)),
            worstCpuPercent: Math.max(...agents.map((cost) => cost.cpuPercentOfOneCore)),
          },
          wireguard: groups.every((group) => group.wireguard.length === 0)
            ? null
            : middle(costs.map((cost) => cost.wireguard)),
          bareNode: {
            rssMegabytes: rssMegabytes(bare.pid ?? 0),
            cpuPercentOfOneCore: percent(cpuSeconds(bare.pid ?? 0), bareBefore),
          },
          aim: { rssMegabytes: 90, cpuPercentOfOneCore: 3 },
        };
      },
      CORE,
    );
  } finally {
    bare.kill('SIGKILL');
  }
}

interface HostGroup {
  /** The agent first, then the programs that it keeps running: a shell and two monitors. */
  readonly agent: readonly number[];
  readonly wireguard: readonly number[];
}

async function groupOf(namespace: string): Promise<HostGroup> {
  const agent: number[] = [];
  const wireguard: number[] = [];
  for (const pid of await processesOf(namespace)) {
    const command = commandOf(pid);
    if (command.startsWith('wireguard-go')) wireguard.push(pid);
    else if (command.startsWith('thalweg-agent')) agent.unshift(pid);
    else if (!command.startsWith('socat')) agent.push(pid);
  }
  if (!commandOf(agent[0] ?? 0).startsWith('thalweg-agent')) {
    throw new ThalwegError('internal', `no agent runs in ${namespace}`);
  }
  return { agent, wireguard };
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

/** Empty where it has ended: an agent starts short programs too. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
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

/** Of the process and of its children that have ended; 0 when it has ended itself. */
function cpuSeconds(pid: number): number {
  try {
    return processorMs(readProcessStat(pid), true) / 1000;
  } catch {
    return 0;
  }
}

function rssMegabytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(statusOf(pid));
  return Number(match?.[1] ?? 0) / 1024;
}
