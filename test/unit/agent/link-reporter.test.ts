import { describe, expect, it } from 'vitest';
import { LinkReporter } from '../../../agent/link-reporter.ts';
import type { LinkSummary } from '../../../overlay/stamp/prober.ts';
import { UNMEASURED } from '../../fake/fake-prober.ts';

describe('LinkReporter', () => {
  const link = (change: Partial<LinkSummary>): LinkSummary => ({ ...UNMEASURED, peerIndex: 2, ...change });
  const up = { health: 'up', rttUs: 20_000, lossOutPpm: 0, lossInPpm: 0 } as const;

  it('reports what changed enough at once, and everything at the interval', () => {
    const reporter = new LinkReporter();
    const other = link({ ...up, peerIndex: 3 });
    const observe = (change: Partial<LinkSummary>, monoMs: number) =>
      reporter
        .observe(
          [other, link({ ...up, ...change })],
          new Map([[2, { handshakeAgeS: 7.4, sentBytesPerSecond: undefined, receivedBytesPerSecond: undefined }]]),
          5000,
          monoMs,
        )
        .map((m) => m.peerIndex);
    expect(observe({}, 0)).toEqual([2, 3]);
    expect(observe({ rttUs: 20_900 }, 500)).toEqual([]);
    expect(observe({ rttUs: 21_100 }, 1000)).toEqual([2]);
    expect(observe({ rttUs: 21_100, lossOutPpm: 10_000 }, 1500)).toEqual([]);
    expect(observe({ rttUs: 21_100, lossOutPpm: 10_001 }, 2000)).toEqual([2]);
    expect(observe({ health: 'down' }, 2300)).toEqual([]);
    expect(observe({ health: 'down' }, 2450)).toEqual([2]);
    expect(observe({ health: 'down' }, 3000)).toEqual([]);
    expect(observe({ health: 'down' }, 5000)).toEqual([2, 3]);
  });

  it('keeps back for a moment that a link is down, and says nothing of one that only stalled', () => {
    const reporter = new LinkReporter();
    const observe = (health: LinkSummary['health'], monoMs: number) =>
      reporter.observe([link({ ...up, health })], new Map(), 5000, monoMs).map((m) => m.health);
    expect(observe('up', 0)).toEqual([1]);
    expect(reporter.heldUntilMs).toBe(Number.POSITIVE_INFINITY);
    expect(observe('down', 100)).toEqual([]);
    expect(reporter.heldUntilMs).toBe(250);
    expect(observe('up', 200)).toEqual([]);
    expect(reporter.heldUntilMs).toBe(Number.POSITIVE_INFINITY);
    expect(observe('down', 1000)).toEqual([]);
    expect(observe('down', 1149)).toEqual([]);
    expect(observe('down', 1150)).toEqual([2]);
    expect(reporter.heldUntilMs).toBe(Number.POSITIVE_INFINITY);
    expect(observe('up', 1200)).toEqual([1]);
  });

  it('reports at once when a link begins or ceases to carry something, not when its rate wavers', () => {
    const reporter = new LinkReporter();
    const observe = (sent: number, received: number, monoMs: number) => {
      const session = { handshakeAgeS: 7, sentBytesPerSecond: sent, receivedBytesPerSecond: received };
      return reporter.observe([link(up)], new Map([[2, session]]), 5000, monoMs).length;
    };
    expect(observe(0, 0, 0)).toBe(1);
    expect(observe(125_000, 125_000, 500)).toBe(0);
    expect(observe(1_000_000, 0, 1000)).toBe(1);
    expect(observe(1_190_000, 0, 1500)).toBe(0);
    expect(observe(1_000_000, 200_000, 2000)).toBe(1);
    expect(observe(0, 200_000, 2500)).toBe(1);
  });

  it('needs 500 us on a short link, however large a part that is', () => {
    const reporter = new LinkReporter();
    const observe = (rttUs: number, monoMs: number) =>
      reporter.observe([link({ ...up, rttUs })], new Map(), 5000, monoMs).length;
    expect(observe(200, 0)).toBe(1);
    expect(observe(700, 100)).toBe(0);
    expect(observe(701, 200)).toBe(1);
  });

  it('leaves out what was not measured', () => {
    const [sent] = new LinkReporter().observe([link({ health: 'down' })], new Map(), 5000, 0);
    expect(sent).toEqual({ peerIndex: 2, health: 2, samples: 0 });
  });
});
