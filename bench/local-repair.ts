/**
 * How long local repair takes with few and many prefixes behind the failed neighbour, on a real kernel in a network
 * namespace of its own: what the agent does (`KernelOverlay.repair`, programs and all), the change of one next-hop object
 * in the kernel alone (a batch of many, less one of none), and what moving each route by itself would take.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelOverlay } from '../overlay/kernel-overlay.ts';
import type { DesiredOverlay, NeighbourHop, OverlayRoute } from '../overlay/overlay-state.ts';
import { DEFAULT_ADDRESS_PLAN } from '../protocol/address-plan.ts';
import { ThalwegError } from '../protocol/error.ts';
import { quantile } from './quantile.ts';
import { type Values, whole } from './values.ts';

export const LOCAL_REPAIR_KEYS = ['prefixes', 'count'];

/** Changes of one object in one batch: enough that starting `ip` does not show. */
const BATCH = 400;
const FEW = 10;

const via = (neighbour: string): NeighbourHop => ({
  neighbour,
  hop: { kind: 'detour', plane: 'a', via: neighbour, weight: 1 },
});
const [FAILED, BACKUP] = ['100.112.0.2', '100.112.0.3'];
const STANDBY = { primary: via(FAILED), backups: [via(BACKUP)] };

export async function benchLocalRepair(values: Values) {
  const prefixes = whole(values, 'prefixes', { otherwise: 10_000, most: 65_000 });
  const count = whole(values, 'count', { otherwise: 20, most: 1000 });
  const stateDir = mkdtempSync(join(tmpdir(), 'thalweg-local-repair-'));
  const privateKeyFile = join(stateDir, 'wireguard.key');
  writeFileSync(privateKeyFile, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
  const holder = spawn('unshare', ['--net', '--mount', 'sleep', '3600'], { stdio: 'ignore' });
  try {
    const commandPrefix = ['nsenter', '-t', String(holder.pid), '-n', '-m', '--'];
    const run = (argv: readonly string[], input = ''): number => runTimed([...commandPrefix, ...argv], input);
    // the namespaces are there when the child has become sleep
    for (let tries = 0; spawnSync('readlink', [`/proc/${holder.pid}/exe`]).stdout.includes('unshare'); tries++) {
      if (tries > 200)
        throw new ThalwegError('missing_privilege', 'no network namespace was made', { nextStep: 'run as root' });
    }
    run(['sh', '-c', 'mkdir -p /run/wireguard && mount -t tmpfs none /run/wireguard && ip link set lo up']);
    const overlay = KernelOverlay.open({ stateDir, privateKeyFile, commandPrefix });
    const results = [];
    for (const size of [FEW, prefixes]) results.push(await measure(overlay, run, size, count));
    await overlay.remove();
    return { count, batch: BATCH, results };
  } finally {
    holder.kill('SIGKILL');
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function measure(
  overlay: KernelOverlay,
  run: (argv: readonly string[], input?: string) => number,
  prefixes: number,
  count: number,
) {
  await overlay.apply(desired(prefixes));
  const repairMs: number[] = [];
  let replace = '';
  for (let i = 0; i < count; i++) {
    for (const down of [new Set([FAILED]), new Set<string>()]) {
      const begunMs = performance.now();
      const { changes } = await overlay.repair(down);
      repairMs.push(performance.now() - begunMs);
      if (changes.length !== 1) throw new ThalwegError('internal', `a repair made ${changes.length} changes`);
      if (down.size > 0) replace = changes[0] ?? '';
    }
  }
  const back = replace.replace(`dst ${BACKUP}`, `dst ${FAILED}`);
  const lines = Array.from({ length: BATCH }, (_, i) => (i % 2 === 0 ? replace : back));
  const perObjectMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const emptyMs = run(['ip', '-batch', '-']);
    perObjectMs.push(Math.max(0, run(['ip', '-batch', '-'], `${lines.join('\n')}\n`) - emptyMs) / BATCH);
  }
  const [id = ''] = /\d{6,}/.exec(replace) ?? [];
  const moves = desired(prefixes).routes.map(
    ({ prefix }) => `route replace ${prefix} nhid ${id} src 100.96.0.1 mtu 1384 table 8400 protocol 84`,
  );
  const perRouteMs = Array.from({ length: 3 }, () => run(['ip', '-batch', '-'], `${moves.join('\n')}\n`));
  return {
    prefixes,
    repairMs: { p50: rounded(quantile(repairMs, 0.5)), p95: rounded(quantile(repairMs, 0.95)) },
    inKernelUs: {
      p50: Math.round(quantile(perObjectMs, 0.5) * 1000),
      p95: Math.round(quantile(perObjectMs, 0.95) * 1000),
    },
    everyRouteByItselfMs: rounded(quantile(perRouteMs, 0.5)),
  };
}

function desired(prefixes: number): DesiredOverlay {
  const routes = Array.from({ length: prefixes }, (_, at): OverlayRoute => {
    const prefix = `100.${97 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}/32`;
    return { table: 'source', prefix, nextHops: [STANDBY.primary.hop], standby: STANDBY };
  });
  return {
    addresses: { tunnel: '100.112.0.1', node4: '100.96.0.1', node6: 'fd74:6861:6c77::1' },
    ranges: DEFAULT_ADDRESS_PLAN,
    listenPort: 51_820,
    tunnelMtuBytes: 1420,
    transit: true,
    uplink: false,
    stampPort: 862,
    peers: [],
    routes,
    policy: null,
  };
}

/** Milliseconds that a program took. Throws command_failed. */
function runTimed(argv: readonly string[], input: string): number {
  const [program = '', ...args] = argv;
  const begunMs = performance.now();
  const { status, stderr } = spawnSync(program, args, { input, encoding: 'utf8' });
  const tookMs = performance.now() - begunMs;
  if (status !== 0) throw new ThalwegError('command_failed', `${argv.join(' ')}: ${stderr.slice(0, 300)}`);
  return tookMs;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
