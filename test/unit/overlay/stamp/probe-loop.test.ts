/** Two probers joined by an in-memory network on a fake clock: what a link looks like when things happen to it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { InProcessProber } from '../../../../overlay/stamp/in-process-prober.ts';
import type { LinkSummary, ProbeCounters } from '../../../../overlay/stamp/prober.ts';
import { FakeStampNetwork } from '../../../fake/stamp-network.ts';

const A = '100.112.0.1';
const B = '100.112.0.2';
const PORT = 862;

let network: FakeStampNetwork;
let a: InProcessProber;
let history: { atMs: number; link: LinkSummary }[];
let counters: ProbeCounters;
const link = () => history.at(-1)?.link;
const now = () => network.clock.monoMs();

beforeEach(async () => {
  network = new FakeStampNetwork();
  history = [];
  a = new InProcessProber(network);
  const b = new InProcessProber(network);
  a.onSummary((summaries, counts) => {
    const [summary] = summaries;
    if (summary !== undefined) history.push({ atMs: now(), link: summary });
    counters = counts;
  });
  await a.start(A, PORT, { intervalMs: 200, deadAfterMs: 1000 });
  await b.start(B, PORT, { intervalMs: 200, deadAfterMs: 1000 });
  a.setTargets([{ peerIndex: 2, address: B, port: PORT }]);
});

const roundTrip = (ms: number) => {
  network.delayMs = () => ms / 2;
};

/** Runs until the condition holds; milliseconds that took. */
function runUntil(condition: () => boolean, withinMs: number): number {
  const begunAt = now();
  while (!condition()) {
    if (now() - begunAt > withinMs) throw new Error(`not within ${withinMs} ms: ${JSON.stringify(link())}`);
    network.run(5);
  }
  return now() - begunAt;
}

/** Runs until our next probe has just been sent. */
function runToProbe(): void {
  const { delayMs } = network;
  let sent = false;
  network.delayMs = (from, to) => {
    sent ||= from === A;
    return delayMs(from, to);
  };
  while (!sent) network.run(1);
  network.delayMs = delayMs;
}

