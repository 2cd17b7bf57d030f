/**
 * One run of a scenario on a lab that is up: join, wait until steered, t = 0, events and traffic on time, verdict.
 *
 *   core up | joins in parallel | settle: joined, steered | t = 0 ... events, flows, pings ... duration | read back | judge
 */
import type { PathChange } from '../../protocol/api.ts';
import type { Clock } from '../../protocol/clock.ts';
import { FlowRun } from './flow-run.ts';
import { disagreements, type KernelTables, readKernelTables } from './kernel-paths.ts';
import { measurements } from './measurements.ts';
import { type ApiReader, isConverged, type MeshSample, MeshWatch, pairViews, runPathChange } from './mesh-watch.ts';
import { PingRun } from './ping-run.ts';
import { busyMachine, type ProcessorShares, processorShares, readProcessorTimes } from './processor-times.ts';
import { type ResourceSnapshot, resourceSnapshot } from './resource-snapshot.ts';
import { RouteMonitor } from './route-monitor.ts';
import { pause, type RunLab } from './run-lab.ts';
import type { RunRecord } from './run-record.ts';
import { pairKey, type Scenario, type ScenarioEvent } from './scenario.ts';
import { type ApiWriter, carryOut } from './scenario-actions.ts';
import type { ExpectationResult, Measurement, RunEvent, RunPathChange, RunProgress } from './scenario-result.ts';
import { settle } from './settle.ts';
import { judge } from './verdict.ts';

export interface ScenarioRunDeps {
  readonly lab: RunLab;
  readonly api: ApiReader & ApiWriter;
  readonly clock: Clock;
  /** CLOCK_MONOTONIC in nanoseconds: what the traffic programs go by. */
  readonly hrtimeNs: () => bigint;
  readonly onProgress: (progress: RunProgress) => void;
}

export interface ScenarioOutcome {
  readonly events: readonly RunEvent[];
  readonly pathChanges: readonly RunPathChange[];
  readonly measurements: readonly Measurement[];
  readonly expectations: readonly ExpectationResult[];
  readonly problems: readonly string[];
  /** Said where something was missed on a machine that had no time to spare; null: it had. */
  readonly machine: string | null;
  /** t = 0 on the wall clock, milliseconds since 1970; 0: it never came. */
  readonly originUnixMs: number;
}

/** So many hosts join at a time: a join starts two Node programs, and more at once only wait for each other. */
const JOINS_AT_ONCE = 4;
/** Between the last preparation and t = 0: the sources have to run by then. */
const LEAD_MS = 2_500;
/** How often the kernels' tables are read until they agree with the core, and the pause between: a move takes a second or so. */
const KERNEL_READS = 4;
const KERNEL_READ_GAP_MS = 1_500;

export class ScenarioRun {
  readonly #deps: ScenarioRunDeps;
  readonly #scenario: Scenario;
  readonly #watch: MeshWatch;
  readonly #flows: FlowRun[];
  readonly #pings: PingRun[];
  readonly #events: RunEvent[] = [];
  readonly #problems: string[] = [];
  #monitor: RouteMonitor | undefined;
  #processors: ProcessorShares | null = null;
  /** t = 0, monotonic and on the wall; Infinity and 0 before it is known. */
  #originMonoMs = Number.POSITIVE_INFINITY;
  #originUnixMs = 0;

