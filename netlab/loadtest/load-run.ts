/**
 * A load test from start to end: a core of its own, processes of simulated agents, then in turn
 *
 *   join all -> settle -> steady state -> links change, one at a time -> the core is killed and started again
 *
 * Bounded in time: what is not reached by `limitS` fails the run, but for agents that are not back by then: they are counted.
 */
import type { NodeView, TokenCreated } from '../../protocol/api.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { monoUs } from '../mono-us.ts';
import { pause } from '../pause.ts';
import { seededRandom } from '../seeded-random.ts';
import { summarise } from '../traffic/percentile.ts';
import { FleetProcess } from './fleet-process.ts';
import { measureChanges } from './load-changes.ts';
import type { LoadResult } from './load-result.ts';
import { addUp, type FleetSum } from './load-sum.ts';
import { LoadTarget } from './load-target.ts';

export interface LoadOptions {
  readonly agents: number;
  /** Of these, so many that forward for others; the rest are leaves. */
  readonly transit: number;
  readonly processes: number;
  /** Of the steady state. */
  readonly durationS: number;
  readonly reportIntervalMs: number;
  readonly heartbeatMs: number;
  /** Links that change, of each kind. */
  readonly changes: number;
  readonly kill: boolean;
  /** 1: one core, without NATS. More: one steers, and the agents are with the others; then none is killed. */
  readonly cores: number;
  readonly natsServers: number;
  /** The whole run. */
  readonly limitS: number;
  readonly onProgress?: (text: string) => void;
}

/** Joins under way at a time: a few more than the core works on at once would be put off. */
const JOIN_WINDOW = 48;
const POLL_MS = 100;
/** Tables count as settled when fewer deltas than one in a hundred agents a second go out, and after this long anyway. */
const SETTLE_LIMIT_MS = 60_000;
const SETTLE_POLL_MS = 2000;
const MS = 1000;

/** `interrupted` rejects when the run is to end early; then nothing of it is left either. */
export async function loadTest(options: LoadOptions, interrupted: Promise<never>): Promise<LoadResult> {
  const run = new LoadRun(options);
  try {
    return await Promise.race([run.all(), interrupted]);
  } finally {
    await run.stop();
  }
}

