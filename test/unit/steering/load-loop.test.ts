/** Two ways from 0 to 3 by 1 or 2, each of 100 Mbit/s; the way by 1 is shorter. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LOAD_LOOP_OPTIONS, LoadLoop } from '../../../steering/traffic-engineering/load-loop.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';

const NETWORK: TrafficNetwork = {
  nodeCount: 4,
  from: Int32Array.of(0, 1, 0, 2),
  to: Int32Array.of(1, 3, 2, 3),
  rttUs: Float64Array.of(5_000, 5_000, 6_000, 6_000),
  capacityBps: new Float64Array(4).fill(100e6),
};

/** A loop that looks every 5 s at a demand of 0 for 3. */
class Course {
  readonly loop = new LoadLoop();
  nowMs = 0;

  /** What it did: reasons and seconds. */
  look(mbit: number | ((look: number) => number), seconds: number): string[] {
    const done: string[] = [];
    for (let look = 0; look < seconds / 5; look++) {
      const rate = typeof mbit === 'number' ? mbit : mbit(look);
      const demand = { from: Int32Array.of(0), to: Int32Array.of(3), rateBps: Float64Array.of(rate * 1e6) };
      const decision = this.loop.decide(NETWORK, demand, this.nowMs);
      if (decision.kind === 'move') done.push(`${decision.reason} ${look * 5}`);
      this.nowMs += 5_000;
    }
    return done;
  }

  /** Of what 0 sends to 3: the share by 1. */
  get shareByOne(): number {
    const tables = this.loop.tables;
    if (tables === null) return Number.NaN;
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

describe('the load loop', () => {
  it('goes by the shortest paths while nothing is loaded to half, and then does not even plan', () => {
    const course = new Course();
    expect(course.look(40, 5)).toEqual(['first 0']);
    expect(course.look((look) => (look % 2 === 0 ? 20 : 49), 600)).toEqual([]);
    expect(course.shareByOne).toBe(1);
    expect(course.loop.counters).toEqual({ plans: 1, refused: 0 });
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
    const course = new Course();
    const dear = new LoadLoop({ ...DEFAULT_LOAD_LOOP_OPTIONS, churnGain: 2 });
    const look = (mbit: number, atMs: number) =>
      dear.decide(
        NETWORK,
        { from: Int32Array.of(0), to: Int32Array.of(3), rateBps: Float64Array.of(mbit * 1e6) },
        atMs,
      );
    look(40, 0);
    for (let s = 5; s < 300; s += 5) expect(look(60, s * 1_000).kind, `${s}`).toBe('keep');
    expect(dear.counters.refused).toBeGreaterThan(0);
    course.look(40, 60);
    expect(course.look(60, 300)).toHaveLength(1);
  });
});
