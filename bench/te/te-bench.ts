/**
 * `bench -- te`: the optimiser on every instance of a folder, beside the linear program's optimum and beside what routers
 * do without it. `--synthetic N`: on a made-up instance of N nodes in its place.
 */
import { seededRandom } from '../../netlab/seeded-random.ts';
import { forwardedLoads, highestUtilisation } from '../../steering/traffic-engineering/forwarded-loads.ts';
import { optimise, TrafficOptimiser } from '../../steering/traffic-engineering/optimise.ts';
import { repetitaNetwork } from '../../steering/traffic-engineering/repetita-network.ts';
import { demandByDestination, type TrafficDemand } from '../../steering/traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../../steering/traffic-engineering/traffic-network.ts';
import type { TrafficOptions } from '../../steering/traffic-engineering/traffic-options.ts';
import type { TrafficPlan } from '../../steering/traffic-engineering/traffic-plan.ts';
import { changedGroups, type WeightedTables } from '../../steering/traffic-engineering/weighted-tables.ts';
import { quantile } from '../quantile.ts';
import { text, type Values, whole } from '../values.ts';
import { baselineTables } from './baseline-tables.ts';
import { lpOptimum } from './lp-optimum.ts';
import { type TrafficInstance, trafficInstances } from './repetita-files.ts';
import { syntheticInstance } from './synthetic-instance.ts';

export const TE_KEYS = ['data', 'rounds', 'peer-seconds', 'seed', 'only', 'synthetic'] as const;

/** Part of the demands that change for the warm run, and the most that one is multiplied or divided by. */
const CHANGED_PART = 0.1;
const CHANGED_FACTOR = 2;
const BASELINES = ['unitWeights', 'inverseCapacity', 'minimumDelay'] as const;

interface Figures {
  readonly highest: number;
  readonly ratio: number;
  readonly ms: number;
}

export async function benchTrafficEngineering(values: Values): Promise<unknown> {
  const rounds = whole(values, 'rounds', { otherwise: 3 });
  const seconds = whole(values, 'peer-seconds', { otherwise: 10, least: 0, most: 3600 });
  const seed = whole(values, 'seed', { otherwise: 1 });
  const only = (values['only'] ?? '').split(',').filter((name) => name !== '');
  const instances = [];
  const synthetic = whole(values, 'synthetic', { otherwise: 0, least: 0, most: 1_000 });
  const given = synthetic > 0 ? [syntheticInstance(synthetic, seed)] : trafficInstances(text(values, 'data'));
  for (const instance of given) {
    if (only.length > 0 && !only.some((name) => instance.name.startsWith(name))) continue;
    instances.push(await instanceFigures(instance, { rounds, seconds, seed }));
  }
  return { benchmark: 'te', rounds, peerSeconds: seconds, seed, instances, totals: totals(instances) };
}

type InstanceFigures = Awaited<ReturnType<typeof instanceFigures>>;

async function instanceFigures(
  { name, graph, demand }: TrafficInstance,
  { rounds, seconds, seed }: { rounds: number; seconds: number; seed: number },
) {
  const network = repetitaNetwork(graph);
  const matrix = demandByDestination(demand, network.nodeCount);
  const run = (given: Partial<TrafficOptions>): { plan: TrafficPlan; ms: number } =>
    timed(rounds, () => optimise(network, demand, given));
  const { plan, ms } = run({ stretch: null });
  const lp = await lpOptimum(network, matrix, seconds);
  const optimum = lp.optimum ?? plan.lowerBound;
  const figures = (result: { plan: TrafficPlan; ms: number }): Figures & { stretch: number } => ({
    highest: result.plan.highestUtilisation,
    ratio: result.plan.highestUtilisation / optimum,
    ms: result.ms,
    stretch: meanStretch(network, matrix, result.plan.loads.linkBps),
  });
  const baselines = Object.fromEntries(
    BASELINES.flatMap((kind) =>
      [false, true].map((multipath) => {
        const tables = baselineTables(network, baselinePrice(network, kind), multipath);
        const highest = highestUtilisation(network, forwardedLoads(network, tables, matrix));
        return [`${kind}${multipath ? 'Ecmp' : ''}`, highest / optimum] as const;
      }),
    ),
  );
  const entries = (weights: WeightedTables): number => weights.link.length;
  return {
    instance: name,
    nodes: network.nodeCount,
    links: network.from.length,
    demands: demand.from.length,
    ours: plan.highestUtilisation,
    optimum,
    ratio: plan.highestUtilisation / optimum,
    bound: lp.optimum === null ? 'proven by duality' : 'HiGHS',
    fractional: plan.sharesUtilisation / optimum,
    provenBound: plan.lowerBound,
    ms,
    peer: { ms: lp.ms, status: lp.status },
    rounds: plan.rounds,
    routes: plan.routes,
    members: entries(plan.tables),
    routesOffShortest: plan.changedRoutes / plan.routes,
    stretch: meanStretch(network, matrix, plan.loads.linkBps),
    bounded: figures(run({})),
    members2: figures(run({ stretch: null, members: 2 })),
    members8: figures(run({ stretch: null, members: 8 })),
    warm: warmFigures(network, demand, plan.tables, { rounds, seed }),
    baselines,
  };
}

