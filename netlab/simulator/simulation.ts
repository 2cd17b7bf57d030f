/**
 * A whole mesh on virtual time: the real steering engine, one synthetic agent per node, a network under it with weather.
 *
 *   0 s            joinSeconds              calmSeconds               seconds - settleSeconds       seconds
 *   | nodes join   | first paths settle     | troubles come and go    | nothing new goes wrong      |
 *
 * The same options give the same events at the same times, whatever the machine: `checksum` says so.
 */
import { seededRandom } from '../seeded-random.ts';
import { EventLog } from './event-log.ts';
import { type Fault, ForwardingState } from './forwarding-state.ts';
import { choosePeers, onlyBetween } from './link-choice.ts';
import { PathQuality, type PathSample } from './path-quality.ts';
import type { RttSource } from './rtt-matrix.ts';
import { SimulatedCore } from './simulated-core.ts';
import { ListenedEngine, type SessionFigures, SimulatedSessions } from './simulated-sessions.ts';
import { SimulatedUnderlay } from './simulated-underlay.ts';
import { SyntheticAgent } from './synthetic-agent.ts';
import { VirtualClock } from './virtual-clock.ts';
import { type TroubleKind, Weather } from './weather.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Virtual seconds. */
  readonly seconds: number;
  /** Nodes join at random within this time. */
  readonly joinSeconds: number;
  /** When troubles begin. */
  readonly calmSeconds: number;
  /** Free of new troubles, at the end. */
  readonly settleSeconds: number;
  readonly troublesPerMinute: number;
  /** Links per node, about; 0: every pair. */
  readonly degree: number;
  /** Share of nodes that do not forward for others. */
  readonly leafShare: number;
  readonly lostAckShare: number;
  readonly reportSeconds: number;
  readonly sampleSeconds: number;
  /** Least time between two SPF runs of the core, as steering has it for a small mesh; big ones need more. */
  readonly spfMinIntervalMs: number;
  /** Above so many peers per node the core plans who holds sessions; `degree` is then 0. 0: links are as `degree` says. */
  readonly maxPeers: number;
}

export const DEFAULT_SIMULATION: SimulationOptions = {
  seed: 1,
  seconds: 300,
  joinSeconds: 5,
  calmSeconds: 60,
  settleSeconds: 90,
  troublesPerMinute: 12,
  degree: 0,
  leafShare: 0,
  lostAckShare: 0.0005,
  reportSeconds: 5,
  sampleSeconds: 10,
  spfMinIntervalMs: 100,
  maxPeers: 0,
};

export interface SimulationResult {
  readonly nodes: number;
  readonly links: number;
  readonly virtualSeconds: number;
  readonly spfRuns: number;
  readonly deltas: number;
  readonly rows: number;
  readonly pathChanges: number;
  readonly troubles: Readonly<Record<TroubleKind, number>>;
  /** Pairs whose forwarding was followed after a change of it, and how often it was wrong. */
  readonly checks: number;
  readonly loops: number;
  readonly missingRows: number;
  /** Wrong too, but packets of a source that the core could not tell anything at that moment: not counted above. */
  readonly faultsOfCutOff: number;
  /** Nodes that still had paths through them 15 s after they said goodbye. */
  readonly overdueLeaves: number;
  readonly firstFaults: readonly string[];
  readonly samples: readonly PathSample[];
  /** Null where the core plans no sessions. */
  readonly sessions: SessionFigures | null;
  readonly events: number;
  readonly checksum: string;
}

/** As a core has it, with rounds that end sooner, since agents here measure sooner. */
const SESSION_PLAN = { explorePeers: 4, roundMs: 10_000, restMs: 600_000 };
const FAULTS_KEPT = 5;
const AWAY_MS = 50;

export class Simulation {
  readonly clock = new VirtualClock();
  readonly log: EventLog;
  readonly underlay: SimulatedUnderlay;
  readonly forwarding: ForwardingState;
  readonly core: SimulatedCore;
  readonly agents: readonly SyntheticAgent[];
  readonly weather: Weather;
  readonly sessions: SimulatedSessions | undefined;
  readonly #options: SimulationOptions;
  readonly #peers: readonly (readonly number[])[];
  readonly #quality: PathQuality;
  readonly #faults: string[] = [];
  readonly #samples: PathSample[] = [];
  #loops = 0;
  #missingRows = 0;
  #faultsOfCutOff = 0;

