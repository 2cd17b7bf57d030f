/**
 * `bench -- steering`: what a step of the running core's engine costs. Nodes join a made-up mesh at once; then one link
 * after the other gets another RTT. Agents are as good as absent: each delta is acknowledged some ms later, unread.
 *
 *   first    from the first step that knows all links to the first computation's end, and until all is at rest
 *   change   the step that takes up the changed link; and all steps from there to rest: rollout, deltas, paths
 */

import { seededRandom } from '../netlab/seeded-random.ts';
import { choosePeers } from '../netlab/simulator/link-choice.ts';
import { SyntheticRtts } from '../netlab/simulator/synthetic-rtts.ts';
import type { RouteDelta } from '../protocol/route-table.ts';
import { RowDelta } from '../steering/rollout/row-delta.ts';
import { OneStepSteeringEngine } from '../steering/steering-engine.ts';
import type { LinkObservation } from '../steering/steering-engine-port.ts';
import { quantile } from './quantile.ts';
import { type Values, whole } from './values.ts';

export const STEERING_KEYS = ['nodes', 'degree', 'changes', 'seed'] as const;

/** As in steering/session/steering-loop.ts. */
const STEP_DEBOUNCE_MS = 25;
/** An agent's answer: the way there and back, and a kernel that takes some ms. */
const LEAST_ANSWER_MS = 15;
const ANSWER_SPREAD_MS = 60;
/** After a change: holds, a degraded link's 8 s included, and rollouts are over by then. */
const REST_MS = 12_000;
/** After the first computation: also small gains have moved (20 s), and no link is young. */
const FIRST_REST_MS = 30_000;

interface Answer {
  readonly atMs: number;
  readonly index: number;
  readonly delta: RouteDelta;
}

