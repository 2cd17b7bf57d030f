/**
 * `bench -- generations`: planned moves at a steady pace. Nodes join a made-up mesh; then, every `interval` ms, one transit node
 * is drained and the one before taken back, so that many destinations move at once. Agents answer some ms later, unread;
 * `late` of them answer after 2 s each time. Time is virtual, but a step takes as long as it took: a core that is too slow
 * falls behind here too.
 *
 *   moved    from a node's draining to the last commit that took a path off it within the interval: all sources are told
 *   left     paths through the node at the end of the interval, of destinations that were still on their way
 *   busy     share of the time that steps took; above 1 the core falls behind, and so does virtual time
 */
import { seededRandom } from '../netlab/seeded-random.ts';
import { choosePeers } from '../netlab/simulator/link-choice.ts';
import { SyntheticRtts } from '../netlab/simulator/synthetic-rtts.ts';
import type { RouteDelta } from '../protocol/route-table.ts';
import { OneStepSteeringEngine } from '../steering/steering-engine.ts';
import { quantile } from './quantile.ts';
import { type Values, whole } from './values.ts';

export const GENERATIONS_KEYS = ['nodes', 'degree', 'generations', 'interval', 'late', 'seed'] as const;

/** As in steering/session/steering-loop.ts. */
const STEP_DEBOUNCE_MS = 25;
/** An agent's answer: the way there and back, and a kernel that takes some ms. */
const LEAST_ANSWER_MS = 15;
const ANSWER_SPREAD_MS = 60;
const LATE_ANSWER_MS = 2_000;
/** After the first computation: also small gains have moved (20 s), and no link is young. */
const FIRST_REST_MS = 30_000;

interface Answer {
  readonly atMs: number;
  readonly index: number;
  readonly delta: RouteDelta;
}

class PacedMesh {
  readonly engine = new OneStepSteeringEngine({ toUnixMs: (ms) => ms, stopwatchMs: () => performance.now() });
  nowMs = 0;
  stepMs = 0;
  worstMs = 0;
  deltas = 0;
  readonly #answers: Answer[] = [];
  readonly #random: () => number;
  readonly #late: number;

  constructor(random: () => number, late: number) {
    this.#random = random;
    this.#late = late;
    this.engine.step(0);
  }

  /** Until `endMs`; the engine is stepped as the core's loop does it, and a step's own time passes. */
  runUntil(endMs: number): void {
    let dueMs = this.nowMs + STEP_DEBOUNCE_MS;
    for (;;) {
      const next = this.#answers[0];
      const atMs = Math.min(dueMs, next?.atMs ?? Number.POSITIVE_INFINITY);
      if (atMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      if (next !== undefined && next.atMs < dueMs) {
        this.#answers.shift();
        const { generation, checksum } = next.delta;
        this.engine.tableAcked(next.index, generation, checksum, null, this.nowMs);
        dueMs = Math.min(dueMs, this.nowMs + STEP_DEBOUNCE_MS);
      } else {
        this.#step();
        dueMs = Math.max(this.engine.nextWakeMs(), this.nowMs + 1);
      }
    }
    this.nowMs = Math.max(this.nowMs, endMs);
  }

  #step(): void {
    const startMs = performance.now();
    const actions = this.engine.step(this.nowMs);
    this.engine.stepRecord();
    const tookMs = performance.now() - startMs;
    this.nowMs += tookMs;
    this.stepMs += tookMs;
    this.worstMs = Math.max(this.worstMs, tookMs);
    for (const action of actions) {
      if (action.kind !== 'sendDelta') continue;
      this.deltas++;
      const answerMs = LEAST_ANSWER_MS + ANSWER_SPREAD_MS * this.#random();
      const atMs = this.nowMs + (action.index <= this.#late ? LATE_ANSWER_MS : answerMs);
      this.#answers.push({ atMs, index: action.index, delta: action.delta });
    }
    this.#answers.sort((a, b) => a.atMs - b.atMs);
  }
}

export async function benchGenerations(values: Values): Promise<unknown> {
  const nodes = whole(values, 'nodes', { otherwise: 200, least: 4, most: 2_000 });
  const degree = whole(values, 'degree', { otherwise: 16, least: 2 });
  const generations = whole(values, 'generations', { otherwise: 60, least: 1, most: 10_000 });
  const intervalMs = whole(values, 'interval', { otherwise: 1_000, least: 100, most: 60_000 });
  const late = whole(values, 'late', { otherwise: 0, least: 0, most: nodes });
  const seed = whole(values, 'seed', { otherwise: 1 });
  const rtts = new SyntheticRtts(nodes, seed);
  const random = seededRandom(seed);
  const mesh = new PacedMesh(random, late);
  const { engine } = mesh;
  const peers = choosePeers(rtts, degree, seed);
  for (const a of peers.keys()) engine.upsertNode({ index: a + 1, name: `n${a + 1}`, transit: true }, 0);
  for (const a of peers.keys()) engine.nodeConnected(a + 1, 0n, 0n, 0);
  for (const [a, of] of peers.entries()) {
    engine.linksReported(
      a + 1,
      of.map((b) => observation(b + 1, rtts.rttUs(a, b))),
      0,
    );
  }
  mesh.runUntil(FIRST_REST_MS);
  mesh.stepMs = 0;
  mesh.worstMs = 0;
  mesh.deltas = 0;
  let seen = engine.pathChangesAfter(0).at(-1)?.seq ?? 0;
  const startMs = mesh.nowMs;
  const moved: number[] = [];
  const paths: number[] = [];
  const left: number[] = [];
  let before: number | null = null;
  for (let i = 0; i < generations; i++) {
    const atMs = startMs + i * intervalMs;
    const drained = 1 + Math.floor(random() * nodes);
    if (before !== null && before !== drained) engine.nodeDrained(before, false, mesh.nowMs);
    engine.nodeDrained(drained, true, mesh.nowMs);
    before = drained;
    mesh.runUntil(atMs + intervalMs);
    const changes = engine.pathChangesAfter(seen);
    const off = changes.filter((change) => change.before.slice(1, -1).includes(`n${drained}`));
    paths.push(off.length);
    left.push(engine.paths().filter(({ path }) => path.slice(1, -1).includes(`n${drained}`)).length);
    const last = off.at(-1);
    if (last !== undefined) moved.push(last.atMs - atMs);
    seen = changes.at(-1)?.seq ?? seen;
  }
  const seconds = (mesh.nowMs - startMs) / 1_000;
  return {
    benchmark: 'generations',
    nodes,
    links: peers.reduce((sum, of) => sum + of.length, 0) / 2,
    late,
    seed,
    intervalMs,
    generations,
    movedMs: spread(moved),
    pathsMoved: spread(paths),
    pathsLeft: spread(left),
    deltasPerSecond: Math.round(mesh.deltas / seconds),
    busy: Math.round(mesh.stepMs / seconds) / 1_000,
    overtimeMs: Math.round(mesh.nowMs - startMs - generations * intervalMs),
    worstStepMs: Math.round(mesh.worstMs),
  };
}

function observation(peerIndex: number, us: number) {
  const rttUs = Math.max(1, Math.round(us));
  const rtts = { rttUs, minRttUs: rttUs, jitterUs: 100 };
  return { peerIndex, health: 'up' as const, ...rtts, lossOutPpm: 0, lossInPpm: 0, handshakeAgeS: 10 };
}

function spread(values: readonly number[]): { p50: number; p90: number; most: number } {
  const at = (share: number) => Math.round(quantile(values, share));
  return { p50: at(0.5), p90: at(0.9), most: at(1) };
}
