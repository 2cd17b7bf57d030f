import { describe, expect, it } from 'vitest';
import { cpuTimeIn, programKind } from '../../../../bench/peers/cpu-time.ts';
import { udpDatagramsIn } from '../../../../bench/peers/measured-flow.ts';
import { chosen } from '../../../../bench/peers/peers-bench.ts';
import { mergeRows, renderTable } from '../../../../bench/peers/peers-table.ts';
import { bestRtts } from '../../../../bench/peers/rtt-stretch.ts';
import { rowOf, type Sample } from '../../../../bench/peers/sample.ts';
import { cpuPercent } from '../../../../bench/peers/steady-state.ts';

const sample = (outageMs: number, more: Partial<Sample> = {}): Sample => ({
  outageMs,
  lost: Math.round(outageMs),
  lossyForMs: outageMs,
  interruptions: 1,
  recovered: true,
  backLost: 0,
  backOutageMs: 1,
  returned: true,
  ...more,
});

describe('rows of the comparison', () => {
  it('are percentiles of outages, and sums of what was lost', () => {
    const row = rowOf([sample(300, { backLost: 2 }), sample(100), sample(200, { recovered: false, backLost: 5 })]);
    expect(row.outageMs).toEqual({ p50: 200, p99: 300, worst: 300 });
    expect(row).toMatchObject({
      repetitions: 3,
      lost: 600,
      backLost: 7,
      backLostIn: 2,
      notRecovered: 1,
      notReturned: 0,
    });
  });

  it('come together from runs in pieces, by scenario, contestant and rate', () => {
    const result = (contestant: string, packetsPerSecond: number, outages: number[]) => ({
      contestant,
      configuration: 'x',
      scenario: 'cut',
      packetsPerSecond,
      samples: outages.map((outage) => sample(outage)),
    });
    const pieces = [result('x', 1000, [1, 2]), result('y', 1000, [9]), result('x', 1000, [3]), result('x', 100, [7])];
    expect(mergeRows(pieces).map(({ contestant, row }) => [contestant, row.repetitions, row.outageMs.worst])).toEqual([
      ['x', 3, 3],
      ['y', 1, 9],
      ['x', 1, 7],
    ]);
    expect(renderTable(pieces)).toContain('| x | 3 | 2 | 3 | 3 | 2 | 6 | 0 (0) | 1 |');
    expect(renderTable(pieces)).toContain('| x (100 packets/s) | 1 | 7 |');
  });

  it('say what was not repaired', () => {
    const result = { contestant: 'x', configuration: '', scenario: 'gray', packetsPerSecond: 1000 };
    expect(renderTable([{ ...result, samples: [sample(1, { recovered: false, returned: false })] }])).toContain(
      '| x | 1, 1 not repaired, 1 not taken back |',
    );
  });
});

describe('what is read from the machine', () => {
  it('finds CPU time behind a name with spaces and parentheses', () => {
    const stat = `7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 100 50 25 25 20 0 1 0 999`;
    expect(cpuTimeIn(stat)).toEqual({ name: 'a (b) c', seconds: 2 });
    expect(cpuTimeIn('')).toBeNull();
  });

  it('tells tunnels, traffic and control apart', () => {
    expect(programKind('wireguard-go', 'wireguard-go\0w-b')).toBe('tunnel');
    expect(programKind('node', 'node\0/x/dist/netlab/traffic/traffic-source-program.js')).toBe('traffic');
    expect(programKind('babeld', 'babeld\0-c\0x')).toBe('control');
  });

  it('counts CPU of processes that were there both times', () => {
    const before = new Map([[1, { kind: 'control' as const, seconds: 1 }]]);
    const after = new Map([
      [1, { kind: 'control' as const, seconds: 1.5 }],
      [2, { kind: 'control' as const, seconds: 9 }],
    ]);
    expect(cpuPercent(before, after, 'control', 10)).toBe(5);
  });

  it('finds the datagrams of /proc/net/snmp by their name', () => {
    expect(udpDatagramsIn('Ip: A B\nIp: 1 2\nUdp: NoPorts InDatagrams\nUdp: 3 4711\nUdpLite: InDatagrams\n')).toBe(
      4711,
    );
    expect(udpDatagramsIn('')).toBe(0);
  });
});

describe('the best ways of a matrix', () => {
  it('are found over any number of hops', () => {
    const direct = [
      [0, 100, 5, 90],
      [100, 0, 80, 5],
      [5, 80, 0, 10],
      [90, 5, 10, 0],
    ];
    expect(bestRtts(direct)[0]).toEqual([0, 20, 5, 15]);
  });
});

describe('names on the command line', () => {
  it('are all that there are when none is given, and refused when unknown', () => {
    const known = ['cut', 'flap'];
    expect(chosen(undefined, known, (name) => name, 'scenario')).toEqual(known);
    expect(chosen('flap', known, (name) => name, 'scenario')).toEqual(['flap']);
    expect(() => chosen('flop', known, (name) => name, 'scenario')).toThrow('no scenario is named "flop"');
  });
});
