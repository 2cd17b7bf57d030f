/**
 * `bench -- simulate`: a mesh on virtual time with the real steering engine, on measured RTTs (`--matrix FILE`) or made-up
 * ones. Prints what happened, how good the paths were, whether a packet could ever have gone wrong, and how fast virtual
 * time passed.
 */

import { DEFAULT_FLEET_SIMULATION, FleetSimulation } from '../netlab/simulator/fleet-simulation.ts';
import { parseRttMatrix, type RttSource } from '../netlab/simulator/rtt-matrix.ts';
import { DEFAULT_SIMULATION, Simulation } from '../netlab/simulator/simulation.ts';
import { SyntheticRtts } from '../netlab/simulator/synthetic-rtts.ts';
import { ThalwegError } from '../protocol/error.ts';
import { FleetModel } from './fleet/fleet-model.ts';
import { readData } from './rtt-data.ts';
import { type Values, whole } from './values.ts';

export const SIMULATE_KEYS = [
  'matrix',
  'slice',
  'nodes',
  'seconds',
  'seed',
  'degree',
  'troubles',
  'leaves',
  'leaf-share',
  'links',
  'reports',
  'calm',
  'settle',
  'spf-interval',
  'max-peers',
] as const;

export async function benchSimulate(values: Values): Promise<unknown> {
  const seed = whole(values, 'seed', { otherwise: 1, least: 0, most: 2 ** 31 - 1 });
  if (values['leaves'] !== undefined) return simulateFleet(values, seed);
  const nodes = whole(values, 'nodes', { otherwise: 50, least: 2, most: 20_000 });
  const matrix = values['matrix'];
  const rtts = matrix === undefined ? new SyntheticRtts(nodes, seed) : readRtts(matrix, nodes, values);
  const options = {
    ...DEFAULT_SIMULATION,
    seed,
    seconds: whole(values, 'seconds', { otherwise: DEFAULT_SIMULATION.seconds, most: 1_000_000 }),
    degree: whole(values, 'degree', { otherwise: 0, least: 0 }),
    troublesPerMinute: whole(values, 'troubles', { otherwise: DEFAULT_SIMULATION.troublesPerMinute, least: 0 }),
    leafShare: whole(values, 'leaf-share', { otherwise: 0, least: 0, most: 90 }) / 100,
    calmSeconds: whole(values, 'calm', { otherwise: DEFAULT_SIMULATION.calmSeconds, least: 0 }),
    spfMinIntervalMs: whole(values, 'spf-interval', { otherwise: DEFAULT_SIMULATION.spfMinIntervalMs, most: 600_000 }),
    maxPeers: whole(values, 'max-peers', { otherwise: 0, least: 0 }),
    settleSeconds: whole(values, 'settle', { otherwise: DEFAULT_SIMULATION.settleSeconds, least: 0 }),
  };
  const startMs = performance.now();
  const result = new Simulation(rtts, options).run();
  const wallSeconds = (performance.now() - startMs) / 1_000;
  return {
    benchmark: 'simulate',
    matrix: matrix ?? 'made-up',
    options,
    ...result,
    wallSeconds: Math.round(wallSeconds * 1_000) / 1_000,
    virtualPerWall: Math.round((result.virtualSeconds / wallSeconds) * 100) / 100,
    peakMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
}

/** `--leaves N`: the fleet engine with that many leaves under `--nodes` transit nodes. */
function simulateFleet(values: Values, seed: number): unknown {
  for (const key of ['matrix', 'slice', 'leaf-share', 'calm', 'spf-interval']) {
    if (values[key] === undefined) continue;
    throw new ThalwegError('invalid_argument', `--${key} has no meaning with --leaves`, {
      nextStep: 'a fleet is made up: leave it out',
    });
  }
  const known = DEFAULT_FLEET_SIMULATION;
  const model = new FleetModel({
    transit: whole(values, 'nodes', { otherwise: 50, least: 2, most: 8_000 }),
    leaves: whole(values, 'leaves', { otherwise: 0, least: 0, most: 1_000_000 }),
    links: whole(values, 'links', { otherwise: 3, most: 4 }),
    degree: whole(values, 'degree', { otherwise: 16, least: 2 }),
    seed,
  });
  const options = {
    ...known,
    seed,
    seconds: whole(values, 'seconds', { otherwise: known.seconds, most: 1_000_000 }),
    settleSeconds: whole(values, 'settle', { otherwise: known.settleSeconds, least: 0 }),
    troublesPerMinute: whole(values, 'troubles', { otherwise: known.troublesPerMinute, least: 0 }),
    leafEventsPerSecond: whole(values, 'reports', { otherwise: known.leafEventsPerSecond, least: 0, most: 100_000 }),
  };
  const startMs = performance.now();
  const fleet = new FleetSimulation(model.places, options);
  const readyMs = performance.now();
  const result = fleet.run();
  const runSeconds = (performance.now() - readyMs) / 1_000;
  return {
    benchmark: 'simulate',
    options: { ...options, links: model.options.links, degree: model.options.degree },
    ...result,
    firstTablesSeconds: Math.round(readyMs - startMs) / 1_000,
    wallSeconds: Math.round(runSeconds * 1_000) / 1_000,
    virtualPerWall: Math.round((result.virtualSeconds / runSeconds) * 100) / 100,
    peakMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
}

/** The first places of a file, unpacked where its name ends in .gz. */
function readRtts(file: string, nodes: number, values: Values): RttSource {
  const all = parseRttMatrix(readData(file), whole(values, 'slice', { otherwise: 0, least: 0 }));
  if (values['nodes'] === undefined) return all;
  if (nodes > all.size) {
    throw new ThalwegError('invalid_argument', `--nodes ${nodes}: ${file} has ${all.size} places`, {
      nextStep: `give at most ${all.size}, or no --matrix for made-up RTTs`,
    });
  }
  // spread over the file, whose order may mean something
  return all.subset(Array.from({ length: nodes }, (_, i) => Math.floor((i * all.size) / nodes)));
}
