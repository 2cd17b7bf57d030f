/**
 * A policy on real packets: what it allows passes, also through a transit node that itself lets nobody in; nothing else does.
 *
 *        .--- r ---.        web-r, r-db: 2 ms each way; web-db: 30 ms, so that steering sends packets through r
 *     web --------- db      allow app=web -> app=db tcp/5432
 */
import { expect, it } from 'vitest';
import { PERFECT_LINK } from '../../netlab/link-shape.ts';
import { HostProgram, pause } from '../../netlab/scenario/run-lab.ts';
import type { LinkView, NodeView, PathView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { systemClock } from '../../protocol/clock.ts';
import { isRoot, specOf, withLab } from './fabric-lab.ts';

const HOSTS = ['web', 'r', 'db'];
const TEXT = 'allow app=web -> app=db tcp/5432\ntest r -> db tcp/5432 denied\n';

/** Accepts on both ports, every address; says so, and waits to be ended. */
const LISTEN =
  "const listen = (port) => new Promise((done) => require('net').createServer((s) => s.end()).listen(port, '::', done));" +
  "Promise.all([listen(5432), listen(2222)]).then(() => console.log(JSON.stringify({ kind: 'ready', ready: true })))";

it.skipIf(!isRoot)('a policy lets in what it allows and nothing else, with the core and without it', async () => {
  const near = { ...PERFECT_LINK, oneWayDelayUs: 2000 };
  const links = (from: string, to: string) => (from === 'r' || to === 'r' ? near : { ...near, oneWayDelayUs: 30_000 });
  await withLab(specOf('policy', HOSTS, {}, { links, core: { demandIntervalMs: 1000 } }), async (lab) => {
    await lab.startCore();
    const api = new ApiClient(lab.apiTarget);
    for (const host of HOSTS) {
      await lab.join(host);
      await lab.startAgent(host);
    }
    const opens = async (from: string, address: string, port: number): Promise<boolean> => {
      const argv = ['timeout', '0.5', 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`];
      return (await lab.exec(from, argv)).exitCode === 0;
    };
    const label = (host: string, labels: Record<string, string | null>) => api.post(`/v1/nodes/${host}`, { labels });
    const nodes = async () => new Map((await api.get<NodeView[]>('/v1/nodes')).map((node) => [node.name, node]));
    const enforced = async () => [...(await nodes()).values()].every(({ policy }) => policy?.state === 'enforced');
    const server = new HostProgram(lab, systemClock, 'db', [process.execPath, '-e', LISTEN]);
    const throughR = async () => {
      const paths = await api.get<PathView[]>('/v1/paths');
      return paths.some(({ path, installed }) => installed && path.join() === 'web,r,db');
    };
    await until('packets go through r', 60_000, throughR);
    const db = (await nodes()).get('db');
    if (db === undefined) throw new Error('no db');
    await until('without a policy everything is let in', 20_000, () => opens('r', db.node4, 2222));

    await label('web', { app: 'web' });
    await label('db', { app: 'db' });
    await api.post('/v1/policy', { text: TEXT });
    await until('everybody enforces it', 20_000, enforced);
    const allowed = async () => (await opens('web', db.node4, 5432)) && (await opens('web', db.node6, 5432));
    const letIn = async () =>
      await Promise.all([
        opens('web', db.node4, 2222),
        opens('web', db.node6, 2222),
        opens('web', db.tunnelAddress, 5432),
        opens('r', db.node4, 5432),
        lab.exec('web', ['ping', '-n', '-c', '1', '-W', '1', db.node4]).then(({ exitCode }) => exitCode === 0),
      ]);
    const nobody = [false, false, false, false, false];
    await until('what is allowed passes', 20_000, allowed);
    expect(await letIn()).toEqual(nobody);
    expect((await api.get<LinkView[]>('/v1/links')).map(({ health }) => health)).toEqual(Array(6).fill('up'));
    expect(await throughR()).toBe(true);

    await label('web', { app: null });
    const changedAt = performance.now();
    await until('the label is gone, and with it the right', 20_000, async () => !(await opens('web', db.node4, 5432)));
    // a connection that is dropped is given up after half a second
    console.info(`label taken away: dropped within ${Math.round(performance.now() - changedAt - 500)} ms`);
    await label('web', { app: 'web' });
    await until('the right is back', 20_000, allowed);
    await until('what was denied is reported', 20_000, async () => {
      return ((await nodes()).get('db')?.policy?.deniedPackets ?? 0) > 0;
    });

    await lab.stopCore('SIGKILL');
    await lab.exec('db', ['nft', 'delete', 'table', 'inet', 'thalweg']);
    const isFiltering = async () =>
      (await lab.exec('db', ['nft', 'list', 'chain', 'inet', 'thalweg', 'admit'])).exitCode === 0;
    await until('the filter is back', 5_000, isFiltering);
    expect(await letIn()).toEqual(nobody);
    await lab.stopAgent('db', 'SIGKILL');
    await lab.exec('db', ['nft', 'delete', 'table', 'inet', 'thalweg']);
    await lab.startAgent('db');
    await until('the remembered policy is in force', 20_000, isFiltering);
    await until('and lets in who may', 20_000, allowed);
    expect(await letIn()).toEqual(nobody);
    await server.stop('SIGTERM', 5_000);
  });
});

async function until(what: string, withinMs: number, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await pause(systemClock, 50);
  }
}
