/** A core whose mesh is above the limit, with agents over real TLS on loopback: who is told of whom. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LinkHealth } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { PlanMaker } from '../../../steering/session-plan/plan-maker.ts';
import type { TestAgent, TestSession } from '../../fake/test-agent.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

const AGENTS = 8;
const sessionPlan = { maxPeers: 4, explorePeers: 2, roundMs: 8_000, restMs: 600_000 };

let core: TestCore;
let agents: TestAgent[];
let peers: Set<number>[];
let open: (TestSession | undefined)[];

beforeEach(async () => {
  core = new TestCore();
  core.plans = new PlanMaker({ stopwatchMs: () => 0 }, { degree: 4, explorePeers: 2 });
  await core.start({ sessionPlan });
  agents = [];
  peers = [];
  open = [];
});
afterEach(async () => core.stop());

/** Keeps `peers` as the core tells this agent, until the session ends. */
async function begin(agent: number): Promise<void> {
  const session = await agents[agent]?.open();
  open[agent] = session;
  peers[agent] = new Set();
  void (async () => {
    for (;;) {
      const update = await session?.next('peerUpdate').catch(() => undefined);
      if (open[agent] !== session || session?.closeCode !== undefined) return;
      if (update === undefined) continue;
      if (update.full) peers[agent] = new Set();
      for (const { index } of update.set) peers[agent]?.add(index - 1);
      for (const index of update.remove) peers[agent]?.delete(index - 1);
    }
  })();
}

const up = (b: number, rttUs = 5_000) => ({ peerIndex: b + 1, health: LinkHealth.UP, rttUs, samples: 10 });

function report(known: ReadonlySet<number>, a: number): void {
  open[a]?.send({
    case: 'linkReport',
    value: { links: [...known].map((b) => up(b, 1_000 + 1_000 * Math.abs(a - b))) },
  });
}

const isSymmetric = () => peers.every((set, a) => [...set].every((b) => peers[b]?.has(a) === true));
const most = () => Math.max(...peers.map((set) => set.size));
const pairs = () => peers.flatMap((set, a) => [...set].filter((b) => a < b).map((b) => `${a} ${b}`)).sort();

it('tells each agent of its planned peers alone, both ends alike, and the same after a restart', async () => {
  for (let a = 0; a < AGENTS; a++) {
    agents.push(await core.agent(`n${a}`));
    await begin(a);
  }
  // agents measure what they are told of: what is replaced ends only then
  const measuring = setInterval(() => peers.forEach(report), 300);
  const settled = () => isSymmetric() && most() <= 6 && peers.every((set) => set.size > 0);
  await eventually('a plan', settled).finally(() => clearInterval(measuring));
  const metrics = await (await fetch(`http://127.0.0.1:${core.running?.ports.api}/metrics`)).text();
  expect(metrics).toMatch(/thalweg_core_plan_pairs\{role="planned"\} \d+/);
  expect(metrics).toMatch(/thalweg_core_plans_total\{result="made"\} [1-9]/);
  expect(metrics).toMatch(/thalweg_core_plan_changes_total\{change="opened"\} [1-9]/);

  // a report on a node that is no peer is not believed
  const a = peers.findIndex((set) => set.size < AGENTS - 1);
  const stranger = peers.findIndex((_, b) => b !== a && peers[a]?.has(b) !== true);
  const [peer] = [...(peers[a] ?? [])];
  expect(stranger).toBeGreaterThanOrEqual(0);
  open[a]?.send({ case: 'linkReport', value: { links: [up(stranger), up(peer ?? 0, 7_777)] } });
  const believed = () => core.engine.reported.get(a + 1);
  await eventually('the report', () => believed()?.some(({ rttUs }) => rttUs === 7_777) === true);
  expect(believed()?.map(({ peerIndex }) => peerIndex)).toEqual([(peer ?? 0) + 1]);

  const planned = pairs();
  open = [];
  await core.restart({ sessionPlan });
  for (const agent of agents) agent.port = core.port;
  for (let b = 0; b < AGENTS; b++) await begin(b);
  await eventually('everybody back', () => isSymmetric() && peers.every((set) => set.size > 0));
  // explored pairs are not kept over a restart
  for (const pair of pairs()) expect(planned).toContain(pair);

  await core.api.delete('/v1/nodes/n3');
  await eventually('nobody has it', () => peers.every((set, b) => b === 3 || !set.has(3)));
});
