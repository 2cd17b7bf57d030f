/**
 * The loop that looks at load, around an engine whose situation the test makes up: 1 sends 14 Mbit/s to 4, directly over a link of
 * 10 Mbit/s, or by 2. Plans are made when the test says so.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../../protocol/log.ts';
import type { LoadInput } from '../../../steering/load/load-input.ts';
import { CoreMetrics } from '../../../steering/metrics.ts';
import { LoadLoop } from '../../../steering/session/load-loop.ts';
import type { SteeringLoop } from '../../../steering/session/steering-loop.ts';
import type { LoadGroups } from '../../../steering/steering-engine-port.ts';
import { optimise } from '../../../steering/traffic-engineering/optimise.ts';
import type { TrafficPlan } from '../../../steering/traffic-engineering/traffic-plan.ts';
import type { TrafficPlanning } from '../../../steering/traffic-engineering/traffic-planner.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

const MBIT = 1e6;

/** Keeps what it is asked, until the test answers. */
class PatientPlanner implements TrafficPlanning {
  readonly asked: { answer(): void; fail(): void }[] = [];
  stopped = false;

  plan(...args: Parameters<TrafficPlanning['plan']>): Promise<TrafficPlan> {
    return new Promise((resolve, reject) => {
      this.asked.push({ answer: () => resolve(optimise(...args)), fail: () => reject(new Error('no memory')) });
    });
  }

  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }
}

let clock: TurnedClock;
let planner: PatientPlanner;
let load: LoadLoop;
let inForce: LoadGroups;
let mbit: number;
let nodeCount: number;
let learnings: number;
let looks: number;
let logged: string[];

function situation(): LoadInput {
  looks++;
  return {
    nodes: [1, 2, 4].slice(0, nodeCount),
    network: {
      nodeCount: 3,
      from: Int32Array.of(0, 0, 1),
      to: Int32Array.of(2, 1, 2),
      rttUs: Float64Array.of(10_000, 10_000, 10_000),
      capacityBps: Float64Array.of(10 * MBIT, 10 * MBIT, 10 * MBIT),
    },
    demand: { from: Int32Array.of(0), to: Int32Array.of(2), rateBps: Float64Array.of(mbit * MBIT) },
    learnings,
    inForce,
  };
}

beforeEach(() => {
  clock = new TurnedClock();
  planner = new PatientPlanner();
  inForce = new Map();
  mbit = 14;
  nodeCount = 3;
  learnings = 0;
  looks = 0;
  logged = [];
  const engine = {
    loadInput: situation,
    loadSpread: (groups: LoadGroups) => {
      inForce = groups;
    },
    traffic: {
      capacity: {
        get learnings() {
          return learnings;
        },
      },
    },
  };
  const loop = {
    engine,
    event: (apply: (to: typeof engine, nowMs: number) => void) => apply(engine, clock.monoMs()),
  } as unknown as SteeringLoop;
  const note = (level: string) => (message: string) => void logged.push(`${level} ${message}`);
  const log: Logger = { debug: () => {}, info: note('info'), warn: note('warn'), error: note('error') };
  load = new LoadLoop(
    { loop, clock, log, metrics: new CoreMetrics(), planner },
    { aware: true, intervalMs: 5_000, maxNodes: 128, firstMs: 15_000 },
  );
  load.start();
});

/** Lets promises settle. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Until a plan is asked for. */
function untilAsked(): void {
  for (let s = 0; s < 60 && planner.asked.length === 0; s++) clock.turn(1_000);
}

describe('the load loop', () => {
  it('looks every few seconds, and has a plan made elsewhere; while it is being made nothing is looked at', async () => {
    clock.turn(14_000);
    expect(looks).toBe(0);
    untilAsked();
    expect(planner.asked).toHaveLength(1);
    expect(load.view).toMatchObject({ state: 'calm', changes: 0, highestUtilisation: 1.4 });
    const before = looks;
    clock.turn(30_000);
    expect(looks).toBe(before);
    planner.asked[0]?.answer();
    await settle();
    expect(load.view).toMatchObject({ state: 'spread', changes: 1 });
    expect(load.view.highestUtilisation).toBeCloseTo(0.7, 1);
    expect([...inForce.keys()]).toEqual([4]);
    clock.turn(6_000);
    expect(looks).toBeGreaterThan(before);
  });

  it('looks at once when a capacity was learned', () => {
    mbit = 1;
    clock.turn(16_000);
    expect(looks).toBe(1);
    clock.turn(1_000);
    expect(looks).toBe(1);
    learnings++;
    clock.turn(500);
    expect(looks).toBe(2);
  });

  it('takes no plan that was asked for before it was switched off, and gives all groups up then', async () => {
    untilAsked();
    load.setAware(false);
    planner.asked[0]?.answer();
    await settle();
    expect(inForce.size).toBe(0);
    expect(load.view).toMatchObject({ aware: false, changes: 0 });
    clock.turn(60_000);
    expect(planner.asked).toHaveLength(1);
    load.setAware(true);
    for (let s = 0; s < 60 && planner.asked.length < 2; s++) clock.turn(1_000);
    planner.asked[1]?.answer();
    await settle();
    expect(inForce.size).toBe(1);
  });

  it('says once that no plan could be made, leaves everything as it is, and tries again', async () => {
    untilAsked();
    planner.asked[0]?.fail();
    await settle();
    for (let s = 0; s < 120 && planner.asked.length < 2; s++) clock.turn(1_000);
    planner.asked[1]?.fail();
    await settle();
    expect(logged.filter((line) => line.startsWith('error'))).toHaveLength(1);
    expect(inForce.size).toBe(0);
  });

  it('leaves meshes alone that are too small or too big, and stops its planner', async () => {
    nodeCount = 1;
    clock.turn(60_000);
    expect(planner.asked).toHaveLength(0);
    expect(load.view.highestUtilisation).toBeNull();
    await load.stop();
    expect(planner.stopped).toBe(true);
  });
});
