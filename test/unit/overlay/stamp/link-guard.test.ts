/** The guard of one link as steps of a clock: what makes it doubt, what it asks for, and when it is sure. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAST_GUARD, LinkGuard, NORMAL_GUARD } from '../../../../overlay/stamp/link-guard.ts';

const INTERVAL_MS = 250;
const RTT_MS = 4;

/** A guard that has seen 20 good round trips; returns the time of its next ordinary probe. */
function trusted(guard: LinkGuard, rttMs = RTT_MS): number {
  let nowMs = 0;
  for (let i = 0; i < 20; i++, nowMs += INTERVAL_MS) {
    guard.probeSent(nowMs);
    guard.replied(nowMs, nowMs + rttMs);
  }
  return nowMs;
}

interface Outcome {
  readonly lostAtMs: number | null;
  readonly probes: readonly number[];
  readonly echoes: readonly number[];
}

/** Runs the guard for `ms` from `fromMs` on: a probe each interval, and what it asks for; `answered` by time of sending. */
function run(
  guard: LinkGuard,
  fromMs: number,
  ms: number,
  answered: (sentAtMs: number) => boolean,
  rttMs: number | ((sentAtMs: number) => number) = RTT_MS,
): Outcome {
  const probes: number[] = [];
  const echoes: number[] = [];
  const replies: { atMs: number; sentAtMs: number }[] = [];
  const send = (nowMs: number) => {
    probes.push(nowMs);
    guard.probeSent(nowMs);
    if (answered(nowMs))
      replies.push({ atMs: nowMs + (typeof rttMs === 'number' ? rttMs : rttMs(nowMs)), sentAtMs: nowMs });
  };
  for (let nowMs = fromMs; nowMs < fromMs + ms; nowMs++) {
    for (const { sentAtMs } of replies.filter((reply) => reply.atMs === nowMs)) guard.replied(sentAtMs, nowMs);
    if ((nowMs - fromMs) % INTERVAL_MS === 0) send(nowMs);
    if (guard.dueMs > nowMs) continue;
    const { probe, echo, lost } = guard.step(nowMs);
    if (probe) send(nowMs);
    if (echo) echoes.push(nowMs);
    if (lost) return { lostAtMs: nowMs, probes, echoes };
  }
  return { lostAtMs: null, probes, echoes };
}

/** Round trips over a host that stalls for `stallMs` once a second: what is sent meanwhile is answered when it is over. */
const stalling = (stallMs: number) => (sentAtMs: number) => RTT_MS + Math.max(0, stallMs - (sentAtMs % 1000));

