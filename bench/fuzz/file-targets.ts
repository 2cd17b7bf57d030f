/** What is read from files: state of core and agent, scenarios, settings, graphs, topologies, matrices. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentConfigSchema } from '../../agent/agent-config.ts';
import { parseIdentity } from '../../agent/identity.ts';
import { formatStoredPolicy, parseStoredPolicy } from '../../agent/policy-store.ts';
import { formatStoredState, parseStoredState } from '../../agent/table-store.ts';
import { configFields } from '../../cli/config-fields.ts';
import { parseConfigText } from '../../cli/config-file.ts';
import { parseFlag } from '../../cli/config-flags.ts';
import { parseLabel, parseTokenDuration, parseUses } from '../../cli/token-command.ts';
import { parseLabState } from '../../netlab/lab-state.ts';
import { parseScenario } from '../../netlab/scenario/scenario-file.ts';
import { parseOdSeries } from '../../netlab/simulator/load/od-series.ts';
import { parseRttMatrix, parseRttSlices } from '../../netlab/simulator/rtt-matrix.ts';
import { parseWireRequest } from '../../netlab/wire-control.ts';
import { projectRoot } from '../../protocol/program-file.ts';
import { deltaFrom, RouteTable } from '../../protocol/route-table.ts';
import { coreConfigSchema } from '../../steering/core-config.ts';
import { unpackFleetState } from '../../steering/fleet/fleet-state.ts';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { DimacsReader } from '../../steering/graph/dimacs-reader.ts';
import { decodeGraph, encodeGraph } from '../../steering/graph/graph-codec.ts';
import { parseListenAddress } from '../../steering/listen-address.ts';
import { parsePersistedState } from '../../steering/persisted-state.ts';
import { faultText, parsePolicy } from '../../steering/policy/policy-text.ts';
import { failedTests } from '../../steering/policy/verdict.ts';
import { loadSessions } from '../../steering/session-plan/saved-sessions.ts';
import { bringForward, parseStepRecords } from '../../steering/state-journal.ts';
import { readRepetitaDemands, readRepetitaGraph } from '../../steering/traffic-engineering/repetita-graph.ts';
import { type FuzzTarget, refusing, textTarget, verdict } from './fuzz-target.ts';
import { POLICY_UPDATE, ROWS } from './socket-targets.ts';

const IDENTITY = {
  nodeId: 'n-abcdefgh2345',
  name: 'edge-1',
  index: 3,
  addressPlan: { tunnel: '100.112.0.0/12', node4: '100.96.0.0/12', node6: 'fd54:5748::/64' },
  coreAddresses: ['198.18.0.9:8470'],
  caFingerprint: 'f'.repeat(64),
};
const DELTA = { generation: '6', base: '5', full: false, set: [[1, 2, 1, 3]], remove: [[2, 4]], checksum: '77' };
const CORE_STATE = {
  version: 1,
  generation: '5',
  nodes: [
    { index: 1, known: true, generation: '5', rows: [[1, 2, 1, 3], [2, 4, 0, 0, [[3, 2], [5, 1]]]], inFlight: DELTA }, // biome-ignore format: rows
  ],
  destinations: [{ index: 2, plane: 'a', nextHops: [[1, 3]], spread: [] }],
  paths: [{ path: [1, 3, 2], from: 1, to: 2, sinceUnixMs: 9, reason: 'latency' }],
  links: [[1, 2, 1, 5000, 4900, 10, 0, 0, 5]],
};
const STEP = { generation: '6', deltas: [[1, DELTA]], destinations: CORE_STATE.destinations };
const LAB_STATE = {
  version: 1, name: 'x', status: 'up', startedAtMs: 1, driver: 'plain', seed: 1, distDir: '/d',
  hosts: [{ name: 'a', transit: true, powered: true }], links: {}, processes: [], core: {}, agent: {},
}; // biome-ignore format: one thing a line would be long
const WIRE = {
  kind: 'setLinks',
  links: [{ from: 1, to: 2, shape: { oneWayDelayUs: 5, jitterUs: 0, lossPpm: 0, rateBps: null, cut: false } }],
};
const GRAPH = 'c three nodes\np sp 3 4\na 1 2 10\na 2 1 10\na 2 3 7\na 3 2 7\n';
const TOPOLOGY =
  'NODES 2\nlabel x y\na 0 0\nb 1 1\n\nEDGES 2\nlabel src dest weight bw delay\ne0 0 1 1 1000 5\ne1 1 0 1 1000 5\n';
const DEMANDS = 'DEMANDS 1\nlabel src dest bw\nd0 0 1 500\n';
const POLICY =
  'allow app=web -> app=db & env="x y" tcp/80,443-500 icmp # why\nallow any -> n-1 any\ntest any -> app=db udp/53 denied\n';
/** Rows and slots that a graph of a fuzzer's size can have: what it claims beyond that is refused, not allocated. */
const LARGEST_GRAPH = 1_000_000;

