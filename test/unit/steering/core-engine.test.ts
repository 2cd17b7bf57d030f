/** The core with its real steering engine: tables are pushed, and a restart pushes nothing that a node has. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { StatusView, TokenCreated } from '../../../protocol/api.ts';
import { ApiClient } from '../../../protocol/api-client.ts';
import { routeDeltaFromMessage } from '../../../protocol/frame-codec.ts';
import { LinkHealth } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { RouteTable } from '../../../protocol/route-table.ts';
import { coreConfigSchema, runCore } from '../../../steering/core-program.ts';
import { TestAgent, type TestSession } from '../../fake/test-agent.ts';
import { eventually } from '../../fake/test-core.ts';

/** Applies every delta that has come and acknowledges it; returns how many there were. */
function takeDeltas(session: TestSession, table: RouteTable): number {
  let taken = 0;
  for (const { body } of session.frames.splice(0)) {
    if (body.case !== 'routeDelta') continue;
    const delta = routeDeltaFromMessage(body.value);
    if (!delta.ok) throw new Error(delta.reason);
    const applied = table.apply(delta.value);
    if (!applied.ok) throw new Error(applied.reason);
    session.send({ case: 'tableAck', value: { generation: table.generation, checksum: table.checksum } });
    taken++;
  }
  return taken;
}

it('pushes tables until all have them, and after a restart pushes none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'thalweg-engine-test-'));
  const config = coreConfigSchema.parse({
    stateDir: join(directory, 'state'),
    listen: '127.0.0.1:0',
    api: 'none',
    apiSocket: join(directory, 'core.sock'),
    steering: { warmUpMs: 2000 },
  });
  const api = new ApiClient(`unix:${config.apiSocket}`);
  let core = await runCore(config, { log: silentLogger });
  try {
    const { token } = await api.post<TokenCreated>('/v1/tokens', { uses: 3 });
    const agents = [1, 2, 3].map(() => new TestAgent(core.ports.agents));
    for (const agent of agents) await agent.join(token);
    const tables = agents.map(() => new RouteTable());
    const open = async () => {
      const sessions: TestSession[] = [];
      for (const [i, agent] of agents.entries()) {
        const { generation, checksum } = tables[i] as RouteTable;
        const session = await agent.open({ tableGeneration: generation, tableChecksum: checksum });
        sessions.push(session);
        const peers = agents.map((_, j) => j + 1).filter((peer) => peer !== i + 1);
        const links = peers.map((peerIndex) => ({
          peerIndex,
          health: LinkHealth.UP,
          rttUs: 5000,
          minRttUs: 5000,
          samples: 9,
        }));
        session.send({ case: 'linkReport', value: { links } });
      }
      return sessions;
    };
    const take = (sessions: TestSession[]) =>
      sessions.reduce((sum, session, i) => sum + takeDeltas(session, tables[i] as RouteTable), 0);
    const first = await open();
    let quietSinceMs = Date.now();
    await eventually(
      'three nodes with two source rows and two transit rows on each plane, for longer than a drain',
      async () => {
        if (take(first) > 0) quietSinceMs = Date.now();
        const { converged, paths } = await api.get<StatusView>('/v1/status');
        const complete = converged === 3 && paths.direct === 6 && tables.every(({ size }) => size === 6);
        return complete && Date.now() - quietSinceMs > 1500;
      },
    );
    await core.stop();
    take(first);
    core = await runCore(config, { log: silentLogger });
    for (const agent of agents) agent.port = core.ports.agents;
    const second = await open();
    let taken = 0;
    await eventually('three converged nodes after the restart', async () => {
      taken += take(second);
      const { converged, paths } = await api.get<StatusView>('/v1/status');
      return converged === 3 && paths.direct === 6;
    });
    // past the warm-up, when a core that forgot would push
    const deadline = Date.now() + 2500;
    await eventually('the warm-up to be over', () => {
      taken += take(second);
      return Date.now() > deadline;
    });
    expect(taken).toBe(0);
  } finally {
    await core.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}, 30_000);