/** Engine and answering nodes on virtual time, with the wall-clock cost of each step. */
class TimedMesh {
  readonly engine = new OneStepSteeringEngine({ toUnixMs: (ms) => ms, stopwatchMs: () => performance.now() });
  /** Wall-clock milliseconds of all steps since it was last set to 0, and of those that ran SPF. */
  stepMs = 0;
  readonly spfStepMs: number[] = [];
  worstMs = 0;
  steps = 0;
  rows = 0;
  deltas = 0;
  #nowMs = 0;
  #spfRuns = 0;
  readonly #answers: Answer[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
    this.engine.step(0);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Lets virtual time pass; the engine is stepped as the core's loop does it. */
  run(forMs: number): void {
    const endMs = this.#nowMs + forMs;
    let dueMs = this.#nowMs + STEP_DEBOUNCE_MS;
    while (Math.min(dueMs, this.#answers[0]?.atMs ?? Number.POSITIVE_INFINITY) <= endMs) {
      const answer = this.#answers[0];
      if (answer !== undefined && answer.atMs < dueMs) {
        this.#answers.shift();
        this.#nowMs = Math.max(this.#nowMs, answer.atMs);
        const { generation, checksum } = answer.delta;
        this.engine.tableAcked(answer.index, generation, checksum, null, this.#nowMs);
        dueMs = Math.min(dueMs, this.#nowMs + STEP_DEBOUNCE_MS);
        continue;
      }
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      this.#step();
      dueMs = Math.max(this.engine.nextWakeMs(), this.#nowMs + 1);
    }
    this.#nowMs = endMs;
  }

  #step(): void {
    const startMs = performance.now();
    const actions = this.engine.step(this.#nowMs);
    const tookMs = performance.now() - startMs;
    this.stepMs += tookMs;
    this.steps++;
    this.worstMs = Math.max(this.worstMs, tookMs);
    const { spfRuns } = this.engine.counters;
    if (spfRuns !== this.#spfRuns) this.spfStepMs.push(tookMs);
    this.#spfRuns = spfRuns;
    const answers: Answer[] = [];
    for (const action of actions) {
      if (action.kind !== 'sendDelta') continue;
      this.deltas++;
      this.rows += action.delta instanceof RowDelta ? action.delta.size : action.delta.set.length;
      const atMs = this.#nowMs + LEAST_ANSWER_MS + ANSWER_SPREAD_MS * this.#random();
      answers.push({ atMs, index: action.index, delta: action.delta });
    }
    if (answers.length === 0) return;
    this.#answers.push(...answers);
    this.#answers.sort((a, b) => a.atMs - b.atMs);
  }
}

export async function benchSteering(values: Values): Promise<unknown> {
  const nodes = whole(values, 'nodes', { otherwise: 200, least: 3, most: 20_000 });
  const degree = whole(values, 'degree', { otherwise: 16, least: 2 });
  const changes = whole(values, 'changes', { otherwise: 20, least: 0 });
  const seed = whole(values, 'seed', { otherwise: 1 });
  const random = seededRandom(seed);
  const rtts = new SyntheticRtts(nodes, seed);
  const peers = choosePeers(rtts, degree, seed);
  // answers draw from numbers of their own: the same links change however many answers there are
  const mesh = new TimedMesh(seededRandom(seed + 1));
  const { engine } = mesh;
  const joinStartMs = performance.now();
  for (const a of peers.keys()) engine.upsertNode({ index: a + 1, name: `n${a + 1}`, transit: true }, 0);
  for (const a of peers.keys()) engine.nodeConnected(a + 1, 0n, 0n, 0);
  for (const [a, of] of peers.entries()) {
    const links = of.map((b) => observation(b + 1, rtts.rttUs(a, b)));
    engine.linksReported(a + 1, links, 0);
  }
  const joinMs = performance.now() - joinStartMs;
  mesh.run(FIRST_REST_MS);
  const first = {
    joinMs: ms(joinMs),
    firstSpfStepMs: ms(mesh.spfStepMs[0] ?? 0),
    spfMs: ms(engine.timings.spfMs),
    allStepsMs: ms(mesh.stepMs),
    worstStepMs: ms(mesh.worstMs),
    steps: mesh.steps,
    deltas: mesh.deltas,
    rows: mesh.rows,
    pathChanges: engine.pathChangesAfter(0).at(-1)?.seq ?? 0,
  };
  const links = peers.flatMap((of, a) => of.filter((b) => a < b).map((b) => [a, b] as const));
  const taken: number[] = [];
  const whole_: number[] = [];
  const worst: number[] = [];
  const rows: number[] = [];
  const paths: number[] = [];
  let seen = first.pathChanges;
  for (let i = 0; i < changes; i++) {
    const [a, b] = links[Math.floor(random() * links.length)] ?? [0, 1];
    const rttUs = rtts.rttUs(a, b) * 2 ** (2 * random() - 1);
    mesh.stepMs = 0;
    mesh.worstMs = 0;
    mesh.rows = 0;
    mesh.spfStepMs.length = 0;
    engine.linksReported(a + 1, [observation(b + 1, rttUs)], mesh.nowMs);
    engine.linksReported(b + 1, [observation(a + 1, rttUs)], mesh.nowMs);
    mesh.run(REST_MS);
    taken.push(mesh.spfStepMs[0] ?? 0);
    whole_.push(mesh.stepMs);
    worst.push(mesh.worstMs);
    rows.push(mesh.rows);
    const last = engine.pathChangesAfter(seen).at(-1)?.seq ?? seen;
    paths.push(last - seen);
    seen = last;
  }
  return {
    benchmark: 'steering',
    nodes,
    links: links.length,
    changes,
    seed,
    first,
    change: {
      stepMs: spread(taken),
      untilRestMs: spread(whole_),
      worstStepMs: spread(worst),
      rows: spread(rows),
      pathChanges: spread(paths),
    },
    peakMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
}

function observation(peerIndex: number, us: number): LinkObservation {
  const rttUs = Math.max(1, Math.round(us));
  return {
    peerIndex,
    health: 'up',
    rttUs,
    minRttUs: rttUs,
    jitterUs: 100,
    lossOutPpm: 0,
    lossInPpm: 0,
    handshakeAgeS: 10,
  };
}

function spread(values: readonly number[]): { p50: number; p90: number; most: number } {
  return { p50: ms(quantile(values, 0.5)), p90: ms(quantile(values, 0.9)), most: ms(quantile(values, 1)) };
}

function ms(value: number): number {
  return Math.round(value * 100) / 100;
}
