import { describe, expect, it } from 'vitest';
import { FlowTally } from '../../../netlab/traffic/flow-tally.ts';
import { hasDefaultRoute, isLabAddress } from '../../../netlab/traffic/lab-only.ts';
import { Pace } from '../../../netlab/traffic/pace.ts';
import { percentile, summarise } from '../../../netlab/traffic/percentile.ts';
import { parsePing, parsePingReply, repliesIn } from '../../../netlab/traffic/ping-series.ts';
import { readPacket, writePacket } from '../../../netlab/traffic/traffic-packet.ts';
import { flowResult, type SinkReport, type SourceReport } from '../../../netlab/traffic/traffic-report.ts';
import { udpDrops } from '../../../netlab/traffic/udp-drops.ts';

const MS = 1_000_000n;

/** A flow of 100 packets/s from monotonic 0; `arrivals` as [sequence, received at ms]. */
function run(sent: number, arrivals: readonly (readonly [number, number])[], sinkDropped = 0) {
  const tally = new FlowTally();
  for (const [sequence, atMs] of arrivals) tally.note(sequence, BigInt(sequence) * 10n * MS, BigInt(atMs) * MS);
  const sink: SinkReport = { ...tally.report(), foreign: 0, sinkDropped };
  const source: SourceReport = {
    sent,
    refused: { ENETUNREACH: 1 },
    firstAtMonoNs: '0',
    lastAtMonoNs: `${BigInt(sent - 1) * 10n * MS}`,
    worstLatenessMs: 0,
  };
  return (window: { fromMs: number; toMs: number } | null) =>
    flowResult(source, sink, { startMonoNs: 0n, packetsPerSecond: 100 }, window);
}

const each = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => [from + i, (from + i) * 10 + 5] as const);

describe('accounting of a flow', () => {
  it('counts a perfect flow as perfect', () => {
    expect(run(300, each(0, 300))(null)).toMatchObject({
      sent: 300,
      received: 300,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      outageUs: 10_000,
      delayP50Us: 5_000,
      delayMaxUs: 5_000,
    });
  });

  it('takes the percentiles of delay over the whole flow, not over a second of it', () => {
    // 2 s at 5 ms, then 1 s at 50 ms: half of all packets took 5 ms
    const late = Array.from({ length: 100 }, (_, i) => [200 + i, 2_050 + i * 10] as const);
    const { delayP50Us, delayP99Us, delayMaxUs } = run(300, [...each(0, 200), ...late])(null);
    expect(delayP50Us).toBeGreaterThanOrEqual(5_000);
    expect(delayP50Us).toBeLessThanOrEqual(5_080);
    expect(delayP99Us).toBe(50_000);
    expect(delayMaxUs).toBe(50_000);
  });

  it('tells loss, duplicates and reordering apart', () => {
    const arrivals = [...each(0, 100), [99, 996], ...each(103, 110), [102, 1_200], ...each(110, 130)] as const;
    expect(run(130, arrivals)(null)).toMatchObject({ sent: 130, received: 128, lost: 2, duplicated: 1, reordered: 1 });
  });

  it('counts the tail that never came, as loss and as outage', () => {
    expect(run(200, each(0, 150))(null)).toMatchObject({ lost: 50, outageUs: 495_000 });
  });

  it('places loss in the window in which the packets were due', () => {
    const result = run(400, [...each(0, 200), ...each(250, 400)]);
    expect(result({ fromMs: 0, toMs: 2_000 })).toMatchObject({ sent: 200, lost: 0 });
    expect(result({ fromMs: 2_000, toMs: 2_300 })).toMatchObject({ sent: 30, lost: 30 });
    expect(result({ fromMs: 2_000, toMs: 4_000 })).toMatchObject({ sent: 200, lost: 50, outageUs: 510_000 });
  });

  it("does not blame the path for the sink's own drops", () => {
    expect(run(100, each(0, 90), 10)(null)).toMatchObject({ received: 90, lost: 0, sinkDropped: 10 });
  });

  it('reports everything as lost when nothing came', () => {
    expect(run(100, [])(null)).toMatchObject({ sent: 100, received: 0, lost: 100, refused: 1, outageUs: 990_000 });
  });

  it('ignores absurd sequence numbers instead of growing without bound', () => {
    expect(new FlowTally().note(4_000_000_000, 0n, 0n)).toBe(false);
  });
});

