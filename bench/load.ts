/**
 * Load-aware steering beside latency alone, in one run: three ways of 10 Mbit/s each from a to b, real TCP and UDP through the
 * overlay.
 *
 *            r                a - b            10 ms
 *          /   \              a - r - b        20 ms
 *        a ----- b            a - s - b        20 ms
 *          \   /              every link 10 Mbit/s of Ethernet frames in each direction
 *            s
 *
 * Latency alone: everything goes by a - b. Load-aware: nobody is told a capacity; it is learned from what links carried when
 * delay rose. Both phases have the same flows: 16 TCP streams and 8 of UDP at 0.5 Mbit/s. What is counted is what arrives in the last
 * seconds of a phase, as payload, and the RTT that the kernel measures on each TCP stream (tcp_info, once a second).
 */
import type { LoadView, PathExplanation } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { type BenchLab, withBenchLab } from './bench-lab.ts';
import { quantile } from './quantile.ts';

const LINK_BPS = 10_000_000;
const PATHS = 3;
const TCP_STREAMS = 16;
const UDP_STREAMS = 8;
const UDP_BPS = 500_000;

export interface LoadBenchOptions {
  /** Seconds of each phase, of which the last `countedS` are counted. */
  readonly latencyS: number;
  readonly loadS: number;
  readonly countedS: number;
}

interface Phase {
  readonly tcpMbps: number;
  readonly udpMbps: number;
  readonly goodputMbps: number;
  /** Over the sum of the rates of the three ways. */
  readonly ofCapacity: number;
  readonly rttP50Ms: number;
  readonly rttP99Ms: number;
  readonly perSecondMbps: readonly number[];
}

export interface LoadBenchResult {
  readonly benchmark: 'load';
  readonly capacityMbps: number;
  readonly latencyOnly: Phase;
  readonly loadAware: Phase;
  /** Load-aware over latency alone. */
  readonly goodputRatio: number;
  readonly shares: readonly { readonly path: string; readonly share: number; readonly utilisation: number | null }[];
  readonly load: LoadView;
}

/** Decisions and reports twice as often as by default: the run is short. */
const CORE = { demandIntervalMs: 2_000, steering: { loadAware: false, loadIntervalMs: 5_000 } };

export async function benchLoad(options: LoadBenchOptions): Promise<LoadBenchResult> {
  const slow = { oneWayDelayUs: 5_000, rateBps: LINK_BPS };
  return await withBenchLab(
    ['a', 'r', 's', 'b'],
    async (bench) => {
      const latencyOnly = await measure(bench, options.latencyS, options.countedS);
      await bench.api.post<LoadView>('/v1/load', { aware: true });
      const loadAware = await measure(bench, options.loadS, options.countedS, async () => {
        explained = await bench.api.get<PathExplanation>('/v1/paths/a/b');
        load = await bench.api.get<LoadView>('/v1/load');
      });
      if (load === undefined || explained === undefined)
        throw new ThalwegError('internal', 'the phase was not looked at');
      return {
        benchmark: 'load',
        capacityMbps: (PATHS * LINK_BPS) / 1e6,
        latencyOnly,
        loadAware,
        goodputRatio: loadAware.goodputMbps / latencyOnly.goodputMbps,
        shares: (explained.split?.members ?? []).map(({ path, share, utilisation }) => ({
          path: path.join(' - '),
          share,
          utilisation,
        })),
        load,
      };
    },
    CORE,
    slow,
  );
}

let explained: PathExplanation | undefined;
let load: LoadView | undefined;

interface Interval {
  readonly sum?: { readonly bytes: number; readonly seconds: number; readonly end: number };
  readonly streams?: readonly { readonly rtt?: number }[];
}

interface Report {
  readonly intervals?: readonly Interval[];
}

async function measure(
  bench: BenchLab,
  seconds: number,
  countedS: number,
  nearEnd: () => Promise<void> = async () => {},
): Promise<Phase> {
  const [source, target] = [(await bench.node('a')).node4, (await bench.node('b')).node4];
  const tcp = iperf(bench, source, target, 5201, seconds, ['--parallel', String(TCP_STREAMS)]);
  const udpWords = ['--udp', '--length', '1200', '--bitrate', String(UDP_BPS), '--parallel', String(UDP_STREAMS)];
  const udp = iperf(bench, source, target, 5202, seconds, udpWords);
  const looked = new Promise<void>((resolve, reject) => {
    setTimeout(() => nearEnd().then(resolve, reject), (seconds - 2) * 1000);
  });
  const [tcpReports, udpReports] = await Promise.all([tcp, udp, looked]);
  const [tcpMbps, udpMbps] = [receivedMbps(tcpReports.server, countedS), receivedMbps(udpReports.server, countedS)];
  const [tcpBps, udpBps] = [perSecond(tcpReports.server), perSecond(udpReports.server)];
  const rtts = (tcpReports.client.intervals ?? [])
    .slice(-countedS)
    .flatMap(({ streams }) =>
      (streams ?? []).flatMap(({ rtt }) => (rtt === undefined || rtt === 0 ? [] : [rtt / 1000])),
    );
  return {
    tcpMbps,
    udpMbps,
    goodputMbps: tcpMbps + udpMbps,
    ofCapacity: ((tcpMbps + udpMbps) * 1e6) / (PATHS * LINK_BPS),
    rttP50Ms: quantile(rtts, 0.5),
    rttP99Ms: quantile(rtts, 0.99),
    perSecondMbps: tcpBps.map((bps, i) => Math.round((bps + (udpBps[i] ?? 0)) / 1e5) / 10),
  };
}

async function iperf(
  { lab }: BenchLab,
  source: string,
  target: string,
  port: number,
  seconds: number,
  words: readonly string[],
): Promise<{ readonly client: Report; readonly server: Report }> {
  const serving = lab.exec(
    'b',
    ['iperf3', '--json', '--server', '--one-off', '--bind', target, '--port', String(port)],
    {
      timeoutMs: (seconds + 60) * 1000,
    },
  );
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const client = await lab.exec(
    'a',
    [
      'iperf3',
      '--json',
      '--time',
      String(seconds),
      '--bind',
      source,
      '--port',
      String(port),
      ...words,
      '--client',
      target,
    ],
    { timeoutMs: (seconds + 60) * 1000 },
  );
  return { client: JSON.parse(client.stdout) as Report, server: JSON.parse((await serving).stdout) as Report };
}

/** Of the last seconds of all: an interval of iperf's is seldom a second where processors are busy, and the last one is a part of one. */
function receivedMbps({ intervals }: Report, seconds: number): number {
  const sums = (intervals ?? []).flatMap(({ sum }) => (sum === undefined ? [] : [sum]));
  const end = sums.at(-1)?.end ?? 0;
  const counted = sums.filter((sum) => sum.end > end - seconds);
  const total = (of: (sum: (typeof sums)[number]) => number) => counted.reduce((all, sum) => all + of(sum), 0);
  return (
    (total(({ bytes }) => bytes) * 8) /
    1e6 /
    Math.max(
      total((sum) => sum.seconds),
      1,
    )
  );
}

/** In each second, of the intervals that end in it. */
function perSecond({ intervals }: Report): number[] {
  const bits: number[] = [];
  for (const { sum } of intervals ?? []) {
    const second = Math.max(0, Math.round(sum?.end ?? 0) - 1);
    bits[second] = (bits[second] ?? 0) + (sum?.bytes ?? 0) * 8;
  }
  return Array.from(bits, (each) => each ?? 0);
}
