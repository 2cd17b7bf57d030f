/**
 * A node that others' packets pass through leaves without costing one of them.
 *
 *      .--- r ---.        a-r, r-b: 2 ms each way; a-b: 30 ms, so that steering sends a's packets through r
 *     a --------- b
 */
import { expect, it } from 'vitest';
import { PERFECT_LINK } from '../../netlab/link-shape.ts';
import { HostProgram, pause } from '../../netlab/scenario/run-lab.ts';
import type { SinkReport, SourceReport } from '../../netlab/traffic/traffic-report.ts';
import type { NodeView, PathView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { systemClock } from '../../protocol/clock.ts';
import { distDir, isRoot, specOf, withLab } from './fabric-lab.ts';

const HOSTS = ['a', 'b', 'r'];
const PACKETS = 500 * 20;

it.skipIf(!isRoot)('a transit node that leaves costs no packet', async () => {
  const near = { ...PERFECT_LINK, oneWayDelayUs: 2000 };
  const far = { ...near, oneWayDelayUs: 30_000 };
  const links = (from: string, to: string) => (['ab', 'ba'].includes(`${from}${to}`) ? far : near);
  await withLab(specOf('leave', HOSTS, {}, { links }), async (lab) => {
    await lab.startCore();
    const api = new ApiClient(lab.apiTarget);
    for (const host of HOSTS) {
      await lab.join(host);
      await lab.startAgent(host);
    }
    const pathIs = async (wanted: string): Promise<boolean> => {
      const paths = await api.get<PathView[]>('/v1/paths');
      const found = paths.find(({ from, to }) => from === 'a' && to === 'b');
      return found?.installed === true && found.path.join(' ') === wanted;
    };
    await until('the path through r', () => pathIs('a r b'));
    const nodes = await api.get<NodeView[]>('/v1/nodes');
    const to = nodes.find(({ name }) => name === 'b')?.node4 ?? '';
    const program = (host: string, what: string, argv: string[]) =>
      new HostProgram(lab, systemClock, host, [
        process.execPath,
        `${distDir}/netlab/traffic/traffic-${what}-program.js`,
        ...['--port', '9000', '--flow', '1', ...argv],
      ]);
    const sink = program('b', 'sink', ['--family', '4']);
    expect(await sink.json('ready', 20_000)).toBe(true);
    const rate = ['--rate', '500', '--size', '100', '--total', `${PACKETS}`];
    const source = program('a', 'source', ['--to', to, ...rate]);
    await until('packets through r', async () => (await forwardedBy(lab, 'r')) > 500);

    const argv = ['agent', 'down', '--forget', '--state-dir', `${lab.hostDir('r')}/state`];
    const down = await lab.exec('r', [process.execPath, `${distDir}/cli/main.js`, ...argv]);
    expect(down.exitCode, down.stderr).toBe(0);
    expect(source.lines, 'the flow outlasts the leaving').toEqual([]);
    expect((await lab.exec('r', ['ip', '-o', 'link'])).stdout).not.toContain('tw0');
    expect(await pathIs('a b')).toBe(true);

    const sent = await source.json<SourceReport>('report', 60_000);
    await sink.stop('SIGTERM', 20_000);
    const received = await sink.json<SinkReport>('report', 0);
    expect(sent?.refused).toEqual({});
    expect((sent?.sent ?? 0) - (received?.received ?? 0) - (received?.sinkDropped ?? 0)).toBe(0);
  });
});

/** Packets that the host has forwarded since it is up (RFC 4293, ipForwDatagrams). */
async function forwardedBy(lab: Parameters<Parameters<typeof withLab>[1]>[0], host: string): Promise<number> {
  const { stdout } = await lab.exec(host, ['cat', '/proc/net/snmp']);
  return Number(
    stdout
      .split('\n')
      .filter((line) => line.startsWith('Ip:'))[1]
      ?.split(' ')[6],
  );
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within 60 s: ${what}`);
    await pause(systemClock, 100);
  }
}
