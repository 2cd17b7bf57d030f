import { describe, expect, it } from 'vitest';
import { DEFAULT_LINK_BAND_OPTIONS } from '../../../steering/link-state/link-band.ts';
import { DEFAULT_COST_OPTIONS, linkCost, pathCost } from '../../../steering/link-state/link-cost.ts';
import { DEFAULT_LINK_FILTER_OPTIONS, LinkFilter, type LinkReading } from '../../../steering/link-state/link-filter.ts';
import { LinkState } from '../../../steering/link-state/link-state.ts';
import { DEFAULT_LOSS_OPTIONS, LossEstimate } from '../../../steering/link-state/loss-estimate.ts';
import { observation } from './steering-lab.ts';

const metrics = { rttUs: 5_000, jitterUs: 100, lossPpm: 0, loadUs: 0 };
const cost = (change: Partial<typeof metrics>) => linkCost({ ...metrics, ...change }, DEFAULT_COST_OPTIONS);

describe('link cost', () => {
  it.each([
    [{}, { rttUs: 5_000, lossUs: 0, jitterUs: 0, totalUs: 5_000 }],
    [{ rttUs: 20 }, { rttUs: 100, totalUs: 100 }],
    [{ jitterUs: 4_500 }, { jitterUs: 1_500, totalUs: 6_500 }],
    [{ lossPpm: 5_000 }, { lossUs: 0 }],
    [{ lossPpm: 15_000 }, { lossUs: 20_202 }],
    [{ lossPpm: 1_000_000 }, { lossUs: 9_200_315 }],
  ])('%o costs %o', (change, terms) => {
    expect(cost(change)).toMatchObject(terms);
  });

  it('adds up along a path, with a price for each transit node', () => {
    const total = pathCost([cost({}), cost({ rttUs: 8_000 }), cost({ jitterUs: 4_000 })], DEFAULT_COST_OPTIONS);
    expect(total).toEqual({ rttUs: 18_000, lossUs: 0, jitterUs: 1_000, loadUs: 0, transitUs: 500, totalUs: 19_500 });
  });
});

describe('loss estimate', () => {
  it('gives one lost probe no price, heavy loss one at once, and light lasting loss one after a while', () => {
    const one = new LossEstimate(DEFAULT_LOSS_OPTIONS);
    let most = 0;
    for (let ms = 0; ms < 60_000; ms += 500)
      most = Math.max(most, one.update(ms >= 5_000 && ms < 15_000 ? 10_000 : 0, 2, ms));
    expect(most).toBeLessThan(5_000);
    const heavy = new LossEstimate(DEFAULT_LOSS_OPTIONS);
    heavy.update(0, 2, 0);
    expect(heavy.update(300_000, 2, 500)).toBeGreaterThan(200_000);
    const light = new LossEstimate(DEFAULT_LOSS_OPTIONS);
    for (let ms = 0; ms < 90_000; ms += 500) light.update(10_000, 2, ms);
    expect(light.update(10_000, 2, 90_000)).toBeGreaterThan(9_000);
  });
});

