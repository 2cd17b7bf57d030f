import { describe, expect, it } from 'vitest';
import { CertificateRenewal, CoreClock } from '../../../agent/certificate-renewal.ts';
import { connectionError, formatDuration } from '../../../agent/core-error.ts';
import { DemandMeter, largest } from '../../../agent/demand-meter.ts';
import { EndpointChoice, usableEndpoint } from '../../../agent/endpoint-choice.ts';
import { computeFib } from '../../../agent/fib.ts';
import { rangesOf } from '../../../agent/identity.ts';
import { type MeshPeer, PeerSet } from '../../../agent/mesh-peer.ts';
import { SessionRates } from '../../../agent/session-rates.ts';
import { DEFAULT_ADDRESS_PLAN } from '../../../protocol/address-plan.ts';
import type { HostPort } from '../../../protocol/endpoint.ts';
import type { NodeIndex, PublicKey } from '../../../protocol/identifier.ts';
import { Reconnect } from '../../../protocol/reconnect.ts';
import type { RouteRow } from '../../../protocol/route-table.ts';

const ranges = rangesOf(DEFAULT_ADDRESS_PLAN);
const row = (change: Partial<RouteRow>): RouteRow => ({
  table: 'source',
  destination: 2,
  blockBits: 0,
  plane: 'a',
  nextHops: [{ neighbour: 3, weight: 1 }],
  backups: [],
  ...change,
});
const fib = (rows: RouteRow[], more: { peers?: number[]; transit?: boolean; home?: boolean; down?: number[] } = {}) =>
  computeFib({
    ownIndex: 1,
    ranges,
    peerIndices: more.peers ?? [2, 3, 4],
    rows,
    transit: more.transit ?? true,
    home: more.home ?? false,
    down: new Set(more.down ?? []),
  });
const routeTo = (result: ReturnType<typeof fib>, prefix: string, table = 'source') =>
  result.routes.find((r) => r.prefix === prefix && r.table === table)?.nextHops;

