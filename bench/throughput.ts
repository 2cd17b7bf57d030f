/**
 * Throughput of the overlay beside plain WireGuard between the same hosts, in turn, in one lab:
 *
 *   direct   a -> b, one session             against  plain WireGuard a -> b
 *   detour   a -> r -> b, VXLAN-GPE inside   against  plain WireGuard a -> r -> b (r forwards in the kernel)
 *
 * One TCP stream by iperf3, after a second that is not counted. The two go first in turn, and what is compared is the ratio
 * pair by pair, since the machine's speed drifts. Two things would otherwise decide more than the tunnel does: Linux
 * remembers a slow start threshold per destination (tcp_no_metrics_save), and where its scheduler groups by session
 * (sched_autogroup), the CPU share of a program depends on who started it; so all have sessions of their own.
 */
import { ThalwegError } from '../protocol/error.ts';
import { type BenchLab, median, withBenchLab } from './bench-lab.ts';
import { addPlainWireGuard, PLAIN_ADDRESSES } from './plain-wireguard.ts';

/** A full queue is delay to whoever probes through it: no detour is taken for that while a way is measured. */
const CORE = { steering: { transitHopUs: 1_000_000, loadAware: false } };

export interface ThroughputOptions {
  readonly rounds: number;
  /** Counted seconds of each run. */
  readonly seconds: number;
}

interface Comparison {
  readonly name: 'direct' | 'detour';
  readonly oursMbps: readonly number[];
  readonly plainMbps: readonly number[];
  /** Median of ours / plain, pair by pair. */
  readonly ratio: number;
  readonly aim: number;
}

export interface ThroughputResult {
  readonly benchmark: 'throughput';
  readonly peer: string;
  readonly comparisons: readonly Comparison[];
}

export async function benchThroughput(options: ThroughputOptions): Promise<ThroughputResult> {
  return await withBenchLab(
    ['a', 'r', 'b'],
    async (bench) => {
      await addPlainWireGuard(bench.lab);
      for (const host of ['a', 'b']) await bench.lab.exec(host, ['sysctl', '-qw', 'net.ipv4.tcp_no_metrics_save=1']);
      const target = (await bench.node('b')).node4;
      const source = (await bench.node('a')).node4;
      await bench.untilPath('a', 'b', ['a', 'b']);
      const { one, two } = PLAIN_ADDRESSES;
      const direct = await compare(bench, 'direct', 0.97, [source, target], [one.a, one.b], options);
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const) {
        await bench.lab.setLink(from, to, { cut: true });
      }
      await bench.untilPath('a', 'b', ['a', 'r', 'b']);
      await bench.untilPath('b', 'a', ['b', 'r', 'a']);
      const detour = await compare(bench, 'detour', 0.95, [source, target], [two.a, two.b], options);
      const backend = (await bench.node('a')).wireguardBackend ?? 'WireGuard';
      return { benchmark: 'throughput', peer: `plain ${backend}, static configuration`, comparisons: [direct, detour] };
    },
    CORE,
  );
}

type Pair = readonly [source: string, target: string];

async function compare(
  bench: BenchLab,
  name: Comparison['name'],
  aim: number,
  ours: Pair,
  plain: Pair,
  options: ThroughputOptions,
): Promise<Comparison> {
  const oursMbps: number[] = [];
  const plainMbps: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    if (round % 2 === 0) oursMbps.push(await measureMbps(bench, ours, options.seconds));
    plainMbps.push(await measureMbps(bench, plain, options.seconds));
    if (round % 2 === 1) oursMbps.push(await measureMbps(bench, ours, options.seconds));
  }
  const ratio = median(oursMbps.map((mbps, i) => mbps / (plainMbps[i] ?? Number.NaN)));
  return { name, oursMbps, plainMbps, ratio, aim };
}

/** Megabits of TCP payload per second from host a to host b between two addresses. */
async function measureMbps({ lab }: BenchLab, [source, target]: Pair, seconds: number): Promise<number> {
  const server = lab.spawn('b', ['setsid', 'iperf3', '--server', '--one-off', '--bind', target], { stdio: 'ignore' });
  try {
    const measure = ['--json', '--omit', '1', '--time', String(seconds), '--bind', source, '--client', target];
    const client = ['setsid', '--wait', 'iperf3', ...measure];
    const deadline = performance.now() + 10_000;
    for (;;) {
      const result = await lab.exec('a', client, { timeoutMs: (seconds + 20) * 1000 });
      const bitsPerSecond = receivedBitsPerSecond(result.stdout);
      if (bitsPerSecond !== undefined) return bitsPerSecond / 1e6;
      // The server may not be listening yet; with --json iperf3 says so and exits with 0.
      if (performance.now() > deadline) {
        throw new ThalwegError('command_failed', `iperf3 from ${source} to ${target}: ${result.stdout.slice(-300)}`);
      }
    }
  } finally {
    server.kill('SIGKILL');
  }
}

function receivedBitsPerSecond(json: string): number | undefined {
  const report = JSON.parse(json) as { end?: { sum_received?: { bits_per_second?: unknown } } };
  const value = report.end?.sum_received?.bits_per_second;
  return typeof value === 'number' && value > 0 ? value : undefined;
}
