import { describe, expect, it } from 'vitest';
import { ProbeRing } from '../../../../overlay/stamp/probe-ring.ts';

/** Probes 100 ms apart: `.` answered, `o` lost on the way out, `i` on the way back; capitals and `!` the same, of a burst. */
function lossAfter(probes: string): { outPpm: number | null; inPpm: number | null } {
  const ring = new ProbeRing();
  let nowMs = 0;
  let reflected = 0;
  for (const probe of probes) {
    const isBurst = 'OI!'.includes(probe);
    const sequence = ring.record(nowMs, nowMs, 0, 0, isBurst);
    if (!'oO'.includes(probe)) reflected++;
    if ('.!'.includes(probe)) ring.answer(sequence, reflected);
    nowMs += 100;
  }
  return ring.loss(nowMs + 10_000, 1000);
}

describe('loss of the last probes', () => {
  it('counts what is missing between answers, by direction', () => {
    expect(lossAfter('.'.repeat(20))).toEqual({ outPpm: 0, inPpm: 0 });
    expect(lossAfter(`${'.'.repeat(16)}oio.`)).toEqual({ outPpm: 100_000, inPpm: 55_556 });
    expect(lossAfter('.........')).toEqual({ outPpm: null, inPpm: null });
  });

  it('does not count the burst by which a doubt was settled: one bad moment is not a tenth of the window', () => {
    expect(lossAfter(`${'.'.repeat(10)}oOOOOO!${'.'.repeat(9)}`)).toEqual({ outPpm: 50_000, inPpm: 0 });
    expect(lossAfter(`${'.'.repeat(10)}${'!'.repeat(12)}${'.'.repeat(10)}`)).toEqual({ outPpm: 0, inPpm: 0 });
  });

  it('shares out by direction what is missing beside a burst', () => {
    expect(lossAfter(`${'.'.repeat(9)}oOI.`)).toEqual({ outPpm: 60_606, inPpm: 32_258 });
  });

  it('knows no loss where only bursts are answered', () => {
    expect(lossAfter(`!${'o'.repeat(12)}!`)).toEqual({ outPpm: 1_000_000, inPpm: null });
  });
});