describe('computeFib', () => {
  it('goes directly to every peer while there is no table', () => {
    expect(fib([]).routes.map((r) => r.prefix)).toEqual([
      '100.96.0.2/32',
      'fd74:6861:6c77::2/128',
      '100.96.0.3/32',
      'fd74:6861:6c77::3/128',
      '100.96.0.4/32',
      'fd74:6861:6c77::4/128',
    ]);
  });

  it('tells direct next hops of a group from detours', () => {
    const nextHops = [
      { neighbour: 2, weight: 3 },
      { neighbour: 3, weight: 1 },
    ];
    expect(routeTo(fib([row({ plane: 'b', nextHops })]), '100.96.0.2/32')).toEqual([
      { kind: 'direct', weight: 3 },
      { kind: 'detour', plane: 'b', via: '100.112.0.3', weight: 1 },
    ]);
  });

  it('encapsulates again on the last transit hop, on the plane of the table', () => {
    const rows = [row({ table: 'transitB', plane: null, nextHops: [{ neighbour: 2, weight: 1 }] })];
    expect(routeTo(fib(rows), '100.96.0.2/32', 'transitB')).toEqual([
      { kind: 'detour', plane: 'b', via: '100.112.0.2', weight: 1 },
    ]);
    expect(routeTo(fib(rows, { transit: false }), '100.96.0.2/32', 'transitB')).toBeUndefined();
  });

  it('installs a destination that is no peer, and drops next hops that are none', () => {
    expect(routeTo(fib([row({ destination: 900 })]), '100.96.3.132/32')).toHaveLength(1);
    const lost = fib([row({ destination: 900, nextHops: [{ neighbour: 77, weight: 1 }] })]);
    expect(routeTo(lost, '100.96.3.132/32')).toBeUndefined();
    expect(lost.skippedRows).toBe(1);
  });

  it('covers the peers of a block by the block', () => {
    const blocks = fib([row({ destination: 0, blockBits: 2 })]);
    expect(blocks.routes.map((r) => r.prefix)).toEqual([
      '100.96.0.0/30',
      'fd74:6861:6c77::/126',
      '100.96.0.4/32',
      'fd74:6861:6c77::4/128',
    ]);
  });

  it('forwards what leaves send as its own packets, but always wrapped, since their source is not its own', () => {
    const rows = [
      row({ destination: 2, plane: null, nextHops: [{ neighbour: 2, weight: 1 }] }),
      row({ destination: 8 }),
    ];
    const home = fib(rows, { home: true });
    expect(routeTo(home, '100.96.0.2/32')).toEqual([{ kind: 'direct', weight: 1 }]);
    expect(routeTo(home, '100.96.0.2/32', 'uplink')).toEqual([
      { kind: 'detour', plane: 'a', via: '100.112.0.2', weight: 1 },
    ]);
    expect(routeTo(home, '100.96.0.8/32', 'uplink')).toEqual(routeTo(home, '100.96.0.8/32'));
    // a peer without a row too
    expect(routeTo(home, '100.96.0.4/32', 'uplink')).toEqual([
      { kind: 'detour', plane: 'a', via: '100.112.0.4', weight: 1 },
    ]);
    expect(fib(rows).routes.filter((route) => route.table === 'uplink')).toEqual([]);
  });

  it("sends a leaf's default to its home by the uplink, and to another of its transit nodes when the home is down", () => {
    const rows = [row({ destination: 0, blockBits: 20, plane: 'uplink', backups: [4] })];
    const up = [{ kind: 'detour', plane: 'uplink', via: '100.112.0.3', weight: 1 }];
    expect(routeTo(fib(rows, { transit: false }), '100.96.0.0/12')).toEqual(up);
    const down = fib(rows, { transit: false, down: [3] });
    expect(routeTo(down, '100.96.0.0/12')).toEqual([{ ...up[0], via: '100.112.0.4' }]);
  });

  it('repairs by what is left of the group, then by the backup, then not at all', () => {
    const nextHops = [
      { neighbour: 2, weight: 1 },
      { neighbour: 3, weight: 1 },
    ];
    const rows = [row({ nextHops, backups: [4] })];
    expect(routeTo(fib(rows, { down: [2] }), '100.96.0.2/32')).toEqual([
      { kind: 'detour', plane: 'a', via: '100.112.0.3', weight: 1 },
    ]);
    expect(routeTo(fib(rows, { down: [2, 3] }), '100.96.0.2/32')).toEqual([
      { kind: 'detour', plane: 'a', via: '100.112.0.4', weight: 1 },
    ]);
    const nothingLeft = fib(rows, { down: [2, 3, 4] });
    expect(routeTo(nothingLeft, '100.96.0.2/32')).toHaveLength(2);
    expect(nothingLeft.repairedRows).toBe(0);
  });

  it('does not route its own addresses', () => {
    expect(routeTo(fib([row({ destination: 1 })]), '100.96.0.1/32')).toBeUndefined();
  });
});

