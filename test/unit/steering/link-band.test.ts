import { describe, expect, it } from 'vitest';
import { DEFAULT_LINK_BAND_OPTIONS, LinkBand } from '../../../steering/link-state/link-band.ts';
import { observation, SteeringLab } from './steering-lab.ts';

const SAMPLE_MS = DEFAULT_LINK_BAND_OPTIONS.sampleMs;

function bandAfter(levels: readonly number[]): LinkBand {
  const band = new LinkBand(DEFAULT_LINK_BAND_OPTIONS);
  for (const [i, level] of levels.entries()) band.update(level, level, 0, i * SAMPLE_MS);
  return band;
}

function edges(band: LinkBand): readonly [number, number, number] {
  return [band.bottomUs, band.levelUs, band.topUs];
}

describe('the band of a link', () => {
  it.each([
    ['young: the level', [5_000, 50_000, 5_000], [5_000, 5_000, 5_000]],
    ['steady: the level', Array(20).fill(5_000), [5_000, 5_000, 5_000]],
    ['small noise, within the dead band: the level', [5_000, 5_100, 5_000, 5_100, 5_050], [5_050, 5_050, 5_050]],
    ['a step of a steady link: believed at once', [...Array(19).fill(5_000), 100_000], [100_000, 100_000, 100_000]],
    ['two steps long ago: still steady', [5_000, 90_000, ...Array(18).fill(5_000)], [5_000, 5_000, 5_000]],
    [
      'never at rest: from the least to the most',
      [10, 40, 10, 40, 10, 40, 10, 20].map((ms) => ms * 1_000),
      [10_000, 20_000, 40_000],
    ],
    [
      'swings of a fifth reach three times as far',
      [1, 1.2, 1, 1.2, 1, 9].map((ms) => ms * 10_000),
      [30_141, 90_000, 90_000],
    ],
  ])('%s', (_, levels, expected) => {
    expect(edges(bandAfter(levels))).toEqual(expected);
  });

  it('counts with the smaller end at the bottom while the ends disagree, and for as long as the samples tell', () => {
    const band = bandAfter(Array(10).fill(10_000));
    band.update(100_000, 100_000, 90_000, 9 * SAMPLE_MS + 1);
    expect([...edges(band), band.leastUs]).toEqual([10_000, 100_000, 100_000, 10_000]);
    band.update(100_000, 100_000, 0, 9 * SAMPLE_MS + 2);
    expect([...edges(band), band.leastUs]).toEqual([100_000, 100_000, 100_000, 100_000]);
    const restless = new LinkBand(DEFAULT_LINK_BAND_OPTIONS);
    for (let i = 0; i < 10; i++) {
      restless.update(
        i % 2 === 0 ? 10_000 : 40_000,
        i % 2 === 0 ? 10_000 : 40_000,
        i === 3 ? 36_000 : 0,
        i * SAMPLE_MS,
      );
    }
    expect(edges(restless)).toEqual([4_000, 40_000, 40_000]);
  });

  it('forgets what is older than its samples, and takes none between them', () => {
    const restless = [10, 40, 10, 40, 10, 40, 10, 40].map((ms) => ms * 1_000);
    expect(edges(bandAfter([...restless, ...Array(20).fill(10_000)]))).toEqual([10_000, 10_000, 10_000]);
    const band = bandAfter(Array(10).fill(10_000));
    for (let i = 0; i < 100; i++) band.update(10_000, i % 2 === 0 ? 40_000 : 10_000, 0, 9 * SAMPLE_MS + i);
    expect(edges(band)).toEqual([10_000, 10_000, 10_000]);
  });
});

describe('steering with unsteady links', () => {
  /** Nodes 1 and 2 with a direct link, and 3 with steady links of 5 ms to both. */
  function mesh(direct: readonly number[]): SteeringLab {
    const lab = new SteeringLab();
    for (const i of [1, 2, 3]) lab.join(i);
    lab.link(1, 3, 5_000);
    lab.link(2, 3, 5_000);
    for (const rttUs of direct) {
      lab.link(1, 2, rttUs);
      for (const i of [1, 2, 3]) lab.reportAll(i);
      lab.run(SAMPLE_MS, 10_000);
    }
    return lab;
  }

  it('takes the detour when a steady direct link steps up', () => {
    const lab = mesh(Array(20).fill(8_000));
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
    lab.link(1, 2, 14_000);
    lab.run(3_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
  });

  it('takes no detour on the word of one end alone', () => {
    const lab = mesh(Array(20).fill(8_000));
    const say = (from: number, to: number) => lab.engine.linksReported(from, [observation(to, 100_000)], lab.nowMs);
    say(1, 2);
    lab.run(700_000, 10_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
    say(2, 1);
    lab.run(3_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    expect(lab.trace(2, 1).path).toEqual([2, 3, 1]);
  });

  it('goes back to the direct link when one end finds it good again', () => {
    const lab = mesh(Array(20).fill(8_000));
    lab.link(1, 2, 100_000);
    lab.run(3_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    lab.engine.linksReported(2, [observation(1, 8_000)], lab.nowMs);
    lab.run(40_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
  });

  it('leaves the direct link alone that is as bad half of the time anyway', () => {
    const lab = mesh(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 14_000 : 8_000)));
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
    lab.link(1, 2, 14_000);
    lab.run(60_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
  });

  it('takes the detour at half the cost when it lasts, and at once when it is below all that was seen', () => {
    const jumpy = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 40_000 : 8_000));
    const lab = mesh(jumpy);
    lab.link(1, 2, 40_000);
    lab.run(60_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
    lab.run(600_000, 10_000);
    expect(lab.trace(1, 2).path).toEqual([1, 3, 2]);
    const bad = mesh(jumpy.map((rttUs) => rttUs + 10_000));
    expect(bad.trace(1, 2).path).toEqual([1, 3, 2]);
  });

  it('believes no detour over a jumpy link', () => {
    const lab = mesh(Array(4).fill(12_000));
    for (let i = 0; i < 20; i++) {
      lab.engine.linksReported(1, [observation(3, i % 2 === 0 ? 5_000 : 20_000)], lab.nowMs);
      lab.engine.linksReported(3, [observation(1, i % 2 === 0 ? 5_000 : 20_000)], lab.nowMs);
      lab.run(SAMPLE_MS, 10_000);
    }
    lab.link(1, 3, 5_000);
    lab.run(60_000);
    expect(lab.trace(1, 2).path).toEqual([1, 2]);
  });
});
