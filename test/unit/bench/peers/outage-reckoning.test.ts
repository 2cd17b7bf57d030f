import { describe, expect, it } from 'vitest';
import { reckonDisturbance } from '../../../../bench/peers/outage-reckoning.ts';
import { FlowTally } from '../../../../netlab/traffic/flow-tally.ts';

const PER_MS = 1;
const schedule = { startMonoNs: 1_000_000_000n, packetsPerSecond: 1_000 * PER_MS };
/** One way delay of every packet. */
const DELAY_NS = 400_000n;

/** Reports of a flow of `total` packets that lost those for which `lost` says so; the last packets, too. */
function flow(total: number, lost: (sequence: number) => boolean) {
  const tally = new FlowTally();
  const sentAt = (sequence: number) => schedule.startMonoNs + BigInt(sequence) * 1_000_000n;
  for (let sequence = 0; sequence < total; sequence++) {
    if (!lost(sequence)) tally.note(sequence, sentAt(sequence), sentAt(sequence) + DELAY_NS);
  }
  const ends = { firstAtMonoNs: `${sentAt(0)}`, lastAtMonoNs: `${sentAt(total - 1)}` };
  return {
    source: { sent: total, refused: {}, worstLatenessMs: 0, ...ends },
    sink: { ...tally.report(), foreign: 0, sinkDropped: 0 },
  };
}

describe('what a disturbance did', () => {
  it('is nothing where nothing was lost', () => {
    const seen = reckonDisturbance(
      flow(20_000, () => false),
      schedule,
      { fromMs: 5_000, toMs: 10_000 },
    );
    expect(seen).toEqual({ outageMs: 0, lost: 0, lossyForMs: 0, interruptions: 0 });
  });

  it('is the time without a packet, the packets of that time, and one interruption', () => {
    const reports = flow(20_000, (sequence) => sequence >= 6_000 && sequence < 6_250);
    const seen = reckonDisturbance(reports, schedule, { fromMs: 5_990, toMs: 9_000 });
    expect(seen).toEqual({ outageMs: 250, lost: 250, lossyForMs: 260, interruptions: 1 });
  });

  it('belongs to the window in which its packets were due', () => {
    const reports = flow(30_000, (sequence) => sequence >= 6_000 && sequence < 6_250);
    const seen = reckonDisturbance(reports, schedule, { fromMs: 12_000, toMs: 20_000 });
    expect(seen).toEqual({ outageMs: 0, lost: 0, lossyForMs: 0, interruptions: 0 });
    const half = reckonDisturbance(reports, schedule, { fromMs: 6_100, toMs: 20_000 });
    expect(half?.lost).toBe(150);
  });

  it('lasts to the end where traffic never came back', () => {
    const reports = flow(20_000, (sequence) => sequence >= 6_000);
    const seen = reckonDisturbance(reports, schedule, { fromMs: 6_000, toMs: 19_000 });
    expect(seen?.lost).toBe(13_000);
    expect(seen?.outageMs).toBe(13_000);
    expect(seen?.lossyForMs).toBe(13_000);
    expect(seen?.interruptions).toBe(1);
  });

  it('tells loss here and there from interruptions', () => {
    const gray = flow(20_000, (sequence) => sequence >= 6_000 && sequence < 8_000 && sequence % 3 === 0);
    const seen = reckonDisturbance(gray, schedule, { fromMs: 6_000, toMs: 15_000 });
    expect(seen?.interruptions).toBe(0);
    expect(seen?.lossyForMs).toBe(1_999);
  });

  it('counts each time that traffic was interrupted, and what is torn in two once', () => {
    const away = (sequence: number) =>
      [6_000, 10_000, 14_000].some((start) => sequence >= start && sequence < start + 200 && sequence !== start + 100);
    const seen = reckonDisturbance(flow(20_000, away), schedule, { fromMs: 5_000, toMs: 19_000 });
    expect(seen?.interruptions).toBe(3);
    expect(seen?.lost).toBe(3 * 199);
  });

  it('is unknown where no packet was due', () => {
    expect(
      reckonDisturbance(
        flow(2_000, () => false),
        schedule,
        { fromMs: 5_000, toMs: 6_000 },
      ),
    ).toBeNull();
  });
});
