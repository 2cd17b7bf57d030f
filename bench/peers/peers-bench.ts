/**
 * Thalweg beside routing daemons over plain WireGuard tunnels, one after the other, in the same lab, with the same
 * failures. Raw samples are in the result, so that runs in pieces can be put together: see peers-table.ts.
 */
import { accessSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ThalwegError } from '../../protocol/error.ts';
import { Arena, type ArenaSpec } from './arena.ts';
import type { Contestant } from './contestant.ts';
import { CONTESTANTS } from './contestants.ts';
import { MeasuredFlow } from './measured-flow.ts';
import {
  type PeerScenario,
  prepare,
  type Repetition,
  repeat,
  restore,
  SCENARIOS,
  SOURCE,
  TARGET,
} from './repetition.ts';
import { cloudRtts, measureStretch, STRETCH_HOSTS, type Stretch } from './rtt-stretch.ts';
import { type Row, rowOf, type Sample, sampleOf } from './sample.ts';
import { measureSteadyState, type SteadyState } from './steady-state.ts';

const HOSTS = ['a', 'b', 'r', 's'];
/** Both ways together; the way round takes twice that. */
const REROUTE_RTT_MS = 5;
/** The clouds' scenario probes less often than by default, since so many agents share the machine's CPUs. */
const CLOUD_CORE = { probeIntervalMs: 500, deadAfterMs: 2_500 };
/** Routes that follow RTT need samples: ours hold a better path for seconds before they take it. */
const STRETCH_SETTLE_MS = 30_000;
/** Steering has come to rest, and probes are at the rate of a busy link. */
const STEADY_SETTLE_MS = 10_000;

export interface PeersOptions {
  readonly scenarios: readonly (PeerScenario | 'steady' | 'stretch')[];
  readonly contestants: readonly Contestant[];
  readonly count: number;
  readonly packetsPerSecond: number;
  /** No repetition is begun later than this after the start. */
  readonly seconds: number;
  readonly steadySeconds: number;
  readonly say: (line: string) => void;
}

export interface ContestantResult {
  readonly contestant: string;
  readonly configuration: string;
  readonly scenario: string;
  readonly packetsPerSecond: number;
  readonly row?: Row;
  readonly samples?: readonly Sample[];
  readonly steady?: SteadyState;
  readonly stretch?: Stretch;
  /** Why there is no more. */
  readonly problem?: string;
}

export interface PeersResult {
  readonly benchmark: 'peers';
  readonly results: readonly ContestantResult[];
  readonly skipped: readonly { readonly contestant: string; readonly why: string }[];
}

export const ALL_SCENARIOS = [...SCENARIOS, 'steady', 'stretch'] as const;

export async function benchPeers(options: PeersOptions): Promise<PeersResult> {
  const deadline = performance.now() + options.seconds * 1_000;
  const results: ContestantResult[] = [];
  const skipped: { contestant: string; why: string }[] = [];
  for (const contestant of options.contestants) {
    const missing = contestant.needs.find(({ program }) => !isInstalled(program));
    if (missing !== undefined) {
      const why = `${missing.program} is not installed: apt-get install ${missing.debianPackage}`;
      options.say(`SKIPPED ${contestant.name}: ${why}`);
      skipped.push({ contestant: contestant.name, why });
      continue;
    }
    for (const scenario of options.scenarios) {
      if (performance.now() > deadline) {
        options.say(`out of time before ${contestant.name}, ${scenario}`);
        continue;
      }
      options.say(`${contestant.name}: ${scenario} (${contestant.configuration})`);
      const base = { contestant: contestant.name, configuration: contestant.configuration, scenario };
      const { packetsPerSecond } = options;
      const part = await measure(contestant, scenario, options, deadline).catch((error: unknown) => ({
        problem: error instanceof Error ? error.message : String(error),
      }));
      if (part.problem !== undefined) options.say(`  ${part.problem}`);
      results.push({ ...base, packetsPerSecond, ...part });
    }
  }
  return { benchmark: 'peers', results, skipped };
}

type Part = Pick<ContestantResult, 'row' | 'samples' | 'steady' | 'stretch' | 'problem'>;

async function measure(
  contestant: Contestant,
  scenario: PeersOptions['scenarios'][number],
  options: PeersOptions,
  deadline: number,
): Promise<Part> {
  if (scenario === 'stretch') return stretch(contestant);
  const rtt = scenario === 'reroute' ? REROUTE_RTT_MS : 0;
  const spec: ArenaSpec = { hosts: HOSTS, rttMs: () => rtt, delaysLater: scenario === 'reroute', core: {} };
  return Arena.with(contestant, spec, (arena) =>
    scenario === 'steady' ? steady(arena, options) : disturb(arena, scenario, options, deadline),
  );
}