describe('probe loop', () => {
  it('measures a steady link exactly', () => {
    roundTrip(5);
    network.run(5000);
    expect(link()).toEqual({
      peerIndex: 2,
      health: 'up',
      rttUs: 5000,
      minRttUs: 5000,
      jitterUs: 0,
      lossOutPpm: 0,
      lossInPpm: 0,
      samples: expect.any(Number),
      grey: false,
    });
    expect(counters.sent).toBeGreaterThanOrEqual(22);
    expect(counters.sent).toBeLessThanOrEqual(26);
  });

  it.each([0, 37, 80, 120, 199])(
    'shows 5 to 100 ms within 1.4 s and back within 2 s (step %i ms into an interval)',
    (into) => {
      roundTrip(5);
      network.run(8000 + into);
      roundTrip(100);
      expect(runUntil(() => (link()?.rttUs ?? 0) > 95_000, 1400)).toBeLessThanOrEqual(1400);
      network.run(8000);
      roundTrip(5);
      expect(runUntil(() => (link()?.rttUs ?? 1e9) < 5500, 2000)).toBeLessThanOrEqual(2000);
      network.run(4000);
      expect(link()?.jitterUs).toBe(0);
    },
  );

  it('does not move for single outliers', () => {
    roundTrip(5);
    network.run(6000);
    for (let i = 0; i < 10; i++) {
      roundTrip(180);
      network.run(190);
      roundTrip(5);
      network.run(1200);
    }
    for (const { link: l } of history.slice(5)) expect(l.rttUs).toBe(5000);
  });

  it('is down 1 s after the last probe that could have been answered, and up after three replies', () => {
    roundTrip(20);
    network.run(4000);
    network.delayMs = () => null;
    const downAfterMs = runUntil(() => link()?.health === 'down', 2000);
    expect(downAfterMs).toBeGreaterThanOrEqual(800);
    expect(downAfterMs).toBeLessThanOrEqual(1260);
    expect(link()).toMatchObject({ rttUs: null, jitterUs: null, lossOutPpm: null, lossInPpm: null, minRttUs: 20_000 });
    network.run(3000);
    roundTrip(20);
    const upAfterMs = runUntil(() => link()?.health === 'up', 2000);
    expect(upAfterMs).toBeGreaterThan(400);
    expect(upAfterMs).toBeLessThanOrEqual(700);
    expect(link()?.rttUs).toBe(20_000);
  });

  it.each([500, 1500, 60_000])(
    'stays up through a stall of %i ms of its own loop, and drops the samples',
    (stallMs) => {
      roundTrip(20);
      network.run(6000);
      // The stall begins with a probe under way, whose reply comes after it has ended: the peer was stuck too.
      runToProbe();
      const samplesBefore = counters.received;
      network.stall(stallMs);
      network.run(3000);
      expect(new Set(history.slice(5).map((h) => h.link.health))).toEqual(new Set(['up']));
      expect(Math.max(...history.slice(5).map((h) => h.link.rttUs ?? 0))).toBe(20_000);
      expect(Math.max(...history.slice(5).map((h) => h.link.lossOutPpm ?? 0))).toBe(0);
      expect(counters.received).toBeGreaterThan(samplesBefore + 8);
      expect(counters.dropped['late']).toBe(0);
    },
  );

  it('reads a reply that came during a stall before it judges a silence that was nearly over', () => {
    roundTrip(20);
    network.run(4000);
    let probes = 0;
    let firstAtMs = 0;
    // Four probes are lost; the reply to the fifth, sent 800 ms after the first, comes 10 ms into the stall.
    network.delayMs = (from) => {
      if (from === A && ++probes === 1) firstAtMs = now();
      return from === A && probes < 5 ? null : 85;
    };
    while (probes === 0) network.run(1);
    network.run(firstAtMs + 960 - now());
    network.stall(500);
    network.run(3000);
    expect(new Set(history.slice(5).map((h) => h.link.health))).toEqual(new Set(['up']));
  });

  it('counts a reply that waited for the stalled loop as late_event_loop', () => {
    roundTrip(20);
    network.run(4000);
    runToProbe();
    network.stall(500);
    network.run(600);
    expect(counters.dropped['late_event_loop']).toBeGreaterThan(0);
    expect(link()?.rttUs).toBe(20_000);
  });

  it('does not notice a step of the wall clock', () => {
    roundTrip(20);
    network.run(3000);
    network.stepWallClock(3_600_000);
    network.run(3000);
    network.stepWallClock(-86_400_000);
    network.run(3000);
    expect(link()).toMatchObject({ rttUs: 20_000, jitterUs: 0 });
  });

  it('tells loss by direction', () => {
    let count = 0;
    network.delayMs = (from, to) => (from === A && to === B && ++count % 5 === 0 ? null : 5);
    network.run(14_000);
    expect(link()).toMatchObject({ health: 'up', lossInPpm: 0 });
    expect(link()?.lossOutPpm).toBeGreaterThan(150_000);
    expect(link()?.lossOutPpm).toBeLessThan(250_000);
    count = 0;
    network.delayMs = (from, to) => (from === B && to === A && ++count % 5 === 0 ? null : 5);
    network.run(14_000);
    expect(link()).toMatchObject({ health: 'up', lossOutPpm: 0 });
    expect(link()?.lossInPpm).toBeGreaterThan(150_000);
    expect(link()?.lossInPpm).toBeLessThan(250_000);
  });

  it('measures a link whose round trip is longer than deadAfterMs', () => {
    roundTrip(1300);
    network.run(8000);
    expect(link()).toMatchObject({ health: 'up', rttUs: 1_300_000, lossOutPpm: 0, lossInPpm: 0 });
  });

  it('spreads the probes of many targets over the interval', () => {
    const sentAt: number[] = [];
    network.delayMs = (from) => {
      if (from === A) sentAt.push(now());
      return 5;
    };
    a.setTargets(Array.from({ length: 12 }, (_, i) => ({ peerIndex: i + 2, address: `100.112.1.${i}`, port: PORT })));
    network.run(2000);
    const perTick = new Map<number, number>();
    for (const at of sentAt) perTick.set(at, (perTick.get(at) ?? 0) + 1);
    expect(sentAt.length).toBeGreaterThanOrEqual(115);
    expect(sentAt.length).toBeLessThanOrEqual(121);
    expect(Math.max(...perTick.values())).toBeLessThanOrEqual(3);
  });

  it('sends nothing twice after a stall to catch up', () => {
    a.setTargets(Array.from({ length: 12 }, (_, i) => ({ peerIndex: i + 2, address: `100.112.1.${i}`, port: PORT })));
    network.run(2000);
    const before = network.sent;
    network.stall(1000);
    expect(network.sent - before).toBeLessThanOrEqual(3);
  });
});
