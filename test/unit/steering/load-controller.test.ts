/** Two ways from 0 to 3 by 1 or 2, each of 100 Mbit/s; the way by 1 is shorter. */
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_LOAD_CONTROLLER_OPTIONS,
  LoadController,
  type LoadControllerOptions,
} from '../../../steering/load/load-controller.ts';
import { DelayTrees } from '../../../steering/traffic-engineering/delay-trees.ts';
import { linksBy } from '../../../steering/traffic-engineering/link-index.ts';
import { optimise } from '../../../steering/traffic-engineering/optimise.ts';
import { shortestTables } from '../../../steering/traffic-engineering/shortest-tables.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import type { WeightedTables } from '../../../steering/traffic-engineering/weighted-tables.ts';

const NETWORK: TrafficNetwork = {
  nodeCount: 4,
  from: Int32Array.of(0, 1, 0, 2),
  to: Int32Array.of(1, 3, 2, 3),
  rttUs: Float64Array.of(5_000, 5_000, 6_000, 6_000),
  capacityBps: new Float64Array(4).fill(100e6),
};

function shortest(network: TrafficNetwork): WeightedTables {
  return shortestTables(new DelayTrees(network, linksBy(network.to, network)), network.nodeCount, network.rttUs);
}

/** A controller that looks every 5 s at a demand of 0 for 3; a plan is there at once. */
class Course {
  readonly controller: LoadController;
  network: TrafficNetwork = NETWORK;
  tables: WeightedTables;
  spread = false;
  whole = true;
  learnings = 0;
  nowMs = 0;

  constructor(options: LoadControllerOptions = DEFAULT_LOAD_CONTROLLER_OPTIONS) {
    this.controller = new LoadController(options);
    this.tables = shortest(NETWORK);
  }

  /** What it did: reasons and seconds. */
  look(mbit: number | ((look: number) => number), seconds: number): string[] {
    const done: string[] = [];
    for (let look = 0; look < seconds / 5; look++) {
      const reason = this.lookOnce(typeof mbit === 'number' ? mbit : mbit(look));
      if (reason !== null) done.push(`${reason} ${look * 5}`);
    }
    return done;
  }

  learn(network: TrafficNetwork): void {
    this.network = network;
    this.learnings++;
  }

  lookOnce(mbit: number): string | null {
    const { network, spread, whole, learnings, tables: inForce, nowMs } = this;
    this.nowMs += 5_000;
    const demand = { from: Int32Array.of(0), to: Int32Array.of(3), rateBps: Float64Array.of(mbit * 1e6) };
    const look = this.controller.look({ network, demand, learnings, inForce, spread, whole }, nowMs);
    if (look.kind === 'keep') return null;
    const plan = optimise(network, look.demand, this.controller.options.traffic, inForce);
    if (!this.controller.judge(look, plan, nowMs)) return null;
    this.tables = plan.tables;
    this.spread = !plan.calm;
    this.whole = true;
    return plan.calm ? 'calm' : look.reason;
  }

  /** Of what 0 sends to 3: the share by 1. */
  get shareByOne(): number {
    const { tables } = this;
    const group = 3 * 4;
    let [one, all] = [0, 0];
    for (let k = tables.start[group] ?? 0; k < (tables.start[group + 1] ?? 0); k++) {
      const weight = tables.weight[k] ?? 0;
      all += weight;
      if (NETWORK.to[tables.link[k] ?? 0] === 1) one += weight;
    }
    return one / all;
  }
}