async function disturb(arena: Arena, scenario: PeerScenario, options: PeersOptions, deadline: number): Promise<Part> {
  const samples: Sample[] = [];
  let problem: string | undefined;
  await prepare(arena, scenario);
  // The tally lists so many missing runs per flow only: where there are many, a flow for each repetition.
  const perFlow = scenario === 'gray' || scenario === 'flap' ? 1 : options.count;
  for (let number = 0; samples.length < options.count && performance.now() < deadline; number++) {
    const flow = await startFlow(arena, options.packetsPerSecond, number);
    const repetitions: Repetition[] = [];
    try {
      const wanted = Math.min(perFlow, options.count - samples.length);
      while (repetitions.length < wanted && performance.now() < deadline) {
        const repetition = await repeat(arena, flow, scenario);
        repetitions.push(repetition);
        const { failedAtMs, backAtMs, endMs } = repetition;
        const seconds = [backAtMs - failedAtMs, endMs - backAtMs].map((ms) => (ms / 1_000).toFixed(1)).join(' + ');
        options.say(`  repetition ${samples.length + repetitions.length} took ${seconds} s`);
        if (!repetition.returned && scenario !== 'relay-crash') break; // the next would not disturb the traffic
      }
      await flow.finish();
    } catch (error) {
      await flow.abandon();
      throw error;
    }
    for (const repetition of repetitions) {
      const { failedAtMs, backAtMs, endMs } = repetition;
      const away = flow.disturbance(failedAtMs, backAtMs);
      if (away !== null) samples.push(sampleOf(away, flow.disturbance(backAtMs, endMs), repetition));
      if (away !== null) options.say(`  ${samples.length}: out for ${away.outageMs.toFixed(1)} ms, ${away.lost} lost`);
    }
    if (repetitions.at(-1)?.returned === false) {
      problem = `traffic did not go back to its first way after repetition ${samples.length}`;
      break;
    }
  }
  await restore(arena, scenario);
  return { row: rowOf(samples), samples, ...(problem === undefined ? {} : { problem }) };
}

async function steady(arena: Arena, options: PeersOptions): Promise<Part> {
  await prepare(arena, 'cut');
  const flow = await startFlow(arena, options.packetsPerSecond, 0);
  try {
    await pause(STEADY_SETTLE_MS);
    return { steady: await measureSteadyState(arena, options.steadySeconds, [SOURCE, TARGET]) };
  } finally {
    await flow.abandon();
  }
}

async function stretch(contestant: Contestant): Promise<Part> {
  const directUs = await cloudRtts();
  const hosts = Array.from({ length: STRETCH_HOSTS }, (_, i) => `h${i}`);
  const rttMs = (from: string, to: string) => (directUs[Number(from.slice(1))]?.[Number(to.slice(1))] ?? 0) / 1_000;
  const spec: ArenaSpec = { hosts, rttMs, delaysLater: true, core: CLOUD_CORE };
  return Arena.with(contestant, spec, async (arena) => {
    await pause(STRETCH_SETTLE_MS);
    return { stretch: await measureStretch(arena, hosts, directUs) };
  });
}

async function startFlow(arena: Arena, packetsPerSecond: number, number: number): Promise<MeasuredFlow> {
  const address = await arena.mesh.addressOf(TARGET);
  const flow = await MeasuredFlow.start(arena.lab, { from: SOURCE, to: TARGET, address, packetsPerSecond }, number);
  if (await flow.untilArriving(0.98, 1_000, 20_000)) return flow;
  await flow.abandon();
  throw new ThalwegError('timeout', `${arena.contestant.name}: the flow from ${SOURCE} to ${TARGET} does not arrive`);
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program));
      return true;
    } catch {
      return false;
    }
  });
}

/** Keys of the command line. */
export const PEERS_KEYS = ['scenario', 'contestants', 'count', 'rate', 'seconds', 'steady-seconds'] as const;

/** Throws invalid_argument for a name that is not known. */
export function chosen<T>(
  given: string | undefined,
  known: readonly T[],
  nameOf: (item: T) => string,
  what: string,
): T[] {
  if (given === undefined) return [...known];
  return given.split(',').map((name) => {
    const found = known.find((item) => nameOf(item) === name.trim());
    if (found !== undefined) return found;
    throw new ThalwegError('invalid_argument', `no ${what} is named ${JSON.stringify(name.slice(0, 60))}`, {
      nextStep: `name some of: ${known.map(nameOf).join(', ')}`,
    });
  });
}

export { CONTESTANTS };
