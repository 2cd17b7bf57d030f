/**
 * A cluster of real programs, of which one is killed or stands still for a while; agents are simulated (real TLS, real sessions,
 * no kernel) and hold their sessions with different cores:
 *
 *   agents --- core 1 ---+
 *   agents --- core 2 ---+--- nats-server 1, 2, 3
 *   agents --- core 3 ---+
 */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LoadAgent } from '../../netlab/loadtest/load-agent.ts';
import { LoadDoor } from '../../netlab/loadtest/load-door.ts';
import { LoadTally } from '../../netlab/loadtest/load-tally.ts';
import { LoadUnderlay } from '../../netlab/loadtest/load-underlay.ts';
import { OwnCluster } from '../../netlab/loadtest/own-cluster.ts';
import type { OwnCore } from '../../netlab/loadtest/own-core.ts';
import type { NodeView, StatusView, TokenCreated } from '../../protocol/api.ts';
import { systemClock } from '../../protocol/clock.ts';

const hasServer = (() => {
  try {
    execFileSync('nats-server', ['--version']);
    return true;
  } catch {
    console.warn("SKIPPED: a cluster of real programs, without nats-server (Debian's package nats-server)");
    return false;
  }
})();

const AGENTS = 6;
const LIMIT_MS = 60_000;

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.runIf(hasServer)('a cluster', () => {
  let cluster: OwnCluster;
  let solver: OwnCore;
  let agents: LoadAgent[];
  let tally: LoadTally;
  let underlay: LoadUnderlay;

  beforeEach(async () => {
    cluster = new OwnCluster({ cores: 3, natsServers: 3, settings: { engine: 'fleet', heartbeatMs: 1000 } });
    [agents, tally, underlay] = [[], new LoadTally(), new LoadUnderlay()];
    await cluster.start();
    solver = await cluster.solver(LIMIT_MS);
  }, 120_000);
  afterEach(async () => {
    for (const agent of agents) agent.stop();
    await cluster.stop();
  });

  /** Agents that know these cores, and begin with each in turn. */
  const join = async (cores: readonly OwnCore[]) => {
    const { token } = await solver.api.post<TokenCreated>('/v1/tokens', { uses: AGENTS });
    const door = await LoadDoor.make(token);
    const monoUs = () => performance.now() * 1000;
    for (let i = 0; i < AGENTS; i++) {
      const ports = cores.map((_, at) => cores[(at + i) % cores.length]?.port ?? 0);
      const deps = { clock: systemClock, monoUs, random: Math.random, door: door.through(...ports), underlay, tally };
      const agent = new LoadAgent(deps, { transit: true, leafCapacity: 10, reconnect: { healthyAfterMs: 1000 } });
      agents.push(agent);
      await agent.join();
      agent.connect();
    }
    await settled();
  };

  /** Everybody has a session and the newest tables. */
  const settled = (except?: OwnCore) =>
    until('all have their tables', async () => {
      if (tally.established < AGENTS) return false;
      const { api } = await cluster.solver(LIMIT_MS, except);
      const status = await api.get<StatusView>('/v1/status').catch(() => undefined);
      return status?.converged === AGENTS && status.paths.direct + status.paths.detour === AGENTS * (AGENTS - 1);
    });
  const at = (core: OwnCore) => agents.filter(({ port }) => port === core.port).length;
  const change = (from: LoadAgent, to: LoadAgent, state: 'down' | null) => {
    underlay.change(from.index, to.index, state);
    from.linkChanged(to.index);
    to.linkChanged(from.index);
  };
  /** The link between the first two goes down: whoever steers moves their traffic. */
  const steersStill = async (except?: OwnCore) => {
    const [one, two] = agents as [LoadAgent, LoadAgent];
    const before = tally.counters.deltas;
    change(one, two, 'down');
    await until('a table for the link that is down', () => tally.counters.deltas > before);
    await settled(except);
    expect(tally.counters.unfit).toBe(0);
  };

  it('whose solver is killed throws off no agent of another core, and steers on', async () => {
    await join(cluster.cores);
    const [lost, before] = [at(solver), tally.counters.sessions];
    expect([lost, before]).toEqual([2, AGENTS]);
    await solver.kill();
    const next = await cluster.solver(LIMIT_MS, solver);
    await settled(solver);
    await steersStill(solver);
    expect(tally.counters.sessions).toBe(before + lost);
    const nodes = await next.api.get<NodeView[]>('/v1/nodes');
    expect(nodes.filter(({ online }) => online)).toHaveLength(AGENTS);
  });

  it('whose holder is killed has its agents at other cores soon', async () => {
    await join(cluster.cores);
    const holder = cluster.cores.find((core) => core !== solver) as OwnCore;
    const [lost, before] = [at(holder), tally.counters.sessions];
    await holder.kill();
    await until('new sessions', () => tally.counters.sessions === before + lost);
    await settled();
    await steersStill();
    expect(at(holder)).toBe(0);
    expect(tally.counters.sessions).toBe(before + lost);
  });

  it('whose solver stood still hears nothing of it any more', async () => {
    await join(cluster.cores.filter((core) => core !== solver));
    process.kill(solver.pid, 'SIGSTOP');
    try {
      await cluster.solver(LIMIT_MS, solver);
      await settled(solver);
      await steersStill(solver);
    } finally {
      process.kill(solver.pid, 'SIGCONT');
    }
    await until('the old one ends by itself', () => solver.isOver);
    await settled(solver);
    expect([tally.counters.unfit, tally.counters.sessions]).toEqual([0, AGENTS]);
  });

  it('loses no session with any of its NATS servers, but those of a solver that was replaced for it', async () => {
    await join(cluster.cores);
    let allowed = tally.counters.sessions;
    const [one, two] = agents as [LoadAgent, LoadAgent];
    for (const index of [0, 1, 2]) {
      const held = cluster.cores.map((core) => [core, at(core)] as const);
      await cluster.nats.kill(index);
      change(one, two, 'down');
      await settled();
      await cluster.nats.restart(index);
      change(one, two, null);
      await settled();
      for (const [core, sessions] of held) {
        if (!core.isOver) continue;
        allowed += sessions;
        await core.start();
      }
    }
    // the link is trusted again after 8 s: one that is not used yet may go down unnoticed
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await settled();
    await steersStill();
    expect(tally.counters.sessions).toBeLessThanOrEqual(allowed);
  });
});