describe('the load controller', () => {
  it('goes by the shortest paths while nothing is loaded to half, and then does not even plan', () => {
    const course = new Course();
    expect(course.look(40, 5)).toEqual([]);
    expect(course.look((look) => (look % 2 === 0 ? 20 : 49), 600)).toEqual([]);
    expect(course.shareByOne).toBe(1);
    expect(course.controller.counters).toEqual({ plans: 0, refused: 0 });
  });

  it('acts on the second look at a rise, once, and then rests', () => {
    const course = new Course();
    course.look(40, 60);
    expect(course.look(140, 300)).toEqual(['urgent 5']);
    expect(course.shareByOne).toBeCloseTo(0.5, 2);
  });

  it('does not act on one look alone', () => {
    const course = new Course();
    course.look(40, 60);
    expect(course.look((look) => (look === 3 ? 90 : 40), 300)).toEqual([]);
  });

  it('refines a plan that was made in the midst of a rise, when it has come to rest', () => {
    const course = new Course();
    course.look(40, 60);
    const rise = (look: number) => 140 - 80 * 0.5 ** look;
    const done = course.look(rise, 300);
    expect(done[0]).toBe('urgent 5');
    expect(done.slice(1).every((what) => Number(what.split(' ')[1]) <= 60)).toBe(true);
    expect(course.shareByOne).toBeCloseTo(0.5, 1);
  });

  it('leaves routes alone under noise of a few per cent', () => {
    const course = new Course();
    course.look(140, 60);
    expect(course.look((look) => 140 * (1 + 0.03 * Math.sin(look * 2.3)), 1_200)).toEqual([]);
  });

  it('returns to the shortest paths when they are good enough, but not at the brink', () => {
    const course = new Course();
    course.look(140, 60);
    expect(course.look(48, 300)).toEqual([]);
    expect(course.shareByOne).toBeCloseTo(0.5, 1);
    const done = course.look(30, 300);
    expect(done).toHaveLength(1);
    expect(done[0]).toMatch(/^calm /);
    expect(course.shareByOne).toBe(1);
  });

  it('refuses a plan that gains less than its moves are worth', () => {
    const dear = new Course({ ...DEFAULT_LOAD_CONTROLLER_OPTIONS, churnGain: 2 });
    dear.look(40, 60);
    expect(dear.look(60, 300)).toEqual([]);
    expect(dear.controller.counters.refused).toBeGreaterThan(0);
    const course = new Course();
    course.look(40, 60);
    expect(course.look(60, 300)).toHaveLength(1);
  });

  it('does not wait where a capacity becomes known that is exceeded, nor where tables are broken', () => {
    const course = new Course();
    const unknown = new Float64Array(4).fill(Number.POSITIVE_INFINITY);
    course.network = { ...NETWORK, capacityBps: unknown };
    expect(course.look(140, 60)).toEqual([]);
    course.learn({ ...NETWORK, capacityBps: Float64Array.of(100e6, Infinity, Infinity, Infinity) });
    expect(course.lookOnce(140)).toBe('learned');
    expect(course.shareByOne).toBeCloseTo(0.36, 1);
    course.learn(NETWORK);
    expect(course.lookOnce(140)).toBe('learned');
    expect(course.shareByOne).toBeCloseTo(0.5, 1);
    course.whole = false;
    expect(course.lookOnce(140)).toBe('broken');
  });

  it('does not wait either where the demand that exceeds a new capacity is measured a little later', () => {
    const course = new Course();
    course.network = { ...NETWORK, capacityBps: new Float64Array(4).fill(Number.POSITIVE_INFINITY) };
    expect(course.look(30, 20)).toEqual([]);
    course.learn(NETWORK);
    expect(course.lookOnce(30)).toBeNull();
    expect(course.controller.impatient).toBe(true);
    expect(course.lookOnce(140)).toBe('learned');
    expect(course.controller.impatient).toBe(false);
  });

  it('plans anew while more is sent than fits as soon as a node can be told something again', () => {
    const course = new Course();
    course.network = { ...NETWORK, forwards: Uint8Array.of(1, 1, 0, 1) };
    course.look(300, 60);
    expect(course.shareByOne).toBe(1);
    course.network = { ...NETWORK, forwards: Uint8Array.of(1, 1, 1, 1) };
    expect(course.look(300, 10)).toEqual(['learned 0']);
    expect(course.shareByOne).toBeCloseTo(0.5, 1);
  });

  it('forgets what it saw where links come or go', () => {
    const course = new Course();
    course.look(140, 60);
    const without = [0, 1];
    const pick = <T extends Float64Array | Int32Array>(column: T): T => column.subarray(0, without.length) as T;
    const { from, to, rttUs, capacityBps } = NETWORK;
    course.network = {
      nodeCount: 4,
      from: pick(from),
      to: pick(to),
      rttUs: pick(rttUs),
      capacityBps: pick(capacityBps),
    };
    course.tables = shortest(course.network);
    course.spread = false;
    expect(course.look(140, 100)).toEqual([]);
  });
});
