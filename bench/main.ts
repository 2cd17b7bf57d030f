/**
 * `npm run -s bench -- NAME [--json] [--KEY VALUE ...]`: one benchmark, whose result is one object. Figures and what
 * they are held against are in docs/benchmarks.md.
 */
import { parseArgs } from 'node:util';
import { ThalwegError } from '../protocol/error.ts';
import { ABUSE_KEYS, benchAbuse } from './abuse/abuse-bench.ts';
import { benchAgentFootprint } from './agent-footprint.ts';
import { BACKUPS_KEYS, benchBackups } from './backups.ts';
import { benchClusterKill } from './cluster-kill.ts';
import { benchCoreKill } from './core-kill.ts';
import { benchDoNoHarm } from './do-no-harm.ts';
import { benchFleet, FLEET_KEYS, fleetOptionsOf } from './fleet/fleet-bench.ts';
import { benchGenerations, GENERATIONS_KEYS } from './generations.ts';
import { benchKeyRotation, KEY_ROTATION_KEYS } from './key-rotation.ts';
import { benchLoad } from './load.ts';
import { benchLocalRepair, LOCAL_REPAIR_KEYS } from './local-repair.ts';
import { benchOutage, OUTAGE_KEYS } from './outage/outage-bench.ts';
import { ALL_SCENARIOS, benchPeers, CONTESTANTS, chosen, PEERS_KEYS } from './peers/peers-bench.ts';
import { mergeRows, readResults, renderTable } from './peers/peers-table.ts';
import { benchRemoval, REMOVAL_KEYS } from './removal.ts';
import { benchSessionPlan, benchSessionPlanScale } from './session-plan.ts';
import { benchSimulate, SIMULATE_KEYS } from './simulate.ts';
import { benchSimulateLoad, SIMULATE_LOAD_KEYS } from './simulate-load.ts';
import { benchSolverFailover, VICTIMS } from './solver-failover.ts';
import { makeSpfGraph, SPF_GRAPH_KEYS, SPF_KEYS, spfOptions } from './spf/spf-arguments.ts';
import { benchSpf } from './spf/spf-bench.ts';
import { benchSteering, STEERING_KEYS } from './steering-steps.ts';
import { benchTrafficEngineering, TE_KEYS } from './te/te-bench.ts';
import { plotUtilisation, TE_PLOT_KEYS } from './te/te-plot.ts';
import { benchThroughput } from './throughput.ts';
import { oneOf, text, type Values, whole } from './values.ts';

