import { describe, expect, it } from 'vitest';
import { chooseAttachment, DEFAULT_ATTACHMENT_OPTIONS } from '../../../steering/leaf/attachment.ts';
import { DEFAULT_LEAF_HOME_OPTIONS, LeafHomes } from '../../../steering/leaf/leaf-homes.ts';
import { LeafLinks, NO_TRANSIT } from '../../../steering/leaf/leaf-links.ts';

const MS = 1_000;

/** Leaves with links of these costs (milliseconds) to transit nodes 0, 1, 2 ... */
function leaves(costs: readonly (readonly number[])[], capacities: readonly number[]) {
  const links = new LeafLinks(costs.length);
  const homes = new LeafHomes(links);
  for (const [transit, capacity] of capacities.entries()) homes.setCapacity(transit, capacity, 0);
  for (const [leaf, own] of costs.entries()) {
    for (const [transit, ms] of own.entries()) {
      links.open(leaf, transit);
      links.report(leaf, transit, 'leaf', ms * MS);
    }
    homes.review(leaf, 0);
  }
  const report = (leaf: number, transit: number, ms: number | null, nowMs: number) => {
    links.report(leaf, transit, 'leaf', ms === null ? null : ms * MS);
    homes.review(leaf, nowMs);
  };
  return { links, homes, report };
}

describe('a leaf', () => {
  it('hangs off its cheapest transit node, and off none without a usable link', () => {
    const { homes } = leaves([[20, 5, 9], []], [10, 10, 10]);
    expect([homes.home[0], homes.home[1]]).toEqual([1, NO_TRANSIT]);
    expect(homes.load[1]).toBe(1);
  });

  it('moves at once when its home is down, and after a hold when another wins by the margin', () => {
    const { homes, report } = leaves([[20, 5, 9]], [10, 10, 10]);
    report(0, 1, null, 1_000);
    expect(homes.home[0]).toBe(2);
    report(0, 0, 8, 2_000);
    expect(homes.home[0]).toBe(2);
    homes.tick(2_999);
    expect(homes.home[0]).toBe(2);
    homes.tick(3_510);
    expect(homes.home[0]).toBe(0);
    expect(homes.takeChanged()).toEqual([0]);
    expect(homes.takeChanged()).toEqual([]);
  });

  it('stays when the other stops winning within the hold, and when it wins by too little', () => {
    const { homes, report } = leaves([[20, 9]], [10, 10]);
    report(0, 0, 5, 1_000);
    report(0, 0, 30, 1_500);
    report(0, 0, 8.8, 2_600);
    homes.tick(60_000);
    expect(homes.home[0]).toBe(1);
  });

  it('goes back to the home it left only after a long hold', () => {
    const { homes, report } = leaves([[5, 9]], [10, 10]);
    report(0, 0, null, 1_000);
    expect(homes.home[0]).toBe(1);
    report(0, 0, 5, 2_000);
    homes.tick(9_900);
    expect(homes.home[0]).toBe(1);
    homes.tick(14_010);
    expect(homes.home[0]).toBe(0);
  });

  it('is not attached to a transit node of capacity 0, and leaves one whose capacity becomes 0', () => {
    const { homes } = leaves([[5, 9], [5]], [0, 10]);
    expect([homes.home[0], homes.home[1]]).toEqual([1, NO_TRANSIT]);
    homes.setCapacity(0, 10, 1_000);
    homes.review(1, 1_000);
    expect(homes.home[1]).toBe(0);
    homes.setCapacity(0, 0, 2_000);
    expect([homes.home[1], homes.load[0]]).toEqual([NO_TRANSIT, 0]);
  });

  it('is told by the hash of itself and the transit node, the same at every run', () => {
    const links = new LeafLinks(4);
    for (const transit of [0, 1, 2]) {
      links.open(3, transit);
      links.report(3, transit, 'leaf', 10 * MS + transit * 100);
    }
    const load = Uint32Array.from([0, 0, 0]);
    const capacity = Uint32Array.from([9, 9, 9]);
    const choose = () => chooseAttachment(links, 3, NO_TRANSIT, { load, capacity }, DEFAULT_ATTACHMENT_OPTIONS);
    expect(choose()).toEqual(choose());
    expect(choose().verdict).toBe('mustMove');
  });
});