describe('link filter', () => {
  const up = (rttUs: number): LinkReading => ({ health: 'up', cost: cost({ rttUs }) });

  /** Each step: at, reading, and the effective RTT afterwards (null: not usable). */
  function run(steps: readonly [number, LinkReading, number | null][], youngMs = 0): LinkFilter {
    const filter = new LinkFilter({ ...DEFAULT_LINK_FILTER_OPTIONS, youngMs });
    for (const [atMs, reading, rttUs] of steps) {
      filter.update(reading, atMs);
      expect(filter.effective?.rttUs ?? null, `at ${atMs} ms`).toBe(rttUs);
    }
    return filter;
  }

  it('ignores noise, takes what lasts', () => {
    run([
      [0, up(10_000), 10_000],
      [500, up(10_200), 10_000],
      [1_000, up(9_800), 10_000],
      [1_500, up(9_800), 10_000],
      [6_000, up(9_800), 9_800],
    ]);
  });

  it('takes a degradation at once and a recovery after the hold, which a relapse restarts', () => {
    const filter = run([
      [0, up(5_000), 5_000],
      [1_000, up(100_000), 100_000],
      [9_000, up(5_000), 100_000],
      [16_000, up(100_000), 100_000],
      [17_000, up(5_000), 100_000],
      [24_900, up(5_000), 100_000],
      [25_000, up(5_000), 5_000],
    ]);
    expect(filter.degraded).toBeNull();
    expect(filter.recovered).toEqual({ atMs: 25_000, fromRttUs: 100_000, toRttUs: 5_000 });
  });

  it('does not take the end of the jitter of a step for a recovery', () => {
    const jittery: LinkReading = { health: 'up', cost: cost({ rttUs: 100_000, jitterUs: 40_000 }) };
    for (const calmAtMs of [2_000, 4_000]) {
      run([
        [0, up(5_000), 5_000],
        [1_000, jittery, 100_000],
        [calmAtMs, up(100_000), 100_000],
        [20_000, up(100_000), 100_000],
        [25_000, up(5_000), 100_000],
        [32_900, up(5_000), 100_000],
        [33_100, up(5_000), 5_000],
      ]);
    }
  });

  it('does not hold a link for what was measured while it was young', () => {
    run(
      [
        [0, up(5_000), 5_000],
        [4_000, up(9_000), 9_000],
        [7_000, up(5_000), 5_000],
        [8_000, up(9_000), 9_000],
        [12_000, up(5_000), 9_000],
      ],
      8_000,
    );
  });

  it('knows a ramp of small rises as a degradation', () => {
    run([
      [0, up(5_000), 5_000],
      [500, up(6_500), 6_500],
      [1_000, up(8_000), 8_000],
      [4_000, up(5_000), 8_000],
      [12_000, up(5_000), 5_000],
    ]);
  });

  it('forgets a single bad reading without a hold', () => {
    run([
      [0, up(5_000), 5_000],
      [500, up(30_000), 30_000],
      [1_000, up(5_000), 5_000],
    ]);
  });

  it('holds a link that was down, but not one that never was up', () => {
    expect(
      run([
        [0, { health: 'down' }, null],
        [500, up(5_000), 5_000],
      ]).held,
    ).toBe(false);
    const filter = run([
      [0, up(5_000), 5_000],
      [500, { health: 'down' }, null],
      [2_500, up(5_000), 5_000],
    ]);
    expect([filter.held, filter.dueMs]).toEqual([true, 10_500]);
    expect(filter.tick(10_500)).toBe(true);
    expect(filter.held).toBe(false);
  });

  it('takes a link back at once that was down for a moment, as when a host stalled, but once in a minute', () => {
    const down: LinkReading = { health: 'down' };
    const heldAfter = (secondMs: number) =>
      run([
        [0, up(5_000), 5_000],
        [500, down, null],
        [900, up(5_000), 5_000],
        [secondMs, down, null],
        [secondMs + 400, up(5_000), 5_000],
      ]).held;
    expect(heldAfter(30_000)).toBe(true);
    expect(heldAfter(62_000)).toBe(false);
  });
});

describe('link state', () => {
  const merged = (connected: number[], low: number | null | undefined, high: number | null | undefined) => {
    const state = new LinkState({
      cost: DEFAULT_COST_OPTIONS,
      filter: DEFAULT_LINK_FILTER_OPTIONS,
      band: DEFAULT_LINK_BAND_OPTIONS,
      loss: DEFAULT_LOSS_OPTIONS,
    });
    for (const index of connected) state.setConnected(index, true, 0);
    if (low !== undefined) state.report(1, observation(2, low), () => true, 0);
    if (high !== undefined) state.report(2, observation(1, high), () => true, 0);
    const link = state.get(1, 2);
    return [link?.filter.health, link?.rttUs ?? null, state.counters.endsDisagree];
  };

  it.each([
    ['both ends agree: the mean', [1, 2], 5_000, 5_400, ['up', 5_200, 0]],
    ['one end only', [1, 2], 5_000, undefined, ['up', 5_000, 0]],
    ['wild disagreement: the larger', [1, 2], 5_000, 100_000, ['up', 100_000, 1]],
    ['one direction dead', [1, 2], 5_000, null, ['down', null, 0]],
    ['a lost node no longer counts beside one that is there', [1], 5_000, null, ['up', 5_000, 0]],
    ['two lost nodes: what they said last', [], 5_000, 5_400, ['up', 5_200, 0]],
  ] as const)('%s', (_, connected, low, high, expected) => {
    expect(merged([...connected], low, high)).toEqual(expected);
  });
});