interface Benchmark {
  /** The keys it takes, without dashes. */
  readonly keys: readonly string[];
  readonly run: (values: Values) => Promise<unknown>;
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  throughput: {
    keys: ['rounds', 'seconds'],
    run: (values) =>
      benchThroughput({
        rounds: whole(values, 'rounds', { otherwise: 5 }),
        seconds: whole(values, 'seconds', { otherwise: 4 }),
      }),
  },
  load: {
    keys: ['latency-seconds', 'load-seconds', 'counted-seconds'],
    run: (values) =>
      benchLoad({
        latencyS: whole(values, 'latency-seconds', { otherwise: 25 }),
        loadS: whole(values, 'load-seconds', { otherwise: 80 }),
        countedS: whole(values, 'counted-seconds', { otherwise: 15 }),
      }),
  },
  'agent-footprint': {
    keys: ['peers', 'seconds', 'settle'],
    run: (values) =>
      benchAgentFootprint({
        peers: whole(values, 'peers', { otherwise: 12 }),
        seconds: whole(values, 'seconds', { otherwise: 60 }),
        settle: whole(values, 'settle', { otherwise: 240 }),
      }),
  },
  peers: {
    keys: PEERS_KEYS,
    run: async (values) => {
      const say = (line: string) => process.stderr.write(`${line}\n`);
      const result = await benchPeers({
        scenarios: chosen(values.scenario, ALL_SCENARIOS, (name) => name, 'scenario'),
        contestants: chosen(values.contestants, CONTESTANTS, ({ name }) => name, 'contestant'),
        count: whole(values, 'count', { otherwise: 20 }),
        packetsPerSecond: whole(values, 'rate', { otherwise: 1_000 }),
        seconds: whole(values, 'seconds', { otherwise: 7_200 }),
        steadySeconds: whole(values, 'steady-seconds', { otherwise: 20 }),
        say,
      });
      say(renderTable(result.results));
      return result;
    },
  },
  'peers-table': {
    keys: ['files'],
    run: async (values) => {
      const results = readResults(text(values, 'files').split(','));
      process.stderr.write(`${renderTable(results)}\n`);
      return { benchmark: 'peers-table', rows: mergeRows(results) };
    },
  },
  abuse: { keys: ABUSE_KEYS, run: benchAbuse },
  'key-rotation': { keys: KEY_ROTATION_KEYS, run: benchKeyRotation },
  removal: { keys: REMOVAL_KEYS, run: benchRemoval },
  'local-repair': { keys: LOCAL_REPAIR_KEYS, run: benchLocalRepair },
  outage: { keys: OUTAGE_KEYS, run: benchOutage },
  spf: { keys: SPF_KEYS, run: (values) => benchSpf(spfOptions(values)) },
  backups: { keys: BACKUPS_KEYS, run: benchBackups },
  steering: { keys: STEERING_KEYS, run: benchSteering },
  generations: { keys: GENERATIONS_KEYS, run: benchGenerations },
  simulate: { keys: SIMULATE_KEYS, run: benchSimulate },
  'simulate-load': { keys: SIMULATE_LOAD_KEYS, run: benchSimulateLoad },
  te: { keys: TE_KEYS, run: benchTrafficEngineering },
  'te-plot': { keys: TE_PLOT_KEYS, run: plotUtilisation },
  fleet: { keys: FLEET_KEYS, run: (values) => benchFleet(fleetOptionsOf(values)) },
  'spf-graph': { keys: SPF_GRAPH_KEYS, run: makeSpfGraph },
  'core-kill': {
    keys: ['rounds', 'seed'],
    run: (values) =>
      benchCoreKill({
        rounds: whole(values, 'rounds', { otherwise: 200, most: 10_000 }),
        seed: whole(values, 'seed', { otherwise: 1 }),
      }),
  },
  'cluster-kill': {
    keys: ['rounds', 'seed', 'cores', 'nats'],
    run: (values) =>
      benchClusterKill({
        rounds: whole(values, 'rounds', { otherwise: 60, most: 10_000 }),
        seed: whole(values, 'seed', { otherwise: 1 }),
        cores: whole(values, 'cores', { otherwise: 3, most: 9 }),
        natsServers: whole(values, 'nats', { otherwise: 3, most: 5 }),
      }),
  },
  'solver-failover': {
    keys: ['rounds', 'seed', 'agents', 'cores', 'nats', 'victim'],
    run: (values) =>
      benchSolverFailover({
        rounds: whole(values, 'rounds', { otherwise: 30, most: 10_000 }),
        seed: whole(values, 'seed', { otherwise: 1 }),
        agents: whole(values, 'agents', { otherwise: 12, least: 3, most: 500 }),
        cores: whole(values, 'cores', { otherwise: 3, least: 2, most: 9 }),
        natsServers: whole(values, 'nats', { otherwise: 3, most: 5 }),
        victim: oneOf(values, 'victim', VICTIMS),
      }),
  },
  'do-no-harm': { keys: ['data'], run: async (values) => benchDoNoHarm(text(values, 'data')) },
  'session-plan': {
    keys: ['data', 'degree', 'rounds', 'explore', 'seed', 'nodes'],
    run: async (values) => {
      const bench = {
        degree: whole(values, 'degree', { otherwise: 16, least: 2, most: 256 }),
        rounds: whole(values, 'rounds', { otherwise: values.nodes === undefined ? 32 : 4 }),
        explore: whole(values, 'explore', { otherwise: 4, least: 0, most: 64 }),
        seed: whole(values, 'seed', { otherwise: 1 }),
      };
      return values.nodes === undefined
        ? benchSessionPlan({ ...bench, data: text(values, 'data') })
        : benchSessionPlanScale(whole(values, 'nodes', { otherwise: 5_000, most: 100_000 }), bench);
    },
  },
};

async function main(): Promise<void> {
  const keys = new Set(Object.values(BENCHMARKS).flatMap((benchmark) => benchmark.keys));
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      ...Object.fromEntries([...keys].map((key) => [key, { type: 'string' } as const])),
    },
  });
  const [name = ''] = positionals;
  const benchmark = BENCHMARKS[name];
  if (benchmark === undefined || positionals.length !== 1) {
    throw new ThalwegError('invalid_argument', `no benchmark is named ${JSON.stringify(positionals.join(' '))}`, {
      nextStep: `name one of: ${Object.keys(BENCHMARKS).join(', ')}`,
    });
  }
  const { json, ...given } = values;
  for (const key of Object.keys(given)) {
    if (benchmark.keys.includes(key)) continue;
    throw new ThalwegError('invalid_argument', `${name} takes no --${key}`, {
      nextStep: `give some of: ${benchmark.keys.map((known) => `--${known}`).join(', ')}`,
    });
  }
  const result = await benchmark.run(given as Values);
  process.stdout.write(`${JSON.stringify(result, null, json === true ? undefined : 2)}\n`);
}

main().catch((error: unknown) => {
  const known = error instanceof ThalwegError ? error : undefined;
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  if (known?.nextStep !== undefined) process.stderr.write(`  next: ${known.nextStep}\n`);
  process.exitCode = known?.code === 'invalid_argument' ? 2 : 1;
});