/** After some of the demands changed: from the tables in force, beside from cold. */
function warmFigures(
  network: TrafficNetwork,
  demand: TrafficDemand,
  tables: WeightedTables,
  { rounds, seed }: { rounds: number; seed: number },
) {
  const random = seededRandom(seed);
  const rateBps = demand.rateBps.map((rate) => {
    if (random() >= CHANGED_PART) return rate;
    const factor = 1 + random() * (CHANGED_FACTOR - 1);
    return random() < 0.5 ? rate * factor : rate / factor;
  });
  const changed = { ...demand, rateBps };
  const cold = timed(rounds, () => optimise(network, changed, { stretch: null }));
  // an optimiser that has planned for the demand before, as in a core: that is not timed
  const warm = timed(rounds, () => {
    const optimiser = new TrafficOptimiser();
    optimiser.plan(network, demand, { stretch: null });
    return () => optimiser.plan(network, changed, { stretch: null }, tables);
  });
  return {
    ms: warm.ms,
    coldMs: cold.ms,
    highest: warm.plan.highestUtilisation,
    overCold: warm.plan.highestUtilisation / cold.plan.highestUtilisation,
    overBound: warm.plan.highestUtilisation / Math.max(warm.plan.lowerBound, cold.plan.lowerBound),
    moved: changedGroups(tables, warm.plan.tables) / warm.plan.routes,
  };
}

/** The plan, and the median of the times of all rounds: the first also compiles. What `run` returns is timed, if it is a function. */
function timed(rounds: number, run: () => TrafficPlan | (() => TrafficPlan)): { plan: TrafficPlan; ms: number } {
  const samples: number[] = [];
  let plan: TrafficPlan | undefined;
  for (let round = 0; round < rounds; round++) {
    let start = performance.now();
    const made = run();
    if (typeof made === 'function') {
      start = performance.now();
      plan = made();
    } else plan = made;
    samples.push(performance.now() - start);
  }
  if (plan === undefined) throw new Error('no round');
  return { plan, ms: quantile(samples, 0.5, 0) };
}

/** The mean RTT of all traffic over what it is on the shortest paths. */
function meanStretch(network: TrafficNetwork, matrix: Float64Array, linkBps: Float64Array): number {
  const shortest = forwardedLoads(network, baselineTables(network, network.rttUs, false), matrix).linkBps;
  const carried = (bps: Float64Array): number => bps.reduce((sum, each, l) => sum + each * (network.rttUs[l] ?? 0), 0);
  return carried(linkBps) / carried(shortest);
}

function baselinePrice({ rttUs, capacityBps }: TrafficNetwork, kind: (typeof BASELINES)[number]): Float64Array {
  if (kind === 'minimumDelay') return rttUs;
  if (kind === 'unitWeights') return rttUs.map(() => 1);
  const most = capacityBps.reduce((largest, each) => Math.max(largest, each), 0);
  return capacityBps.map((each) => most / each);
}

function totals(instances: readonly InstanceFigures[]) {
  const spread = (of: (each: InstanceFigures) => number) => {
    const all = instances.map(of);
    return {
      mean: all.reduce((sum, each) => sum + each, 0) / all.length,
      median: quantile(all, 0.5, Number.NaN),
      worst: quantile(all, 1, Number.NaN),
    };
  };
  return {
    instances: instances.length,
    againstHighs: instances.filter(({ bound }) => bound === 'HiGHS').length,
    ratio: spread(({ ratio }) => ratio),
    fractional: spread(({ fractional }) => fractional),
    ms: spread(({ ms }) => ms),
    peerMs: spread(({ peer }) => peer.ms),
    routesOffShortest: spread(({ routesOffShortest }) => routesOffShortest),
    stretch: spread(({ stretch }) => stretch),
    bounded: { ratio: spread(({ bounded }) => bounded.ratio), stretch: spread(({ bounded }) => bounded.stretch) },
    members2: spread(({ members2 }) => members2.ratio),
    members8: spread(({ members8 }) => members8.ratio),
    warm: {
      ms: spread(({ warm }) => warm.ms),
      partOfColdMs: spread(({ warm }) => warm.ms / warm.coldMs),
      overCold: spread(({ warm }) => warm.overCold),
      overBound: spread(({ warm }) => warm.overBound),
      moved: spread(({ warm }) => warm.moved),
    },
    baselines: Object.fromEntries(
      Object.keys(instances[0]?.baselines ?? {}).map((kind) => [kind, spread(({ baselines }) => baselines[kind] ?? 0)]),
    ),
  };
}