  constructor(rtts: RttSource, options: SimulationOptions, keepLines = 0) {
    this.#options = options;
    const { clock } = this;
    const n = rtts.size;
    this.log = new EventLog(keepLines);
    this.forwarding = new ForwardingState(n);
    this.#peers = choosePeers(rtts, options.degree, options.seed);
    this.underlay = new SimulatedUnderlay(onlyBetween(this.#peers, rtts));
    const engine = new ListenedEngine(
      { toUnixMs: (ms) => clock.nowMs() - clock.monoMs() + ms, stopwatchMs: () => 0 },
      { spfMinIntervalMs: options.spfMinIntervalMs },
    );
    this.core = new SimulatedCore({
      engine,
      clock,
      log: this.log,
      send: (index, delta) => this.agents[index - 1]?.send(delta),
    });
    const random = (stream: number) =>
      seededRandom(Math.imul(options.seed, 0x9e3779b1) + Math.imul(stream, 0x85ebca6b));
    const draw = random(-1);
    const leaves = Array.from({ length: n }, (_, v) => v !== 0 && draw() < options.leafShare);
    const toCoreMs = (node: number) => 1 + (node === 0 ? 0 : (rtts.rttUs(0, node) ?? 2_000 * AWAY_MS) / 2) / 1_000;
    if (options.maxPeers > 0) {
      this.sessions = new SimulatedSessions(
        {
          clock,
          log: this.log,
          forwarding: this.forwarding,
          event: (apply) => this.core.event(apply),
          toCoreMs,
          hasPower: (node) => this.underlay.hasPower(node),
          onSession: (node, peer) => this.agents[node]?.report(peer),
        },
        engine,
        { ...SESSION_PLAN, maxPeers: options.maxPeers, size: n, transit: (node) => leaves[node] !== true },
      );
      engine.sessions = this.sessions;
    }
    const { sessions } = this;
    this.agents = leaves.map((isLeaf, node) => {
      return new SyntheticAgent(
        node,
        {
          clock,
          core: this.core,
          underlay: this.underlay,
          forwarding: this.forwarding,
          random: random(node),
          log: this.log,
          peers: () =>
            (sessions?.peersOf(node) ?? this.#peers[node] ?? []).filter((peer) => this.agents[peer]?.isThere === true),
          hasSession: (peer) => sessions?.has(node, peer) ?? true,
          onApplied: (delta) => sessions?.applied(node, delta),
          agent: (peer) => this.agents[peer],
          onFault: (fault) => this.#onFault(fault),
        },
        {
          toCoreMs: toCoreMs(node),
          reportIntervalMs: options.reportSeconds * 1_000,
          lostAckShare: options.lostAckShare,
          transit: !isLeaf,
        },
      );
    });
    this.#quality = new PathQuality({
      underlay: this.underlay,
      forwarding: this.forwarding,
      peers: this.#peers,
      transit: leaves.map((isLeaf) => !isLeaf),
    });
    this.weather = new Weather({
      clock,
      random: random(-2),
      log: this.log,
      underlay: this.underlay,
      forwarding: this.forwarding,
      agents: this.agents,
      peers: this.#peers,
      onReturn: () => this.#checkAll(),
    });
    this.#plan(random(-3));
  }

  /** Lets virtual time pass until `atS`. */
  runUntil(atS: number): void {
    this.clock.runUntil(atS * 1_000);
  }

  /** Runs to the end. */
  run(): SimulationResult {
    this.runUntil(this.#options.seconds);
    this.#checkAll();
    return this.result();
  }

  result(): SimulationResult {
    const { core, forwarding, log } = this;
    return {
      nodes: this.agents.length,
      links: this.#peers.reduce((sum, peers) => sum + peers.length, 0) / 2,
      virtualSeconds: this.clock.monoMs() / 1_000,
      spfRuns: core.engine.counters.spfRuns,
      deltas: core.deltas,
      rows: core.rows,
      pathChanges: core.pathChanges,
      troubles: { ...this.weather.counts },
      checks: forwarding.checks,
      loops: this.#loops,
      missingRows: this.#missingRows,
      faultsOfCutOff: this.#faultsOfCutOff,
      overdueLeaves: this.agents.reduce((sum, agent) => sum + agent.overdueLeaves, 0),
      firstFaults: this.#faults,
      samples: this.#samples,
      sessions: this.sessions?.figures ?? null,
      events: log.count,
      checksum: log.checksum,
    };
  }

  /** The paths as they are now. */
  sample(): PathSample {
    return this.#quality.sample(this.clock.monoMs() / 1_000);
  }

  #plan(next: () => number): void {
    const { seconds, joinSeconds, calmSeconds, settleSeconds, troublesPerMinute, sampleSeconds } = this.#options;
    for (const agent of this.agents) this.clock.after(joinSeconds * 1_000 * next(), () => agent.join());
    this.weather.schedule(calmSeconds * 1_000, (seconds - settleSeconds) * 1_000, troublesPerMinute);
    for (let atS = sampleSeconds; atS <= seconds; atS += sampleSeconds) {
      this.clock.after(atS * 1_000, () => {
        const sample = this.sample();
        this.#samples.push(sample);
        this.log.add(this.clock.monoMs(), JSON.stringify(sample));
      });
    }
  }

  #checkAll(): void {
    for (const fault of this.forwarding.checkAll()) this.#onFault(fault);
  }

  #onFault({ fate, from, to, path }: Fault): void {
    const atMs = this.clock.monoMs();
    const isCutOff = this.agents[from]?.isCutOff === true;
    this.log.add(atMs, `${fate} ${from} ${to} ${isCutOff}`);
    if (isCutOff) {
      this.#faultsOfCutOff++;
      return;
    }
    if (fate === 'loop') this.#loops++;
    else this.#missingRows++;
    if (this.#faults.length < FAULTS_KEPT) {
      this.#faults.push(
        `at ${(atMs / 1_000).toFixed(3)} s, ${fate}: packets of ${from} for ${to} by ${path.join(' ')}`,
      );
    }
  }
}
