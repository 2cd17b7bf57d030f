/**
 * What it costs when a core is killed: simulated agents (real TLS, real sessions, no kernel) hold their sessions with several
 * cores; one gets SIGKILL, the one that steers or another one, and at that moment the link between two of them goes down, so
 * that whoever steers has something to say. `npm run -s bench -- solver-failover --rounds 30 [--victim holder]`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { LoadAgent } from '../netlab/loadtest/load-agent.ts';
import { LoadDoor } from '../netlab/loadtest/load-door.ts';
import { LoadTally } from '../netlab/loadtest/load-tally.ts';
import { LoadUnderlay } from '../netlab/loadtest/load-underlay.ts';
import { OwnCluster } from '../netlab/loadtest/own-cluster.ts';
import { seededRandom } from '../netlab/seeded-random.ts';
import { type SampleSummary, summarise } from '../netlab/traffic/percentile.ts';
import type { TokenCreated } from '../protocol/api.ts';
import { systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';

/** The core that steers, or one that holds sessions for it. */
export const VICTIMS = ['solver', 'holder'] as const;
type Victim = (typeof VICTIMS)[number];

export interface SolverFailoverOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly agents: number;
  readonly cores: number;
  readonly natsServers: number;
  readonly victim: Victim;
}

export interface SolverFailoverResult {
  readonly rounds: number;
  readonly victim: Victim;
  readonly agents: number;
  /** Sessions that the killed cores held, each of which ended, and those that another core held and that ended all the same. */
  readonly sessionsOfVictims: number;
  readonly sessionsThrownOff: number;
  /** From SIGKILL until a core (another one, if that one steered) says that it steers, until the first delta, and until all agents have sessions. */
  readonly steersMs: SampleSummary;
  readonly firstGenerationMs: SampleSummary;
  readonly allBackMs: SampleSummary;
  /** Deltas that did not fit what the agents held. */
  readonly unfit: number;
}

const LIMIT_MS = 60_000;
/** No delta for this long: what the last change asked for is done. */
const QUIET_MS = 2000;
/** Real sessions are older than a minute when their core dies: the next try comes within half a second. */
const RECONNECT = { healthyAfterMs: 1000 };

export async function benchSolverFailover(options: SolverFailoverOptions): Promise<SolverFailoverResult> {
  const { cores, natsServers, rounds } = options;
  const cluster = new OwnCluster({ cores, natsServers, settings: { engine: 'fleet' } });
  const random = seededRandom(options.seed);
  const [underlay, tally] = [new LoadUnderlay(), new LoadTally()];
  const agents: LoadAgent[] = [];
  const sums = { ofVictims: 0, thrownOff: 0 };
  const samples = { steers: [] as number[], generation: [] as number[], back: [] as number[] };
  try {
    await cluster.start();
    const solver = await cluster.solver(LIMIT_MS);
    const { token } = await solver.api.post<TokenCreated>('/v1/tokens', { uses: options.agents });
    const first = await LoadDoor.make(token);
    const monoUs = () => performance.now() * 1000;
    for (let i = 0; i < options.agents; i++) {
      const ports = cluster.cores.map(({ port }, at, all) => all[(at + i) % all.length]?.port ?? port);
      const deps = { clock: systemClock, monoUs, random, door: first.through(...ports), underlay, tally };
      const agent = new LoadAgent(deps, { transit: true, leafCapacity: 100, reconnect: RECONNECT });
      await agent.join();
      agent.connect();
      agents.push(agent);
    }
    for (let round = 0; round < rounds; round++) {
      await until('all sessions', () => tally.established === options.agents);
      await quiet(tally);
      const steering = await cluster.solver(LIMIT_MS);
      const others = cluster.cores.filter((core) => core !== steering);
      const victim = options.victim === 'solver' ? steering : (others[round % others.length] ?? steering);
      const held = agents.filter(({ port }) => port === victim.port).length;
      const before = tally.counters.sessions;
      const [a, b] = [agents[round % agents.length], agents[(round + 1) % agents.length]];
      if (a === undefined || b === undefined) throw new ThalwegError('invalid_argument', 'two agents at least');
      const killedMs = performance.now();
      const killed = victim.kill();
      underlay.change(a.index, b.index, 'down');
      tally.begin({ a: 0, b: 0 });
      if (tally.watch !== null) tally.watch.reportedUs = killedMs * 1000;
      for (const [one, other] of [[a, b] as const, [b, a] as const]) one.linkChanged(other.index);
      await killed;
      const steers = cluster.solver(LIMIT_MS, victim).then(() => performance.now() - killedMs);
      const renewed = () => tally.counters.sessions - before;
      const back = until('all sessions', () => renewed() >= held && tally.established === options.agents);
      const backMs = back.then(() => performance.now() - killedMs);
      await until('a first generation', () => (tally.watch?.firstDeltaUs ?? null) !== null);
      samples.generation.push((tally.watch?.firstDeltaUs ?? 0) / 1000 - killedMs);
      if (held > 0) samples.back.push(await backMs);
      samples.steers.push(await steers);
      await quiet(tally);
      sums.ofVictims += held;
      sums.thrownOff += renewed() - held;
      await victim.start();
      underlay.change(a.index, b.index, null);
      for (const [one, other] of [[a, b] as const, [b, a] as const]) one.linkChanged(other.index);
    }
  } finally {
    for (const agent of agents) agent.stop();
    await cluster.stop();
  }
  return {
    rounds: samples.steers.length,
    victim: options.victim,
    agents: options.agents,
    sessionsOfVictims: sums.ofVictims,
    sessionsThrownOff: sums.thrownOff,
    steersMs: summarise(samples.steers),
    firstGenerationMs: summarise(samples.generation),
    allBackMs: summarise(samples.back),
    unfit: tally.counters.unfit,
  };
}

async function quiet(tally: LoadTally): Promise<void> {
  for (let seen = -1; seen !== tally.counters.deltas; ) {
    seen = tally.counters.deltas;
    await pause(QUIET_MS);
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 5) {
    if (waitedMs > LIMIT_MS) throw new ThalwegError('timeout', `not within ${LIMIT_MS / 1000} s: ${what}`);
    await pause(5);
  }
}