describe('EndpointChoice', () => {
  const key = 'k'.repeat(43) as PublicKey;
  const at = (address: string): HostPort => ({ address, port: 51820 });
  const peer = (...addresses: string[]): MeshPeer => ({
    index: 2 as NodeIndex,
    name: 'b',
    publicKey: key,
    endpoints: addresses.map(at),
    stampPort: 862,
    leaf: false,
    transit: true,
  });
  const any = (): boolean => true;
  const ages = (ageMs: number | null) => new Map([[key, ageMs]]);

  it('goes round the candidates every 5 s, keeps what works, and goes on when it no longer does', () => {
    const choice = new EndpointChoice();
    const step = (ageMs: number | null, monoMs: number) =>
      choice.step([peer('192.0.2.1', '192.0.2.2')], ages(ageMs), any, monoMs);
    expect(step(null, 0)).toBe(true);
    expect(choice.endpointOf(key)).toEqual({ endpoint: at('192.0.2.1'), forceEndpoint: true });
    expect(step(null, 4999)).toBe(false);
    expect(step(null, 5000)).toBe(true);
    expect(choice.endpointOf(key).endpoint).toEqual(at('192.0.2.2'));
    expect(step(0, 6000)).toBe(true);
    expect(choice.endpointOf(key)).toEqual({ endpoint: at('192.0.2.2'), forceEndpoint: false });
    expect(step(149_000, 60_000)).toBe(false);
    expect(choice.searching).toBe(false);
    expect(step(150_000, 61_000)).toBe(true);
    expect(choice.endpointOf(key).forceEndpoint).toBe(true);
    step(150_000, 66_000);
    expect(choice.endpointOf(key).endpoint).toEqual(at('192.0.2.1'));
  });

  it('stays where it is when the list changes around it', () => {
    const choice = new EndpointChoice();
    choice.step([peer('192.0.2.1', '192.0.2.2')], ages(null), any, 0);
    choice.step([peer('192.0.2.1', '192.0.2.2')], ages(null), any, 5000);
    choice.step([peer('192.0.2.9', '192.0.2.2')], ages(null), any, 5100);
    expect(choice.endpointOf(key).endpoint).toEqual(at('192.0.2.2'));
    choice.step([peer('192.0.2.9')], ages(null), any, 5200);
    expect(choice.endpointOf(key).endpoint).toEqual(at('192.0.2.9'));
  });

  it('has nothing to set without candidates', () => {
    const choice = new EndpointChoice();
    choice.step([peer()], ages(null), any, 0);
    expect(choice.endpointOf(key)).toEqual({ endpoint: null, forceEndpoint: false });
    expect(choice.searching).toBe(false);
  });

  it.each([
    ['100.112.0.5', false],
    ['100.96.9.9', false],
    ['fd74:6861:6c77::5', false],
    ['127.0.0.1', false],
    ['fe80::1', false],
    ['192.0.2.10', false],
    ['192.0.2.11', true],
    ['2001:db8::1', true],
  ])('%s usable: %s', (address, expected) => {
    expect(usableEndpoint(DEFAULT_ADDRESS_PLAN, ['192.0.2.10'], 51820)(at(address))).toBe(expected);
  });
});

describe('Reconnect', () => {
  it('doubles its ceiling up to 30 s, jitters over all of it, and starts anew after a healthy session', () => {
    const reconnect = new Reconnect();
    const ceilings = Array.from({ length: 9 }, () => reconnect.nextDelayMs(0, 0, 1));
    expect(ceilings).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(reconnect.nextDelayMs(59_999, 0, 0)).toBe(0);
    expect(reconnect.nextDelayMs(60_000, 0, 1)).toBe(500);
  });

  it('never comes before the core asked for', () => {
    expect(new Reconnect().nextDelayMs(0, 7000, 0)).toBe(7000);
  });
});

describe('DemandMeter', () => {
  it('adds both addresses of a node and survives counters that start anew', () => {
    const meter = new DemandMeter();
    const indexOf = (address: string) => (address === 'x' ? undefined : 2);
    const count = (...bytes: [string, number][]) => bytes.map(([address, b]) => ({ address, bytes: b, packets: 0 }));
    expect(meter.measure(count(['v4', 100]), indexOf, 0)).toBeUndefined();
    expect(meter.measure(count(['v4', 1100], ['v6', 500], ['x', 9]), indexOf, 2000)).toEqual([
      { peerIndex: 2, bytesPerSecond: 750 },
    ]);
    expect(meter.measure(count(['v4', 50], ['v6', 500]), indexOf, 3000)).toEqual([
      { peerIndex: 2, bytesPerSecond: 50 },
    ]);
  });
});

describe('largest', () => {
  it('names those that are most worth a place, and none that send nothing', () => {
    const demands = [5, 0, 9, 7].map((bytesPerSecond, i) => ({ peerIndex: i + 1, bytesPerSecond }));
    expect(largest(demands, 2).map(({ peerIndex }) => peerIndex)).toEqual([3, 4]);
    expect(largest(demands, 9).map(({ peerIndex }) => peerIndex)).toEqual([1, 3, 4]);
  });
});

