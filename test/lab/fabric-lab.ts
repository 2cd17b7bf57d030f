/** What the fabric's tests share: labs with names of their own, and what is left of them on the machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lab, type LabSpec } from '../../netlab/lab.ts';
import { type LinkShape, PERFECT_LINK } from '../../netlab/link-shape.ts';
import { silentLogger } from '../../protocol/log.ts';

export const distDir = fileURLToPath(new URL('../../dist', import.meta.url));
/** Namespaces and programs need root; without it the tests say so and are skipped. */
export const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('SKIPPED: the lab tests need root (network namespaces)\n');

export function specOf(name: string, hosts: readonly string[], shape: Partial<LinkShape>, more: Partial<LabSpec> = {}) {
  return {
    name,
    // With a field more, as the hosts of a scenario have.
    hosts: hosts.map((host) => ({ name: host, transit: true, joins: 'now' })),
    links: () => ({ ...PERFECT_LINK, ...shape }),
    core: {},
    agent: {},
    keepOnExit: false,
    ...more,
  } satisfies LabSpec;
}

export async function withLab(spec: LabSpec, body: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.up(spec, { log: silentLogger, distDir });
  try {
    await body(lab);
  } finally {
    await lab.down();
  }
}

export interface PingResult {
  readonly sent: number;
  /** Milliseconds, ascending. */
  readonly rttsMs: readonly number[];
  readonly p50Ms: number;
}

export async function ping(
  lab: Lab,
  from: string,
  to: string,
  count: number,
  intervalS = 0.01,
  sizeBytes = 56,
): Promise<PingResult> {
  const argv = [
    'ping',
    '-n',
    '-c',
    `${count}`,
    '-i',
    `${intervalS}`,
    '-s',
    `${sizeBytes}`,
    '-W',
    '1',
    lab.underlayAddress(to),
  ];
  const { stdout } = await lab.exec(from, argv);
  const rttsMs = [...stdout.matchAll(/time=([\d.]+)/g)].map((m) => Number(m[1])).sort((a, b) => a - b);
  return { sent: count, rttsMs, p50Ms: rttsMs[rttsMs.length >> 1] ?? Number.NaN };
}

/** Everything on the machine that names the lab: namespaces, directories, interfaces, processes, mounts. */
export function tracesOf(name: string): string[] {
  const found: string[] = [];
  for (const dir of ['/run/netns', '/run/thalweg-lab']) {
    const entries = existsSync(dir) ? readdirSync(dir) : [];
    found.push(...entries.filter((e) => e === name || e.startsWith(`tw-${name}-`)).map((e) => `${dir}/${e}`));
  }
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && entry !== `${process.pid}`)) {
    const command = readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
    // The lab's name in its paths and namespaces, or as the reaper's last word.
    const mine = [`tw-${name}-`, `thalweg-lab/${name}/`].some((part) => command.includes(part));
    if (mine || command.endsWith(`reaper-program.js ${name} `)) found.push(`process ${pid}: ${command}`);
  }
  const mounts = readIfThere('/proc/self/mounts').split('\n');
  found.push(...mounts.filter((line) => line.includes(`tw-${name}-`) || line.includes(`thalweg-lab/${name}/`)));
  return found;
}

/** Interfaces of the root namespace, to compare before and after. */
export function rootInterfaces(): string[] {
  const { stdout } = spawnSync('ip', ['-o', 'link', 'show'], { encoding: 'utf8' });
  return stdout.split('\n').map((line) => line.split(':')[1]?.trim() ?? '');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