  constructor(deps: ScenarioRunDeps, scenario: Scenario) {
    this.#deps = deps;
    this.#scenario = scenario;
    this.#watch = new MeshWatch({
      api: deps.api,
      clock: deps.clock,
      onSample: (sample) => this.#showPaths(sample),
      onChange: (noted) => {
        const change = this.#pathChange(noted);
        if (this.#originUnixMs > 0 && change.at >= 0) deps.onProgress({ kind: 'pathChange', change });
      },
    });
    this.#flows = scenario.flows.map((flow, i) => new FlowRun(deps, flow, i + 1));
    const address = (host: string, family: 4 | 6) => {
      const node = this.#watch.node(host);
      return family === 4 ? node?.node4 : node?.node6;
    };
    this.#pings = scenario.pings.map(
      (ping) =>
        new PingRun(
          { ...deps, address, onReply: (pair, rttUs) => deps.onProgress({ kind: 'reply', ...pair, rttUs }) },
          ping,
        ),
    );
  }

  /** Runs once. When `signal` aborts, ends early with what there is. Leaves no program of its own behind. */
  async run(signal: AbortSignal): Promise<ScenarioOutcome> {
    const { clock, lab, onProgress } = this.#deps;
    const scenario = this.#scenario;
    try {
      onProgress({ kind: 'building', stage: 'core', done: 0, total: 1 });
      await lab.startCore();
      onProgress({ kind: 'api', target: lab.apiTarget });
      const firstJoinMonoMs = clock.monoMs();
      this.#watch.start();
      const settled = await this.#joinAndSettle(firstJoinMonoMs, signal);
      const wanted = new Set(scenario.expectations.map((expectation) => expectation.kind));
      const before = wanted.has('leaks') ? await this.#resources() : null;
      const monitored = scenario.expectations.flatMap((e) => (e.kind === 'routes-touched' ? e.hosts : []));
      this.#monitor = new RouteMonitor(lab, clock, [...new Set(monitored)]);
      await inPool(this.#flows, JOINS_AT_ONCE, (flow) => flow.startSink());
      await this.#timeline(settled.steeredMs, signal);
      await Promise.all(this.#pings.map((ping) => ping.stop()));
      if (!signal.aborted) await Promise.all(this.#flows.map((flow) => flow.finish()));
      const kernel = wanted.has('kernel-tables') && !signal.aborted ? await this.#kernelDisagreements() : null;
      // its programs are not the hosts' own; what they have read stays
      await this.#monitor.stop();
      const after = before !== null && !signal.aborted ? await this.#resources() : null;
      await this.#watch.stop();
      return this.#outcome(this.#record(settled, kernel, before, after), signal.aborted);
    } finally {
      await this.#watch.stop();
      await Promise.all([
        this.#monitor?.stop(),
        ...this.#flows.map((flow) => flow.abandon()),
        ...this.#pings.map((ping) => ping.stop()),
      ]);
    }
  }

  async #joinAndSettle(firstJoinMonoMs: number, signal: AbortSignal) {
    const { clock, lab, onProgress } = this.#deps;
    const hosts = this.#scenario.hosts.filter((host) => host.joins === 'now').map((host) => host.name);
    const each = async (stage: string, act: (host: string) => Promise<void>) => {
      let done = 0;
      await inPool(hosts, JOINS_AT_ONCE, async (host) => {
        if (signal.aborted) return;
        await act(host);
        onProgress({ kind: 'building', stage, done: ++done, total: hosts.length });
      });
    };
    // One after the other: agents that run already would slow the joins of the rest.
    await each('joining', (host) => lab.join(host));
    const joinedMs = clock.monoMs() - firstJoinMonoMs;
    await each('starting agents', (host) => lab.startAgent(host));
    onProgress({ kind: 'building', stage: 'measuring links and steering', done: 0, total: 1 });
    const steeredMonoMs = await settle(this.#watch, clock, this.#scenario, signal);
    const steeredMs = steeredMonoMs === null ? null : steeredMonoMs - firstJoinMonoMs;
    return { joinedMs, steeredMs };
  }

  async #timeline(steeredMs: number | null, signal: AbortSignal): Promise<void> {
    const { clock, hrtimeNs, onProgress } = this.#deps;
    this.#originMonoMs = clock.monoMs() + LEAD_MS;
    this.#originUnixMs = clock.nowMs() + LEAD_MS;
    const originNs = hrtimeNs() + BigInt(LEAD_MS * 1e6);
    const sources = this.#flows.map((flow) => this.#source(flow, originNs, signal));
    await this.#until(0, signal);
    const processorsBefore = await readProcessorTimes();
    onProgress({ kind: 'started', steeredMs, durationMs: this.#scenario.durationMs });
    const events = this.#runEvents(signal);
    const pings = this.#pings.map(async (run) => {
      await this.#until(run.ping.fromMs, signal);
      const hosts = this.#scenario.hosts.map((host) => host.name);
      if (!signal.aborted) await run.run(hosts, this.#originMonoMs + run.ping.toMs);
    });
    await this.#until(this.#scenario.durationMs, signal);
    await Promise.all([events, ...sources]);
    this.#processors = processorShares(processorsBefore, await readProcessorTimes());
    await Promise.all([...this.#pings.map((ping) => ping.stop()), ...pings]);
  }

  /** Each event starts on time; those that touch the same host, or links, or the core, go one after the other. */
  async #runEvents(signal: AbortSignal): Promise<void> {
    const chains = new Map<string, Promise<void>>();
    for (const event of this.#scenario.events) {
      await this.#until(event.atMs, signal);
      if (signal.aborted) break;
      const { action } = event;
      const key = 'host' in action ? action.host : 'links' in action ? 'links' : 'core';
      chains.set(
        key,
        (chains.get(key) ?? Promise.resolve()).then(() => this.#carryOut(event)),
      );
    }
    await Promise.all(chains.values());
  }

  async #carryOut(event: ScenarioEvent): Promise<void> {
    const { clock, lab, api, onProgress } = this.#deps;
    const at = round((clock.monoMs() - this.#originMonoMs) / 1_000);
    const done: RunEvent = { at, kind: event.action.kind, what: event.what };
    this.#events.push(done);
    onProgress({ kind: 'event', event: done });
    try {
      await carryOut(lab, api, this.#scenario, event.action);
    } catch (error) {
      this.#problems.push(`event "${event.what}" at ${at} s failed: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Starts a flow's source early enough to be on time, and as soon as its destination has an address. */
  async #source(run: FlowRun, originNs: bigint, signal: AbortSignal): Promise<void> {
    const { clock, hrtimeNs } = this.#deps;
    const { flow } = run;
    await this.#until(flow.fromMs - LEAD_MS, signal);
    while (!signal.aborted && clock.monoMs() < this.#originMonoMs + flow.toMs) {
      const node = this.#watch.node(flow.to);
      if (node !== undefined) {
        const dueNs = originNs + BigInt(Math.round(flow.fromMs * 1e6));
        const nowNs = hrtimeNs();
        run.startSource(flow.family === 4 ? node.node4 : node.node6, dueNs > nowNs ? dueNs : nowNs);
        return;
      }
      await pause(clock, 250, signal);
    }
    run.problem ??= `${flow.to} never got an address`;
  }

  async #resources(): Promise<Map<string, ResourceSnapshot>> {
    const snapshots = new Map<string, ResourceSnapshot>();
    for (const { name } of this.#scenario.hosts) snapshots.set(name, await resourceSnapshot(this.#deps.lab, name));
    return snapshots;
  }

  /** Hosts that are online now; read after one more look at the core, so that both are of the same moment. */
  /** Hosts are read one after the other, and a move may be under way meanwhile: what is wrong stays wrong. */
  async #kernelDisagreements(): Promise<string[]> {
    let wrong = await this.#readDisagreements();
    for (let read = 1; wrong.length > 0 && read < KERNEL_READS; read++) {
      await pause(this.#deps.clock, KERNEL_READ_GAP_MS);
      wrong = await this.#readDisagreements();
    }
    return wrong;
  }

  async #readDisagreements(): Promise<string[]> {
    const sample = await this.#watch.poll();
    const tables = new Map<string, KernelTables>();
    for (const node of sample.nodes.filter((n) => n.online)) {
      tables.set(node.name, await readKernelTables(this.#deps.lab, node.name));
    }
    const paths = new Map(sample.paths.map((p) => [pairKey(p.from, p.to), p.path]));
    return disagreements(tables, sample.nodes, (from, to) => paths.get(pairKey(from, to)) ?? []);
  }

  #record(
    settled: { readonly joinedMs: number; readonly steeredMs: number | null },
    kernelDisagreements: readonly string[] | null,
    before: ReadonlyMap<string, ResourceSnapshot> | null,
    after: ReadonlyMap<string, ResourceSnapshot> | null,
  ): RunRecord {
    const problems = [
      ...this.#problems,
      ...this.#flows.flatMap((run) => (run.problem === null ? [] : [`flow ${run.flow.name}: ${run.problem}`])),
      ...this.#pings.flatMap((run) => run.problems.map((problem) => `ping ${run.ping.name}: ${problem}`)),
    ];
    return {
      ...settled,
      scenario: this.#scenario,
      events: this.#events,
      pathChanges: this.#watch.changes.map((change) => this.#pathChange(change)),
      originUnixMs: this.#originUnixMs,
      finalPaths: this.#watch.latest?.paths ?? [],
      flow: (name, window) => this.#flows.find((run) => run.flow.name === name)?.result(window),
      pairReplies: (name) => [...(this.#pings.find((run) => run.ping.name === name)?.results.values() ?? [])],
      convergedAt: (ms) => this.#watch.convergedAt(this.#originMonoMs + ms),
      routeTouches: (host, window) => this.#monitor?.touches(host, this.#originUnixMs, window) ?? [],
      kernelDisagreements,
      resources: before === null || after === null ? null : { before, after },
      processors: this.#processors,
      problems,
    };
  }

  #outcome(record: RunRecord, aborted: boolean): ScenarioOutcome {
    return {
      events: record.events,
      pathChanges: record.pathChanges.filter((change) => change.at >= 0),
      measurements: measurements(record),
      expectations: aborted ? [] : this.#scenario.expectations.map((expectation) => judge(expectation, record)),
      machine: record.processors === null ? null : busyMachine(record.processors),
      problems: aborted ? [...record.problems, 'the run was interrupted'] : record.problems,
      originUnixMs: record.originUnixMs,
    };
  }

  #pathChange(change: PathChange): RunPathChange {
    return runPathChange(change, this.#originUnixMs);
  }

  #showPaths(sample: MeshSample): void {
    const atMs = Math.max(0, sample.atMonoMs - this.#originMonoMs);
    this.#deps.onProgress({ kind: 'paths', atMs, pairs: pairViews(sample), converged: isConverged(sample) });
  }

  #until(ms: number, signal: AbortSignal): Promise<void> {
    return pause(this.#deps.clock, this.#originMonoMs + ms - this.#deps.clock.monoMs(), signal);
  }
}

/** At most `width` at a time; results in the order of `items`. The first failure is thrown when all have ended. */
export async function inPool<T, R>(items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length && failures.length === 0) {
      const i = next++;
      try {
        results[i] = await work(items[i] as T);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
  return results;
}

function round(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