class LoadRun {
  readonly #options: LoadOptions;
  readonly #target: LoadTarget;
  readonly #fleets: FleetProcess[] = [];
  readonly #deadlineUs: number;
  readonly #random = seededRandom(1);

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#deadlineUs = monoUs() + options.limitS * 1e6;
    const { reportIntervalMs, heartbeatMs } = options;
    const settings = { engine: 'fleet', reportIntervalMs, heartbeatMs };
    const { cores, natsServers } = options;
    this.#target = new LoadTarget({ cores, natsServers, settings });
  }

  async all(): Promise<LoadResult> {
    const { agents, transit, processes, durationS, reportIntervalMs, heartbeatMs } = this.#options;
    await this.#target.start();
    await pause(1000);
    const empty = this.#core.usage();
    const emptyHolders = this.#target.holdersUsage();
    for (let i = 0; i < processes; i++) this.#fleets.push(new FleetProcess());
    const join = await this.#joinAll();
    const joined = this.#core.usage();
    await this.#settle();
    const steady = await this.#steady();
    const settled = this.#core.usage();
    const changes = await this.#changes();
    const { cores, natsServers, kill } = this.#options;
    const settledHolders = this.#target.holdersUsage();
    const coreKilled = kill && cores === 1 ? await this.#killCore() : null;
    const end = await this.#sum();
    return {
      agents,
      transit,
      processes,
      durationS,
      heartbeatMs,
      reportIntervalMs,
      join,
      memory: {
        emptyBytes: empty.residentBytes,
        joinedBytes: joined.residentBytes,
        steadyBytes: settled.residentBytes,
        peakBytes: settled.peakBytes,
        perAgentBytes: Math.round((settled.residentBytes - empty.residentBytes) / agents),
      },
      cluster:
        cores === 1
          ? null
          : {
              cores,
              natsServers,
              holderBytesPerAgent: Math.round((settledHolders.residentBytes - emptyHolders.residentBytes) / agents),
            },
      steady,
      changes,
      coreKilled,
      counters: end.counters,
      failures: end.failures,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#fleets.map((fleet) => fleet.stop()));
    await this.#target.stop();
  }

  get #core() {
    return this.#target.core;
  }

  async #joinAll(): Promise<LoadResult['join']> {
    const { agents, transit, processes } = this.#options;
    const before = { core: this.#core.usage(), fleets: await this.#sum(), ...this.#others() };
    const token = await this.#core.api.post<TokenCreated>('/v1/tokens', { uses: agents, expiresInS: 86_400 });
    const startedUs = monoUs();
    const leafCapacity = Math.min(65_535, Math.ceil((2 * agents) / transit));
    const window = Math.max(1, Math.floor(JOIN_WINDOW / processes));
    const start = (count: number, isTransit: boolean) =>
      this.#fleets.forEach((fleet, i) => {
        const own = share(count, processes, i);
        const { ports } = this.#target;
        // each process joins at another core
        const turned = ports.map((_, at) => ports[(at + i) % ports.length] ?? 0);
        const start = { kind: 'start', token: token.token, agents: own, transit: isTransit, leafCapacity } as const;
        if (own > 0) fleet.send({ ...start, ports: turned, window });
      });
    const joinMs: number[] = [];
    const sessionMs: number[] = [];
    const until = async (count: number) => {
      for (;;) {
        const sum = await this.#sum();
        joinMs.push(...sum.joinMs);
        sessionMs.push(...sum.sessionMs);
        if (sum.established >= count) return sum;
        this.#checkTime(`${sum.joined} of ${agents} have joined, ${sum.established} have a session`, sum);
        await pause(POLL_MS);
      }
    };
    start(transit, true);
    await until(transit);
    start(agents - transit, false);
    const all = await until(agents);
    const allMs = (monoUs() - startedUs) / MS;
    this.#say(`${agents} joined in ${(allMs / 1000).toFixed(1)} s`);
    const others = this.#others();
    return {
      allMs: Math.round(allMs),
      joinsPerS: Math.round((agents / allMs) * 10_000) / 10,
      joinMs: summarise(joinMs),
      sessionMs: summarise(sessionMs),
      deferred: all.counters.deferred,
      coreCpu: ratio(this.#core.usage().cpuMs - before.core.cpuMs, allMs),
      agentsCpu: ratio((all.cpuUs - before.fleets.cpuUs) / MS, allMs),
      holdersCpu: ratio(others.holdersMs - before.holdersMs, allMs),
      natsCpu: ratio(others.natsMs - before.natsMs, allMs),
    };
  }

  async #settle(): Promise<void> {
    const untilUs = monoUs() + SETTLE_LIMIT_MS * MS;
    let before = (await this.#sum()).counters.deltas;
    while (monoUs() < untilUs) {
      await pause(SETTLE_POLL_MS);
      const { deltas } = (await this.#sum()).counters;
      if ((deltas - before) / (SETTLE_POLL_MS / 1000) < this.#options.agents / 100) break;
      before = deltas;
    }
    this.#say('tables are settled');
  }

  async #steady(): Promise<LoadResult['steady']> {
    const { durationS } = this.#options;
    if (durationS === 0) return null;
    const [before, coreBefore, othersBefore] = [await this.#sum(), this.#core.usage(), this.#others()];
    const startedUs = monoUs();
    await pause(durationS * 1000);
    const [after, coreAfter, othersAfter] = [await this.#sum(), this.#core.usage(), this.#others()];
    const seconds = (monoUs() - startedUs) / 1e6;
    const rate = (name: keyof FleetSum['counters']) =>
      Math.round(((after.counters[name] - before.counters[name]) / seconds) * 10) / 10;
    this.#say('the steady state is measured');
    return {
      seconds: Math.round(seconds * 10) / 10,
      coreCpu: ratio(coreAfter.cpuMs - coreBefore.cpuMs, seconds * 1000),
      agentsCpu: ratio((after.cpuUs - before.cpuUs) / MS, seconds * 1000),
      holdersCpu: ratio(othersAfter.holdersMs - othersBefore.holdersMs, seconds * 1000),
      natsCpu: ratio(othersAfter.natsMs - othersBefore.natsMs, seconds * 1000),
      reportsPerS: rate('reports'),
      heartbeatsPerS: rate('heartbeats'),
      deltasPerS: rate('deltas'),
      peerUpdatesPerS: rate('peerUpdates'),
      downBytesPerS: rate('receivedBytes'),
      upBytesPerS: rate('sentBytes'),
    };
  }

  async #changes(): Promise<LoadResult['changes']> {
    if (this.#options.changes === 0) return [];
    const nodes = await this.#core.api.get<NodeView[]>('/v1/nodes');
    const results = await measureChanges(
      {
        send: (command) => {
          for (const fleet of this.#fleets) fleet.send(command);
        },
        sum: () => this.#sum(),
        random: this.#random,
        checkTime: (what) => this.#checkTime(what),
      },
      nodes,
      this.#options.changes,
    );
    this.#say('the changes are measured');
    return results;
  }

  async #killCore(): Promise<LoadResult['coreKilled']> {
    const { agents } = this.#options;
    await this.#core.kill();
    const before = await this.#sum();
    const startedUs = monoUs();
    await this.#core.start();
    const startMs = (monoUs() - startedUs) / MS;
    const sessionMs: number[] = [];
    let sum = before;
    // the ends of the old sessions may be noticed late: new ones count
    const sessions = () => sum.counters.sessions - before.counters.sessions;
    const areBack = () => sum.established >= agents && sessions() >= agents;
    // what was measured until then is worth more than the rest
    while (!areBack() && monoUs() < this.#deadlineUs) {
      await pause(POLL_MS);
      sum = await this.#sum();
      sessionMs.push(...sum.sessionMs);
    }
    const waitedMs = (monoUs() - startedUs) / MS;
    const cpuMs = this.#core.usage().cpuMs;
    const back = areBack() ? agents : Math.min(agents, sessions());
    this.#say(`${back === agents ? 'all' : back} are back after ${(waitedMs / 1000).toFixed(1)} s`);
    // longer than the core's wait for known nodes: whatever it would change, it has changed
    if (areBack()) await pause(15_000);
    const after = await this.#sum();
    const { peakBytes, residentBytes } = this.#core.usage();
    return {
      startMs: Math.round(startMs),
      waitedMs: Math.round(waitedMs),
      back,
      sessionMs: summarise(sessionMs),
      peakBytes,
      steadyBytes: residentBytes,
      tablesChanged: after.counters.tablesChangedOnReturn - before.counters.tablesChangedOnReturn,
      coreCpu: ratio(cpuMs, waitedMs),
    };
  }

  /** Processor time of what there is beside the core that steers. */
  #others(): { readonly holdersMs: number; readonly natsMs: number } {
    return { holdersMs: this.#target.holdersUsage().cpuMs, natsMs: this.#target.natsCpuMs() };
  }

  async #sum(): Promise<FleetSum> {
    return addUp(await Promise.all(this.#fleets.map((fleet) => fleet.collect())));
  }

  #checkTime(what: string, sum?: FleetSum): void {
    if (monoUs() < this.#deadlineUs) return;
    const failures = sum === undefined ? '' : `; failures: ${JSON.stringify(sum.failures)}`;
    throw new ThalwegError(
      'timeout',
      `the load test is not done within ${this.#options.limitS} s: ${what}${failures}`,
      {
        nextStep: 'try fewer agents, or a longer --limit',
      },
    );
  }

  #say(text: string): void {
    this.#options.onProgress?.(text);
  }
}

/** How many of `count` the i-th of `parts` gets. */
function share(count: number, parts: number, i: number): number {
  return Math.floor(((i + 1) * count) / parts) - Math.floor((i * count) / parts);
}

function ratio(part: number, whole: number): number {
  return Math.round((part / whole) * 1000) / 1000;
}