describe('SessionRates', () => {
  it('knows a rate after two reads, and takes a counter that went back for one made anew', () => {
    const rates = new SessionRates();
    const key = 'k' as PublicKey;
    const read = (sentBytes: number, monoMs: number) => {
      rates.observe([{ publicKey: key, sentBytes, receivedBytes: 10 * sentBytes }], monoMs);
      const rate = rates.get(key);
      if (rate !== undefined) expect(rate.receivedBytesPerSecond).toBe(10 * rate.sentBytesPerSecond);
      return rate?.sentBytesPerSecond;
    };
    expect(read(1_000_000, 0)).toBeUndefined();
    expect(read(1_005_000, 500)).toBeUndefined();
    expect(read(1_010_000, 5000)).toBe(2000);
    expect(read(3000, 8000)).toBe(1000);
  });

  it('is busy while a session carries 1 Mbit/s either way', () => {
    const rates = new SessionRates();
    const key = 'k' as PublicKey;
    const read = (sentBytes: number, receivedBytes: number, monoMs: number) => {
      rates.observe([{ publicKey: key, sentBytes, receivedBytes }], monoMs);
      return rates.busy;
    };
    expect(read(0, 0, 0)).toBe(false);
    expect(read(124_999, 0, 1000)).toBe(false);
    expect(read(124_999, 125_000, 2000)).toBe(true);
    expect(read(249_999, 125_000, 3000)).toBe(true);
    expect(read(249_999, 125_000, 4000)).toBe(false);
    expect(rates.told(key)).toEqual({ sentBytesPerSecond: 0, receivedBytesPerSecond: 0 });
    expect(read(1_249_999, 125_000, 9000)).toBe(true);
    expect(rates.get(key)?.sentBytesPerSecond).toBe(200_000);
    expect(rates.told(key)).toBeUndefined(); // begun within these five seconds
    expect(read(2_249_999, 125_000, 10_000)).toBe(true);
    expect(rates.told(key)?.sentBytesPerSecond).toBe(1_000_000);
  });
});

describe('PeerSet', () => {
  it('holds no key twice and never this node', () => {
    const peers = new PeerSet(1);
    const peer = (index: number, key: string): MeshPeer => ({
      index: index as NodeIndex,
      name: 'x',
      publicKey: key as PublicKey,
      endpoints: [],
      stampPort: 862,
      leaf: false,
      transit: true,
    });
    expect(peers.add(peer(1, 'a'))).toBe(false);
    peers.add(peer(2, 'a'));
    peers.add(peer(3, 'a'));
    expect(peers.list().map((p) => p.index)).toEqual([3]);
  });
});

describe('CertificateRenewal', () => {
  it('asks when less than a third is left by the core clock, and not too often', () => {
    const renewal = new CertificateRenewal();
    const clock = new CoreClock();
    expect(clock.nowUnixMs(0)).toBeUndefined();
    clock.heard(1_000_000, 500);
    expect(clock.nowUnixMs(1500)).toBe(1_001_000);
    const life = { notBeforeUnixMs: 0, notAfterUnixMs: 3_000_000 };
    expect(renewal.due(life, 2_000_000, 0)).toBe(false);
    expect(renewal.due(life, 2_000_001, 0)).toBe(true);
    expect(renewal.due(life, 2_000_001, 59_999)).toBe(false);
    expect(renewal.due(life, 2_000_001, 60_000)).toBe(true);
  });
});

describe('formatDuration', () => {
  it.each([
    [18_180_000, '5 h 3 min'],
    [40_000, '40 s'],
    [3_600_000, '1 h'],
    [187_200_000, '2 d 4 h'],
    [0, '0 s'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('connectionError', () => {
  it.each([
    ['EPROTO', 'protocol_violation', "c:1 does not speak Thalweg's protocol", 'agent port'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'protocol_violation', "c:1 does not speak Thalweg's protocol", 'agent port'],
    ['ENOTFOUND', 'unreachable', 'its name has no address (ENOTFOUND)', 'DNS'],
    ['EAI_AGAIN', 'unreachable', 'its name has no address (EAI_AGAIN)', 'DNS'],
    ['ECONNREFUSED', 'unreachable', 'cannot be reached: ECONNREFUSED', 'firewall'],
  ])('reads %s as %s', (errno, code, message, next) => {
    const error = connectionError('c:1', Object.assign(new Error('no'), { code: errno }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(error.nextStep).toContain(next);
  });
});