export function fileTargets(): FuzzTarget[] {
  return [
    text('agent-identity', 'identity.json of an agent', [JSON.stringify(IDENTITY)], (input) =>
      verdict(parseIdentity(input)),
    ),
    text('agent-table', 'table.json of an agent', [storedTable()], (input) => verdict(parseStoredState(input))),
    text('agent-policy', 'policy.json of an agent', [storedPolicy()], (input) => verdict(parseStoredPolicy(input))),
    {
      name: 'core-state',
      source: "a core's saved state, its records of steps, and a fleet's",
      seeds: () => [CORE_STATE, STEP, { fleet: 1, mesh: CORE_STATE, leaves: [] }].map(asJson),
      run: (bytes) => {
        const [state, steps] = [parsePersistedState(bytes), parseStepRecords([bytes])];
        verdict(state);
        verdict(steps);
        const [known, step] = [parsePersistedState(asJson(CORE_STATE)), parseStepRecords([asJson(STEP)])];
        if (state.ok && step.ok) bringForward(state.value, step.value);
        if (steps.ok && known.ok) bringForward(known.value, steps.value);
        unpackFleetState(bytes);
      },
    },
    text('core-sessions', "a core's planned sessions", ['{"version":1,"sessions":[[1,2,0],[2,3,1]]}'], (input) => {
      loadSessions(input, () => true, 0);
    }),
    text(
      'lab-state',
      'state.json of a lab, requests to its wire',
      [LAB_STATE, WIRE].map((value) => JSON.stringify(value)),
      (input) => {
        verdict(parseLabState(input));
        verdict(parseWireRequest(input));
      },
    ),
    text('scenario', 'scenario files', scenarios(), (input) => {
      refusing(['invalid_scenario'], () => void parseScenario('fuzz.yaml', input));
    }),
    text(
      'settings',
      'config files of core and agent',
      ['listen: 0.0.0.0:8470\nsteering:\n  holdMs: 5\n', '{"transit":true}'],
      (input) => {
        for (const fields of [coreFields, agentFields]) {
          refusing(['invalid_config'], () => void parseConfigText(input, 'fuzz.yaml', fields));
        }
      },
    ),
    {
      name: 'graph-dimacs',
      source: 'graph files of thalweg plan and the benchmarks',
      seeds: () => [Buffer.from(GRAPH)],
      words: ['p sp ', 'a ', 'c ', 'c transit '],
      run: (bytes) =>
        refusing(['invalid_argument'], () => {
          const reader = new DimacsReader();
          reader.push(bytes.subarray(0, bytes.length >> 1));
          reader.push(bytes.subarray(bytes.length >> 1));
          const table = reader.end();
          if (table.index.length < LARGEST_GRAPH) CsrGraph.load(table);
        }),
    },
    {
      name: 'graph-binary',
      source: 'graphs as threads and files hold them',
      seeds: () => [smallGraph()],
      run: (bytes) => verdict(decodeGraph(bytes)),
    },
    text('topology', 'topologies and demands of thalweg plan', [TOPOLOGY, DEMANDS], (input) => {
      refusing(['invalid_argument'], () => void readRepetitaGraph(input, 'fuzz.graph'));
      refusing(['invalid_argument'], () => void readRepetitaDemands(input, 'fuzz.demands', 2));
    }),
    {
      ...text('policy', 'the text of a policy', [POLICY], (input) => {
        const parsed = parsePolicy(input);
        verdict(parsed.ok ? parsed : { ok: false, reason: faultText(parsed.fault) });
        if (parsed.ok) failedTests(parsed.value, [{ index: 1, name: 'edge-1', labels: { app: 'web' } }]);
      }),
      words: ['allow ', 'test ', ' -> ', 'any', '=*', ' & ', 'tcp/', 'udp', 'icmp', ' allowed', ' denied'],
    },
    text('demand-series', 'series of demands of the load simulator', ['step,0>0,0>1,1>0,1>1\n0,0,5,6,0\n'], (input) => {
      refusing(['invalid_argument'], () => void parseOdSeries(input));
    }),
    text('flags', 'values of flags', ['24h', '10', 'site=berlin', '[::1]:8471', '-1.5e3', 'a, b'], (input) => {
      refusing(['invalid_argument'], () => void parseUses(input));
      refusing(['invalid_argument'], () => void parseTokenDuration(input));
      refusing(['invalid_argument'], () => void parseLabel(input));
      refusing(['invalid_config'], () => void parseListenAddress('listen', input));
      for (const field of coreFields) refusing(['invalid_argument'], () => void parseFlag(field, input));
    }),
    text(
      'rtt-matrix',
      'RTT matrices of the simulator',
      ['0 1 2\n1 0 3\n2 3 0\n', '0 1 1 0\n', 'src,dst,rtt_avg_ms\na,b,5\nb,a,5\n'],
      (input) => {
        refusing(['invalid_argument'], () => void parseRttMatrix(input));
        refusing(['invalid_argument'], () => void parseRttSlices(input));
      },
    ),
  ];
}

const coreFields = configFields(coreConfigSchema);
const agentFields = configFields(agentConfigSchema);

function text(name: string, source: string, seeds: readonly string[], run: (input: string) => void): FuzzTarget {
  return textTarget({ name, source, seeds: () => seeds, run });
}

function asJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function storedPolicy(): string {
  const { generation, active, rules } = POLICY_UPDATE;
  return formatStoredPolicy({ generation, active, rules, sets: new Map([[31n, new Set([2, 4])]]) });
}

function storedTable(): string {
  const table = new RouteTable();
  table.apply(deltaFrom(table, 3n, ROWS, []));
  return formatStoredState({ table, peers: [], savedAtUnixMs: 1, coreClockUnixMs: 1 });
}

function scenarios(): string[] {
  const folder = join(projectRoot(), 'netlab/scenarios');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  // the longest is one matrix: slow to parse, and nothing else is in it
  return files.filter((name) => name !== 'clouds.yaml').map((name) => readFileSync(join(folder, name), 'utf8'));
}

function smallGraph(): Uint8Array {
  const reader = new DimacsReader();
  reader.push(Buffer.from(GRAPH));
  return encodeGraph(CsrGraph.load(reader.end()).graph);
}