describe('link guard', () => {
  it('learns from the stalls of a host what they take, before one of them takes the link', () => {
    const fresh = new LinkGuard();
    expect(run(fresh, trusted(fresh), 5000, () => true, stalling(70)).lostAtMs).not.toBeNull();
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    expect(run(guard, fromMs, 5000, () => true, stalling(30)).lostAtMs).toBeNull();
    expect(run(guard, fromMs + 5000, 5000, () => true, stalling(50)).lostAtMs).toBeNull();
    expect(run(guard, fromMs + 10_000, 5000, () => true, stalling(70)).lostAtMs).toBeNull();
    const { lostAtMs } = run(guard, fromMs + 15_000, 1000, () => false);
    expect(lostAtMs).toBeLessThan(fromMs + 15_000 + 260);
  });

  it('forgets the stalls in minutes, and does not wait for them where a link must be given up fast', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    run(guard, fromMs, 5000, () => true, stalling(50));
    const later = fromMs + 5000 + 600_000;
    expect(run(guard, fromMs + 5000, 600_000, () => true).lostAtMs).toBeNull();
    expect(run(guard, later, 5000, () => true, stalling(70)).lostAtMs).not.toBeNull();
    const once = (atMs: number, stallMs: number) => (sentAtMs: number) =>
      RTT_MS + (sentAtMs >= atMs ? Math.max(0, atMs + stallMs - sentAtMs) : 0);
    const outcomes = [NORMAL_GUARD, FAST_GUARD].map((pace) => {
      const learner = new LinkGuard(pace);
      trusted(learner);
      run(learner, fromMs, 10_000, () => true, once(fromMs, pace.slackMinMs + pace.burstGapMs));
      const stallMs = 2 * (pace.slackMinMs + pace.burstGapMs) + 10;
      return run(learner, fromMs + 10_000, 1000, () => true, once(fromMs + 10_000, stallMs)).lostAtMs;
    });
    expect(outcomes).toEqual([null, expect.any(Number)]);
  });

  it('sends nothing of its own while all is answered', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    const { lostAtMs, probes } = run(guard, fromMs, 10_000, () => true);
    expect(lostAtMs).toBeNull();
    expect(probes).toHaveLength(10_000 / INTERVAL_MS);
  });

  it.each([
    ['normal', NORMAL_GUARD, 62],
    ['fast', FAST_GUARD, 42],
  ])(
    '%s: is sure of a dead link within so many milliseconds after the first probe that was lost',
    (_, pace, mostMs) => {
      const guard = new LinkGuard(pace);
      const fromMs = trusted(guard);
      const { lostAtMs, probes, echoes } = run(guard, fromMs, 1000, () => false);
      expect((lostAtMs ?? Number.NaN) - fromMs).toBeLessThanOrEqual(mostMs);
      // Three probes, and the kernel twice, are the price of certainty.
      expect(probes).toHaveLength(1 + 3);
      expect(echoes).toHaveLength(2);
    },
  );

  it('asks for one more probe when a single one is lost, and is content with its answer', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    const { lostAtMs, probes } = run(guard, fromMs, 240, (sentAtMs) => sentAtMs !== fromMs);
    expect(lostAtMs).toBeNull();
    expect(probes).toHaveLength(1 + 1);
    expect(guard.doubts).toBe(false);
  });

  it.each([10, 25, 35])('outlives a burst of loss of %i ms, wherever it falls', (burstMs) => {
    for (let at = 0; at < INTERVAL_MS; at += 7) {
      const guard = new LinkGuard();
      const fromMs = trusted(guard) + INTERVAL_MS;
      const answered = (sentAtMs: number) => sentAtMs < fromMs + at || sentAtMs >= fromMs + at + burstMs;
      expect(run(guard, fromMs, 3 * INTERVAL_MS, answered).lostAtMs).toBeNull();
    }
  });

  it('hears doubt in what the peer says, and in its silence', () => {
    const guard = new LinkGuard();
    const nowMs = trusted(guard);
    guard.heard({ doubts: true, nextWithinMs: 250 }, nowMs);
    expect(guard.step(nowMs).probe).toBe(true);
    guard.probeSent(nowMs);
    guard.replied(nowMs, nowMs + RTT_MS);
    expect(guard.doubts).toBe(false);
    // one burst answers the peer's whole burst
    guard.heard({ doubts: true, nextWithinMs: 250 }, nowMs + 20);
    expect(guard.doubts).toBe(false);
    expect(guard.step(nowMs + 264).probe).toBe(false);
    expect(guard.step(nowMs + 285).probe).toBe(true);
  });

  it('believes the kernel of a peer whose prober is silent, for as long as that answers', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    guard.probeSent(fromMs);
    let doubts = 0;
    for (let nowMs = fromMs; nowMs < fromMs + 5000; nowMs++) {
      if ((nowMs - fromMs) % INTERVAL_MS === 0) guard.probeSent(nowMs);
      const { probe, echo, lost } = guard.step(nowMs);
      expect(lost).toBe(false);
      if (probe) guard.probeSent(nowMs);
      if (echo) doubts++;
      if (echo) guard.echoed(nowMs);
    }
    expect(doubts).toBeGreaterThan(10);
  });

  it('does not believe an answer of the kernel from before the doubt', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    guard.probeSent(fromMs);
    const dueMs = guard.dueMs;
    guard.step(dueMs);
    guard.echoed(fromMs - 1);
    expect(guard.doubts).toBe(true);
  });

  it('takes its verdict back when a reply comes after all: the path is slow, not dead', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    const { lostAtMs } = run(guard, fromMs, 1000, () => false);
    expect(guard.replied(fromMs, (lostAtMs ?? 0) + 40)).toBe(true);
    expect(guard.replied(fromMs, (lostAtMs ?? 0) + 41)).toBe(false);
  });

  it('is twice as patient after each verdict that proved wrong, and half as much after a minute without one', () => {
    const guard = new LinkGuard();
    let nowMs = trusted(guard);
    const verdictAfterMs = (wrong: boolean): number => {
      const fromMs = nowMs;
      const lostAtMs = run(guard, fromMs, 5000, () => false).lostAtMs ?? Number.NaN;
      if (wrong) guard.replied(fromMs, lostAtMs + 1);
      nowMs = lostAtMs + 1;
      return lostAtMs - fromMs;
    };
    const calmMs = (ms: number) => {
      run(guard, nowMs, ms, () => true);
      nowMs += ms;
    };
    const first = verdictAfterMs(true);
    calmMs(10_000);
    const second = verdictAfterMs(true);
    calmMs(10_000);
    const third = verdictAfterMs(false);
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
    for (let minute = 0; minute < 6; minute++) calmMs(61_000);
    expect(verdictAfterMs(false)).toBeLessThanOrEqual(first + 1);
  });

  it('waits half a second longer where all links of the node are in doubt at once', () => {
    const verdictAfterMs = (patient: boolean): number => {
      const guard = new LinkGuard();
      const fromMs = trusted(guard);
      guard.probeSent(fromMs);
      for (let nowMs = fromMs; nowMs < fromMs + 5000; nowMs++) {
        const { probe, lost } = guard.step(nowMs, patient);
        if (probe) guard.probeSent(nowMs);
        if (lost) return nowMs - fromMs;
      }
      return Number.NaN;
    };
    expect(verdictAfterMs(false)).toBeLessThan(100);
    expect(verdictAfterMs(true)).toBeGreaterThan(500);
    expect(verdictAfterMs(true)).toBeLessThan(700);
  });

  /** Round trips that grow to `mostMs` within four seconds from `fromMs`. */
  const filling = (fromMs: number, mostMs: number) => (sentAtMs: number) =>
    Math.round(RTT_MS + (mostMs - RTT_MS) * Math.min(1, (sentAtMs - fromMs) / 4000));

  it('waits as long where packets wait in a queue, for one that is full drops several in a row', () => {
    const verdictAfterMs = (rttMs: number): number => {
      const guard = new LinkGuard();
      const quiet = trusted(guard);
      const { lostAtMs } = run(guard, quiet, 8000, () => true, filling(quiet, rttMs));
      expect(lostAtMs).toBeNull();
      const gone = run(guard, quiet + 8000, 3000, () => false).lostAtMs;
      return (gone ?? Number.NaN) - quiet - 8000;
    };
    expect(verdictAfterMs(RTT_MS)).toBeLessThan(150);
    expect(verdictAfterMs(RTT_MS + 15)).toBeLessThan(150);
    expect(verdictAfterMs(90)).toBeGreaterThan(500);
    expect(verdictAfterMs(90)).toBeLessThan(800);
  });

  it('knows a queue by the first reply that waited in it, and forgets it with the first that did not', () => {
    const verdictAfterMs = (rttsMs: readonly number[]): number => {
      const guard = new LinkGuard();
      let nowMs = trusted(guard);
      for (const rttMs of rttsMs) {
        guard.probeSent(nowMs);
        guard.replied(nowMs, nowMs + rttMs);
        nowMs += 100;
      }
      return (run(guard, nowMs, 3000, () => false).lostAtMs ?? Number.NaN) - nowMs;
    };
    expect(verdictAfterMs([60])).toBeGreaterThan(500);
    expect(verdictAfterMs([60, RTT_MS])).toBeLessThan(200);
  });

  it('counts a path that became longer for good as that after five minutes, not as a queue', () => {
    const guard = new LinkGuard();
    const quiet = trusted(guard);
    run(guard, quiet, 301_000, () => true, filling(quiet, 90));
    const { lostAtMs } = run(guard, quiet + 301_000, 3000, () => false);
    expect((lostAtMs ?? Number.NaN) - quiet - 301_000).toBeLessThan(300);
  });

  it('does not call a link grey for a quarter that a full queue drops, but for a half', () => {
    const greyAfter = (rttMs: number, every: number): number => {
      const guard = new LinkGuard();
      let nowMs = trusted(guard);
      for (let i = 0; i < 40; i++, nowMs += 50) {
        guard.probeSent(nowMs);
        guard.replied(nowMs, nowMs + rttMs);
      }
      let sent = 0;
      for (; sent < 2500 && !guard.grey; sent++, nowMs += 50) {
        guard.probeSent(nowMs);
        if (sent % every !== 0) guard.replied(nowMs, nowMs + rttMs);
      }
      return sent;
    };
    expect(greyAfter(RTT_MS, 4)).toBeLessThan(400);
    expect(greyAfter(90, 4)).toBe(2500);
    expect(greyAfter(90, 2)).toBeLessThan(400);
  });

  it('does not take it back for a reply to an older probe', () => {
    const guard = new LinkGuard();
    const fromMs = trusted(guard);
    const { lostAtMs } = run(guard, fromMs, 1000, () => false);
    expect(guard.replied(fromMs - INTERVAL_MS, (lostAtMs ?? 0) + 40)).toBe(false);
  });

  it('asks more often where loss is usual, so that chance does not take a link down', () => {
    const seen = { few: 0, many: 0 };
    for (const [name, percent] of [
      ['few', 0],
      ['many', 15],
    ] as const) {
      const guard = new LinkGuard();
      run(guard, trusted(guard), 20_000, (sentAtMs) => (sentAtMs * 7919) % 100 >= percent);
      seen[name] = guard.burstLength;
    }
    expect(seen.few).toBe(3);
    expect(seen.many).toBeGreaterThan(4);
  });

  it('calls a link grey soon that loses a third of its round trips, and good again long after the last loss', () => {
    const guard = new LinkGuard();
    let nowMs = trusted(guard);
    let sent = 0;
    while (!guard.grey) {
      guard.probeSent(nowMs);
      if (sent++ % 3 !== 0) guard.replied(nowMs, nowMs + RTT_MS);
      nowMs += 50;
    }
    expect(sent).toBeLessThanOrEqual(30);
    let good = 0;
    while (guard.grey) {
      guard.probeSent(nowMs);
      guard.replied(nowMs, nowMs + RTT_MS);
      nowMs += 50;
      good++;
    }
    expect(good).toBeGreaterThanOrEqual(25);
    expect(good).toBeLessThanOrEqual(40);
  });

  it('never calls a link grey that loses one round trip in twenty', () => {
    const guard = new LinkGuard();
    let nowMs = trusted(guard);
    for (let sent = 0; sent < 20_000; sent++, nowMs += 50) {
      guard.probeSent(nowMs);
      if (sent % 20 !== 0) guard.replied(nowMs, nowMs + RTT_MS);
      expect(guard.grey).toBe(false);
    }
  });

  it('does not count a reply that was overtaken as lost', () => {
    const guard = new LinkGuard();
    let nowMs = trusted(guard);
    for (let i = 0; i < 200; i++, nowMs += 100) {
      guard.probeSent(nowMs);
      guard.probeSent(nowMs + 1);
      guard.replied(nowMs + 1, nowMs + 5);
      guard.replied(nowMs, nowMs + 6);
    }
    expect(guard.grey).toBe(false);
    expect(guard.burstLength).toBe(3);
  });

  it('never gives a link up on which every burst has an answer, whatever else is lost and however far the peer', () => {
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.boolean()),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 60 }),
        (luck, rttMs, steps) => {
          const guard = new LinkGuard();
          const fromMs = trusted(guard, rttMs);
          let lostInRow = 0;
          const { lostAtMs } = run(
            guard,
            fromMs,
            steps * 50,
            () => {
              const lost = lostInRow < 1 && luck.next().value === true;
              lostInRow = lost ? lostInRow + 1 : 0;
              return !lost;
            },
            rttMs,
          );
          expect(lostAtMs).toBeNull();
        },
      ),
    );
  });

  it('gives every dead link up, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), fc.integer({ min: 1, max: 300 }), (before, rttMs) => {
        const guard = new LinkGuard();
        let at = 0;
        const fromMs = trusted(guard);
        const cutMs = fromMs + before.length * 20;
        const { lostAtMs } = run(
          guard,
          fromMs,
          cutMs - fromMs + 12_000,
          (sentAtMs) => sentAtMs < cutMs && before[at++ % Math.max(1, before.length)] !== true,
          rttMs,
        );
        expect(lostAtMs).not.toBeNull();
      }),
    );
  });
});
