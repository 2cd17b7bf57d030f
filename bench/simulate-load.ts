/**
 * `bench -- simulate-load`: an hour of a mesh whose demand goes in steps of five minutes, under three steerings: the
 * shortest paths of a quiet network, routes by measured delay without damping, and the slow loop around the optimiser.
 */
import { join } from 'node:path';
import {
  DEFAULT_LOAD_SIMULATION,
  type LoadSteering,
  type LoadStep,
  simulateLoad,
} from '../netlab/simulator/load/load-simulation.ts';
import { DelaySteering, FixedSteering, LoopSteering, shortestBy } from '../netlab/simulator/load/load-steerings.ts';
import { makeLoadedMesh } from '../netlab/simulator/load/loaded-mesh.ts';
import { demandOfStep, parseOdSeries } from '../netlab/simulator/load/od-series.ts';
import { RttNoise } from '../netlab/simulator/load/rtt-noise.ts';
import { SyntheticRtts } from '../netlab/simulator/synthetic-rtts.ts';
import { DEFAULT_LOAD_CONTROLLER_OPTIONS } from '../steering/load/load-controller.ts';
import { optimise } from '../steering/traffic-engineering/optimise.ts';
import { DEFAULT_TRAFFIC_OPTIONS } from '../steering/traffic-engineering/traffic-options.ts';
import { readData, seattleSlices } from './rtt-data.ts';
import { text, type Values, whole } from './values.ts';

export const SIMULATE_LOAD_KEYS = ['data', 'nodes', 'degree', 'seed', 'steps', 'seconds', 'peak', 'first'] as const;

/** Between slices of the Seattle testbed, as measured: 688 in 3 hours. */
const SEATTLE_SLICE_MS = 15_700;

export async function benchSimulateLoad(values: Values): Promise<unknown> {
  const folder = text(values, 'data');
  const seed = whole(values, 'seed', { otherwise: 1, least: 0 });
  const nodes = whole(values, 'nodes', { otherwise: 200, least: 3, most: 1_000 });
  const degree = whole(values, 'degree', { otherwise: 12, least: 2 });
  const peak = whole(values, 'peak', { otherwise: 90, most: 200 }) / 100;
  const first = whole(values, 'first', { otherwise: 0, least: 0, most: 299 });
  const steps = whole(values, 'steps', { otherwise: 12, most: 300 });
  const options = {
    ...DEFAULT_LOAD_SIMULATION,
    seed,
    stepSeconds: whole(values, 'seconds', { otherwise: 300, least: 60 }),
  };
  const { network, weight } = makeLoadedMesh(new SyntheticRtts(nodes, seed), degree, seed);
  const od = parseOdSeries(readData(join(folder, 'cmu-traffic', 'od.csv.gz')));
  const volumes = od.steps.slice(first, first + steps);
  const optimumOf = (scale: number) =>
    volumes.map((volume) => {
      const demand = demandOfStep(volume, od.places, weight, scale);
      return optimise(network, demand, { stretch: null, calmUtilisation: 0 });
    });
  // the busiest step's optimum comes to lie at the peak: utilisation grows with the demand
  const unscaled = optimumOf(1).map(({ lowerBound }) => lowerBound);
  const scale = peak / Math.max(...unscaled);
  const optima = unscaled.map((bound) => bound * scale);
  const demands = volumes.map((volume) => demandOfStep(volume, od.places, weight, scale));
  const noise = new RttNoise(seattleSlices(folder), SEATTLE_SLICE_MS);
  // the optimum that steps are held against knows no bound on stretch either
  const traffic = { ...DEFAULT_TRAFFIC_OPTIONS, stretch: null };
  const loop = new LoopSteering(network, { ...DEFAULT_LOAD_CONTROLLER_OPTIONS, traffic });
  const run = (name: string, steering: LoadSteering, noisy: boolean) => {
    const start = shortestBy(network, network.rttUs);
    const seen = simulateLoad(network, demands, start, steering, noisy ? noise : null, options);
    return { steering: name, ...summary(seen, optima), steps: seen.map((step) => rounded(step)) };
  };
  const startMs = performance.now();
  const results = [
    run('shortest paths, fixed', new FixedSteering(), true),
    run('by measured delay, undamped', new DelaySteering(network), true),
    run('by measured delay, undamped, no noise', new DelaySteering(network), false),
    run('load loop', loop, true),
  ];
  return {
    benchmark: 'simulate-load',
    nodes,
    links: network.from.length,
    pairs: demands[0]?.from.length ?? 0,
    virtualSeconds: demands.length * options.stepSeconds,
    optima: optima.map((value) => Number(value.toFixed(4))),
    plans: loop.controller.counters,
    results,
    wallSeconds: Math.round((performance.now() - startMs) / 1_000),
  };
}

/** The aim: settled 60 s after a step, no change after that, 5 % above the optimum in the mean over time. */
function summary(steps: readonly LoadStep[], optima: readonly number[]): object {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return rounded({
    meanUtilisation: mean(steps.map(({ meanUtilisation }) => meanUtilisation)),
    overOptimum: mean(steps.map(({ meanUtilisation }) => meanUtilisation)) / mean(optima),
    worstStepOverOptimum: Math.max(...steps.map(({ meanUtilisation }, i) => meanUtilisation / (optima[i] ?? 1))),
    settledOverOptimum: mean(steps.map(({ lastUtilisation }, i) => lastUtilisation / (optima[i] ?? 1))),
    lostShare: mean(steps.map(({ lostShare }) => lostShare)),
    latestChangeS: Math.max(...steps.map(({ settledS }) => settledS)),
    changes: steps.reduce((sum, { changes }) => sum + changes, 0),
    changesAfter60S: steps.reduce((sum, { changesAfter60S }) => sum + changesAfter60S, 0),
    movedShare: steps.reduce((sum, { movedShare }) => sum + movedShare, 0),
  });
}

function rounded<T extends object>(value: T): T {
  const entries = Object.entries(value).map(([key, field]) => [
    key,
    typeof field === 'number' ? Number(field.toFixed(5)) : field,
  ]);
  return Object.fromEntries(entries) as T;
}