describe('many leaves', () => {
  it('spread over near ties and stay within capacities, and beyond them where nothing else is left', () => {
    const near = Array.from({ length: 300 }, () => [10, 10.2, 10.4]);
    const { homes } = leaves(near, [200, 200, 200]);
    for (const transit of [0, 1, 2]) expect(homes.load[transit]).toBeGreaterThan(60);
    const crowded = leaves(near, [100, 100, 50]);
    expect([...crowded.homes.load.subarray(0, 3)].reduce((a, b) => a + b)).toBe(300);
    expect(crowded.homes.load[0]).toBeGreaterThanOrEqual(100);
    expect(crowded.homes.load[2]).toBeLessThan(80);
  });

  it('do not rush to a good relay that comes up: it admits a share of its capacity each second', () => {
    const far = Array.from({ length: 1_000 }, () => [40, 20]);
    const { homes, links } = leaves(far, [2_000, 2_000]);
    expect(homes.load[1]).toBe(1_000);
    for (let leaf = 0; leaf < 1_000; leaf++) {
      links.report(leaf, 0, 'leaf', 5 * MS);
      homes.review(leaf, 10_000);
    }
    let before = 0;
    for (let nowMs = 10_000; nowMs <= 14_000; nowMs += 10) {
      homes.tick(nowMs);
      if (nowMs % 1_000 !== 0) continue;
      const share = DEFAULT_LEAF_HOME_OPTIONS.admitShare * 2_000;
      expect((homes.load[0] ?? 0) - before).toBeLessThanOrEqual(2 * share);
      before = homes.load[0] ?? 0;
    }
    expect(before).toBeGreaterThan(80);
    expect(homes.waited).toBeGreaterThan(0);
    for (let nowMs = 14_000; nowMs <= 60_000; nowMs += 10) homes.tick(nowMs);
    expect(homes.load[0]).toBe(1_000);
  });
});

describe('what is reported about a leaf', () => {
  it('is refused and counted without a session, and with a cost that cannot be', () => {
    const links = new LeafLinks(2);
    links.open(1, 7);
    for (const cost of [0, -5, Number.NaN, 1.5, 2 ** 31, Number.POSITIVE_INFINITY]) {
      expect(links.report(1, 7, 'leaf', cost)).toBe(false);
    }
    expect(links.report(1, 8, 'leaf', 100)).toBe(false);
    expect(links.report(1, NO_TRANSIT, 'leaf', 100)).toBe(false);
    expect(links.counters).toMatchObject({ noSession: 2, absurdCost: 6 });
    expect(links.cost[4]).toBe(0);
  });

  it('is the mean of both ends, the larger where they disagree wildly, and down if one says so', () => {
    const links = new LeafLinks(1);
    links.open(0, 7);
    const costs = (leaf: number | null, transit: number | null) => {
      links.report(0, 7, 'leaf', leaf);
      links.report(0, 7, 'transit', transit);
      return links.cost[0];
    };
    expect(costs(10_000, 11_000)).toBe(10_500);
    expect(costs(10_000, 90_000)).toBe(90_000);
    expect(costs(10_000, 90_500)).toBe(90_000);
    expect(links.counters.endsDisagree).toBe(1);
    expect(costs(10_000, null)).toBe(0xffff_ffff);
  });

  it('has at most four sessions, none twice', () => {
    const links = new LeafLinks(1);
    expect([0, 1, 2, 2, 3, 4].map((transit) => links.open(0, transit))).toEqual([true, true, true, false, true, false]);
    expect([links.close(0, 2), links.close(0, 2), links.open(0, 4)]).toEqual([true, false, true]);
  });
});
