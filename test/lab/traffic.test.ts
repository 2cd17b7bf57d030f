/**
 *   twtraffic-a  100.96.0.1 ---- veth ---- 100.96.0.2  twtraffic-b
 *
 * The traffic programs in two network namespaces of their own. Needs root and a built tree (dist/).
 */
import { execFileSync, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HostProgram, type RunLab } from '../../netlab/scenario/run-lab.ts';
import { flowResult, type SinkReport, type SourceReport } from '../../netlab/traffic/traffic-report.ts';
import { systemClock } from '../../protocol/clock.ts';
import { programFile } from '../../protocol/program-file.ts';

const root = process.getuid?.() === 0;
const [A, B] = [`twtraffic-${process.pid}-a`, `twtraffic-${process.pid}-b`];
const ip = (...argv: string[]) => execFileSync('ip', argv, { stdio: 'pipe' });
if (!root) process.stderr.write('SKIPPED test/lab/traffic.test.ts: it makes network namespaces and needs root\n');

const lab: Pick<RunLab, 'spawn'> = {
  spawn: (host, [program = '', ...argv], options) =>
    spawn('ip', ['netns', 'exec', host, program, ...argv], {
      stdio: options?.stdio === undefined ? 'pipe' : ['ignore', 'pipe', 'ignore'],
    }),
};

describe.skipIf(!root)('traffic programs', () => {
  beforeAll(() => {
    for (const namespace of [A, B]) ip('netns', 'add', namespace);
    ip('-n', A, 'link', 'add', 'd0', 'type', 'veth', 'peer', 'name', 'd0', 'netns', B);
    for (const [namespace, address] of [
      [A, '1'],
      [B, '2'],
    ] as const) {
      ip('-n', namespace, 'addr', 'add', `100.96.0.${address}/24`, 'dev', 'd0');
      ip('-n', namespace, 'addr', 'add', `fd74::${address}/64`, 'dev', 'd0', 'nodad');
      ip('-n', namespace, 'link', 'set', 'd0', 'up');
    }
  });
  afterAll(() => {
    for (const namespace of [A, B]) execFileSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
  });

  it.each([
    [4, '100.96.0.2'],
    [6, 'fd74::2'],
  ] as const)(
    'IPv%i: a plain link loses nothing, and what is sent is counted',
    async (family, address) => {
      const start = (host: string, program: string, argv: string[]) => {
        const path = programFile(`netlab/traffic/traffic-${program}-program`);
        return new HostProgram(lab as RunLab, systemClock, host, [process.execPath, path, ...argv]);
      };
      const sink = start(B, 'sink', ['--port', '9000', '--flow', '1', '--family', `${family}`]);
      try {
        expect(await sink.json('ready', 20_000)).toBe(true);
        const argv = [
          '--to',
          address,
          '--port',
          '9000',
          '--flow',
          '1',
          '--rate',
          '500',
          '--size',
          '100',
          '--total',
          '1000',
        ];
        const source = start(A, 'source', argv);
        const sent = await source.json<SourceReport>('report', 30_000);
        await sink.stop('SIGTERM', 20_000);
        const received = await sink.json<SinkReport>('report', 0);
        if (sent === undefined || received === undefined) throw new Error('no report');
        const schedule = { startMonoNs: BigInt(sent.firstAtMonoNs ?? 0), packetsPerSecond: 500 };
        const result = flowResult(sent, received, schedule, null);
        expect(result).toMatchObject({
          sent: 1_000,
          received: 1_000 - received.sinkDropped,
          lost: 0,
          duplicated: 0,
          refused: 0,
        });
      } finally {
        await sink.stop('SIGKILL', 5_000);
      }
    },
    90_000,
  );

  it('refuses to send anywhere else', () => {
    const program = programFile('netlab/traffic/traffic-source-program');
    const argv = [
      program,
      '--to',
      '10.0.0.1',
      '--port',
      '9',
      '--flow',
      '1',
      '--rate',
      '1',
      '--size',
      '64',
      '--total',
      '1',
    ];
    expect(() => execFileSync(process.execPath, argv, { stdio: 'pipe' })).toThrow(/outside the ranges/);
  });
});