describe('pace', () => {
  it('sends what is due, catches up in bounded batches, and ends', () => {
    const pace = new Pace({ packetsPerSecond: 1_000, total: 205 });
    expect([-1, 0, 0.5, 1, 3.2].map((ms) => pace.take(ms))).toEqual([0, 1, 0, 1, 2]);
    expect(pace.take(150)).toBe(64);
    expect(pace.take(150)).toBe(64);
    expect(pace.take(150)).toBe(19);
    expect(pace.take(1_000)).toBe(54);
    expect(pace.done).toBe(true);
    expect(pace.dueMs(50)).toBe(50);
  });
});

it('packets survive the way through bytes, and others are refused', () => {
  const buffer = Buffer.alloc(40);
  const packet = { flow: 3, sequence: 70_000, sentAtMonoNs: 2n ** 60n };
  writePacket(buffer, packet);
  expect(readPacket(buffer)).toEqual({ ok: true, value: packet });
  expect(readPacket(Buffer.alloc(40)).ok).toBe(false);
  expect(readPacket(buffer.subarray(0, 23)).ok).toBe(false);
});

it('percentiles are nearest rank', () => {
  expect([50, 95, 100].map((p) => percentile([1, 2, 3, 4], p))).toEqual([2, 4, 4]);
  expect(percentile([], 50)).toBeNull();
  expect(summarise([3, 1, 2])).toEqual({ count: 3, min: 1, p50: 2, p95: 3, p99: 3, mean: 2, max: 3 });
});

it('reads the drops of one port', () => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  12: 00000000:2328 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 17
  13: 00000000:2329 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 5
`;
  expect([udpDrops(text, 9_000), udpDrops(text, 9_001), udpDrops(text, 9_002)]).toEqual([17, 5, 0]);
});

it('sends to lab addresses alone', () => {
  expect(['100.96.0.3', 'fd74::1', '192.0.2.9'].map(isLabAddress)).toEqual([true, true, true]);
  expect(['8.8.8.8', '10.0.0.1', '2001:4860::1', 'localhost', ''].map(isLabAddress)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
  const header = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n';
  expect(hasDefaultRoute(`${header}eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\n`)).toBe(true);
  expect(hasDefaultRoute(`${header}tw0\t00006064\t00000000\t0001\t0\t0\t0\t0000F0FF\n`)).toBe(false);
});

it("reads ping's output", () => {
  const output = `PING 100.96.0.2 (100.96.0.2) 56(84) bytes of data.
[1700000000.100000] 64 bytes from 100.96.0.2: icmp_seq=1 ttl=64 time=12.9 ms
[1700000000.500000] no answer yet for icmp_seq=2
[1700000000.700000] 64 bytes from 100.96.0.2: icmp_seq=3 ttl=64 time=13.1 ms
[1700000000.710000] 64 bytes from 100.96.0.2: icmp_seq=3 ttl=64 time=23.1 ms (DUP!)

--- 100.96.0.2 ping statistics ---
3 packets transmitted, 2 received, 33% packet loss, time 402ms
`;
  const { sent, replies } = parsePing(output);
  expect(sent).toBe(3);
  expect(replies.map((reply) => reply.rttUs)).toEqual([12_900, 13_100]);
  // it ended when it had two, with a fourth request on its way
  const ended = output.replace('3 packets transmitted', '4 packets transmitted');
  expect(parsePing(ended, 2).sent).toBe(3);
  expect(parsePing(ended, 3).sent).toBe(4);
  expect(repliesIn(replies, 1_700_000_000_000, { fromMs: 0, toMs: 500 })).toHaveLength(1);
  expect(parsePingReply('64 bytes from x: icmp_seq=1 time=1 ms')).toBeNull();
});
