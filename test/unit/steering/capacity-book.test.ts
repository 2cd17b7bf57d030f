import { describe, expect, it } from 'vitest';
import { CapacityBook } from '../../../steering/capacity/capacity-book.ts';

/** Reports of one link every 5 s. */
function report(
  book: CapacityBook,
  from: number,
  to: number,
  nowMs: number,
  carried: number,
  rttUs: number,
  lossPpm = 0,
) {
  book.observe(from, [{ to, sentBytesPerSecond: carried, rttUs, lossOutPpm: lossPpm }], nowMs);
}

describe('CapacityBook', () => {
  it('takes no link for full that got longer by itself and is left, and forgets what it had learned of one', () => {
    const book = new CapacityBook();
    report(book, 1, 2, 0, 240_000, 5_000);
    report(book, 1, 2, 5000, 240_000, 100_000);
    report(book, 1, 2, 10_000, 3_000, 100_000); // latency has moved the traffic
    report(book, 1, 2, 15_000, 3_000, 100_000);
    report(book, 1, 2, 60_000, 240_000, 100_000);
    report(book, 1, 2, 67_000, 240_000, 100_000);
    expect(book.link(1, 2).bytesPerSecond).toBeNull();
    expect(book.baseRttUs(1, 2)).toBe(100_000);
    for (const t of [70_000, 77_000]) report(book, 1, 2, t, 400_000, 220_000);
    expect(book.link(1, 2).bytesPerSecond).toBe(400_000);
    report(book, 1, 2, 82_000, 100_000, 220_000);
    expect(book.link(1, 2).bytesPerSecond).toBe(400_000); // the queue may be draining
    report(book, 1, 2, 85_000, 100_000, 220_000);
    expect(book.link(1, 2).bytesPerSecond).toBeNull();
  });

  it('knows nothing of a link that was never full', () => {
    const book = new CapacityBook({ persistMs: 0 });
    for (let t = 0; t < 60_000; t += 5000) report(book, 1, 2, t, 900_000 + t, 20_000);
    expect(book.link(1, 2)).toEqual({ bytesPerSecond: null, source: 'unknown' });
  });

  it('learns what was carried when delay rose, and that more fits when more was carried', () => {
    const book = new CapacityBook({ persistMs: 0 });
    report(book, 1, 2, 0, 500_000, 20_000);
    report(book, 1, 2, 5000, 1_200_000, 29_000);
    expect(book.link(1, 2).bytesPerSecond).toBeNull(); // 9 ms more is not congestion
    report(book, 1, 2, 10_000, 1_250_000, 90_000);
    expect(book.link(1, 2)).toEqual({ bytesPerSecond: 1_250_000, source: 'learned' });
    report(book, 1, 2, 15_000, 1_500_000, 21_000);
    expect(book.link(1, 2).bytesPerSecond).toBe(1_250_000); // the queue has gone before the load, perhaps
    report(book, 1, 2, 20_000, 1_500_000, 21_000);
    expect(book.link(1, 2).bytesPerSecond).toBe(1_500_000);
  });

  it('learns from loss too, but not from loss on a link that carries nothing', () => {
    const book = new CapacityBook({ persistMs: 0 });
    report(book, 1, 2, 0, 10_000, 20_000, 300_000);
    expect(book.link(1, 2).bytesPerSecond).toBeNull();
    report(book, 1, 2, 5000, 700_000, 20_000, 30_000);
    expect(book.link(1, 2).bytesPerSecond).toBe(700_000 * 0.97);
  });

  it('lowers its estimate by half steps while a link is full at less, and raises it slowly by use', () => {
    const book = new CapacityBook({ persistMs: 0 });
    report(book, 1, 2, 0, 0, 20_000);
    report(book, 1, 2, 5000, 1_000_000, 100_000);
    report(book, 1, 2, 10_000, 600_000, 100_000);
    report(book, 1, 2, 15_000, 600_000, 100_000);
    // the peak is what was carried now or a report ago
    expect(book.link(1, 2).bytesPerSecond).toBe(800_000);
    for (let t = 20_000; t <= 85_000; t += 5000) report(book, 1, 2, t, 700_000, 20_000);
    expect(book.link(1, 2).bytesPerSecond).toBeCloseTo(800_000 * (1 + 0.03 / 12) ** 13, 3);
  });

  it('blames the access when most of the links that carry something are full at once', () => {
    const book = new CapacityBook({ persistMs: 0 });
    for (const peer of [2, 3]) report(book, 1, peer, 0, 0, 20_000);
    report(book, 1, 2, 5000, 500_000, 20_000);
    report(book, 1, 3, 5000, 500_000, 20_000);
    const full = { rttUs: 90_000, lossOutPpm: 0 };
    const both = [
      { to: 2, sentBytesPerSecond: 600_000, ...full },
      { to: 3, sentBytesPerSecond: 700_000, ...full },
    ];
    book.observe(1, both, 10_000);
    expect(book.uplink(1)).toEqual({ bytesPerSecond: 1_300_000, source: 'learned' });
    expect(book.link(1, 2).bytesPerSecond).toBeNull();
    expect(book.link(1, 3).bytesPerSecond).toBeNull();
  });

  it('does not blame the access where an idle link has no queue: it would wait in the same one', () => {
    const book = new CapacityBook();
    for (let t = 0; t <= 20_000; t += 1000) {
      const full = { sentBytesPerSecond: 1_200_000, rttUs: t === 0 ? 10_000 : 90_000, lossOutPpm: 0 };
      const idle = { sentBytesPerSecond: 1000, rttUs: 20_000, lossOutPpm: 0 };
      book.observe(
        1,
        [
          { to: 2, ...full },
          { to: 3, ...full },
          { to: 4, ...idle },
        ],
        t,
      );
    }
    expect(book.uplink(1).source).toBe('unknown');
    for (const to of [2, 3]) expect(book.link(1, to)).toEqual({ bytesPerSecond: 1_200_000, source: 'learned' });
    expect(book.link(1, 4).source).toBe('unknown');
  });

  it('does not blame the access for a link that carries what it is known to carry', () => {
    const book = new CapacityBook({ persistMs: 0 });
    for (const peer of [2, 3]) report(book, 1, peer, 0, 0, 20_000);
    report(book, 1, 2, 5000, 1_250_000, 90_000);
    report(book, 1, 2, 10_000, 1_250_000, 90_000);
    report(book, 1, 3, 10_000, 1_200_000, 90_000);
    expect(book.uplink(1)).toEqual({ bytesPerSecond: null, source: 'unknown' });
    expect(book.link(1, 3).bytesPerSecond).toBe(1_200_000);
  });

  describe('where more is sent than arrives', () => {
    /** Every second both ends tell, the far one first. */
    function overload(
      book: CapacityBook,
      { sent, arrives, rttUs = 60_000 }: { sent: number; arrives: readonly number[]; rttUs?: number },
    ) {
      report(book, 1, 2, 0, 0, 11_000);
      report(book, 1, 2, 1000, sent, rttUs);
      arrives.forEach((receivedBytesPerSecond, i) => {
        const back = { to: 1, sentBytesPerSecond: 0, rttUs: 11_000, lossOutPpm: 0, receivedBytesPerSecond };
        book.observe(2, [back], 1600 + i * 1000);
        report(book, 1, 2, 2000 + i * 1000, sent, rttUs);
      });
    }

    it('takes a link for full as soon as the same has arrived twice', () => {
      const book = new CapacityBook();
      overload(book, { sent: 1_900_000, arrives: [700_000, 1_200_000, 1_210_000] });
      expect(book.link(1, 2)).toEqual({ bytesPerSecond: 1_210_000, source: 'learned' });
    });

    it.each([
      ['what arrives still changes', { sent: 1_900_000, arrives: [700_000, 1_000_000, 1_200_000] }],
      ['all that is sent arrives', { sent: 1_250_000, arrives: [1_200_000, 1_210_000, 1_200_000] }],
      ['there is no queue', { sent: 1_900_000, arrives: [1_200_000, 1_210_000, 1_200_000], rttUs: 11_000 }],
      ['the far end counts next to nothing', { sent: 1_900_000, arrives: [200_000, 200_000, 200_000] }],
    ])('waits where %s', (_, course) => {
      const book = new CapacityBook();
      overload(book, course);
      expect(book.link(1, 2).bytesPerSecond).toBeNull();
    });

    it('does not guess from what was sent where the far end does not say what arrived', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      report(book, 1, 2, 1000, 1_900_000, 60_000, 60_000);
      report(book, 1, 2, 2000, 0, 11_000, 60_000);
      expect(book.link(1, 2).bytesPerSecond).toBeNull();
    });
  });

  describe('where steering by latency leaves a link as soon as it is full', () => {
    const lossy = { rttUs: 60_000, lossOutPpm: 60_000 };
    const quiet = { rttUs: 11_000, lossOutPpm: 0 };

    /** Load comes and goes within two seconds; the sending end tells its rate a second late. */
    function spell(
      book: CapacityBook,
      atMs: number,
      bad: { rttUs: number; lossOutPpm: number },
      delivered = 1_200_000,
    ) {
      book.observe(1, [{ to: 2, sentBytesPerSecond: 0, ...bad }], atMs);
      book.observe(1, [{ to: 2, sentBytesPerSecond: 1_900_000, ...bad }], atMs + 600);
      book.observe(2, [{ to: 1, sentBytesPerSecond: 0, ...quiet, receivedBytesPerSecond: delivered }], atMs + 1000);
      book.observe(1, [{ to: 2, sentBytesPerSecond: 1_900_000, ...quiet, lossOutPpm: bad.lossOutPpm }], atMs + 1600);
      book.observe(1, [{ to: 2, sentBytesPerSecond: 0, ...quiet, lossOutPpm: bad.lossOutPpm }], atMs + 2600);
    }

    it('learns what arrived, not what was sent, when load, queue and loss come and go together', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      spell(book, 5000, lossy);
      expect(book.link(1, 2)).toEqual({ bytesPerSecond: 1_200_000, source: 'learned' });
      expect(book.learnings).toBe(1);
      report(book, 1, 2, 8000, 1_900_000, 11_000);
      expect(book.carried(1, 2, 8000)).toBe(1_200_000);
      report(book, 1, 2, 9000, 0, 11_000);
      report(book, 1, 2, 10_000, 0, 11_000);
      expect(book.carried(1, 2, 10_000)).toBe(0);
    });

    it('wants to see it twice in a minute where nothing was lost', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      const slow = { ...lossy, lossOutPpm: 0 };
      spell(book, 5000, slow);
      spell(book, 70_000, slow);
      expect(book.link(1, 2).bytesPerSecond).toBeNull();
      spell(book, 80_000, slow, 1_300_000);
      expect(book.link(1, 2).bytesPerSecond).toBe(1_300_000);
    });

    it('learns nothing of a link that is still slow when it has been left', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      book.observe(1, [{ to: 2, sentBytesPerSecond: 1_900_000, ...lossy }], 5000);
      for (let t = 6000; t < 15_000; t += 1000) book.observe(1, [{ to: 2, sentBytesPerSecond: 0, ...lossy }], t);
      book.observe(1, [{ to: 2, sentBytesPerSecond: 0, ...quiet }], 15_000);
      expect(book.link(1, 2).bytesPerSecond).toBeNull();
    });

    it('forgets nothing for loss that was counted while there was load, and grows such a guess fast by use', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      spell(book, 5000, lossy, 1_000_000);
      for (let t = 8000; t < 18_000; t += 1000) report(book, 1, 2, t, 0, 11_000, 40_000);
      book.observe(2, [{ to: 1, sentBytesPerSecond: 0, ...quiet, receivedBytesPerSecond: 950_000 }], 19_000);
      expect(book.link(1, 2).bytesPerSecond).toBe(1_000_000);
      for (let t = 20_000; t <= 32_000; t += 1000) report(book, 1, 2, t, 950_000, 11_000);
      const grown = book.link(1, 2).bytesPerSecond ?? 0;
      expect(grown).toBeGreaterThan(1_050_000);
      expect(grown).toBeLessThan(1_200_000);
    });

    it('forgets a guess that nobody uses: it may be a part of what fits', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      spell(book, 5000, lossy, 1_000_000);
      for (let t = 8000; t <= 37_000; t += 1000) report(book, 1, 2, t, 100_000, 11_000);
      expect(book.link(1, 2).source).toBe('learned');
      for (let t = 38_000; t <= 40_000; t += 1000) report(book, 1, 2, t, 100_000, 11_000);
      expect(book.link(1, 2).source).toBe('unknown');
    });

    it('does not guess where less than half of what was sent was counted: that is a part of a second', () => {
      const book = new CapacityBook();
      report(book, 1, 2, 0, 0, 11_000);
      spell(book, 5000, lossy, 900_000);
      expect(book.link(1, 2).source).toBe('unknown');
    });
  });

  it('does not take for full what carries no more than it bore, and loses nothing: it is slow by itself', () => {
    const book = new CapacityBook();
    for (let t = 0; t <= 10_000; t += 1000) report(book, 1, 2, t, 200_000, 5000);
    for (let t = 11_000; t <= 30_000; t += 1000) report(book, 1, 2, t, 200_000, 65_000);
    expect(book.link(1, 2).source).toBe('unknown');
    for (let t = 31_000; t <= 50_000; t += 1000) report(book, 1, 2, t, 300_000, 65_000);
    expect(book.link(1, 2).source).toBe('learned');
  });

  it('does not take for full either what is left and comes back twice with as little', () => {
    const book = new CapacityBook();
    const back = { to: 1, sentBytesPerSecond: 0, rttUs: 5000, lossOutPpm: 0, receivedBytesPerSecond: 199_000 };
    const course = [
      ...Array.from({ length: 6 }, () => ({ sent: 200_000, rttUs: 5000 })),
      { sent: 200_000, rttUs: 65_000 },
      { sent: 200_000, rttUs: 65_000 },
      { sent: 0, rttUs: 65_000 },
      { sent: 0, rttUs: 5000 },
      { sent: 0, rttUs: 5000 },
    ];
    for (let second = 0; second < 4 * course.length; second++) {
      const { sent, rttUs } = course[second % course.length] ?? { sent: 0, rttUs: 5000 };
      if (rttUs > 5000) book.observe(2, [back], second * 1000);
      report(book, 1, 2, second * 1000, sent, rttUs);
    }
    expect(book.link(1, 2).source).toBe('unknown');
  });

  it('knows what a link has borne for seconds, not what fills it for a moment', () => {
    const book = new CapacityBook();
    report(book, 1, 2, 0, 0, 11_000);
    for (let t = 1000; t <= 3000; t += 1000) report(book, 1, 2, t, 900_000, 11_000);
    report(book, 1, 2, 4000, 900_000, 60_000);
    expect(book.proven(1, 2)).toBe(0);
    for (let t = 20_000; t <= 27_000; t += 1000) report(book, 1, 2, t, 500_000, 11_000);
    expect(book.proven(1, 2)).toBeCloseTo(500_000, -3);
    expect(book.proven(2, 1)).toBe(0);
    expect(book.mostLearned(1)).toBe(0);
  });

  it('sees a full access by links that are slow together, those with little on them too', () => {
    const book = new CapacityBook();
    const tell = (nowMs: number, rttUs: number, sent: readonly number[]) =>
      book.observe(
        1,
        sent.map((sentBytesPerSecond, i) => ({ to: 2 + i, sentBytesPerSecond, rttUs, lossOutPpm: 0 })),
        nowMs,
      );
    tell(0, 20_000, [1000, 1000, 1000]);
    for (let t = 1000; t <= 8000; t += 1000) tell(t, 60_000, [900_000, 1000, 1000]);
    expect(book.uplink(1).bytesPerSecond).toBe(902_000);
    expect(book.link(1, 2).bytesPerSecond).toBeNull();
  });

  it('takes what is configured before what it has learned', () => {
    const book = new CapacityBook({ persistMs: 0 });
    book.configure(1, { uplinkBytesPerSecond: 12_500_000, downlinkBytesPerSecond: null });
    expect(book.uplink(1)).toEqual({ bytesPerSecond: 12_500_000, source: 'configured' });
    expect(book.downlink(1)).toEqual({ bytesPerSecond: null, source: 'unknown' });
  });

  it('says what a link and an access carry, unless that is old, and forgets a node that is gone', () => {
    const book = new CapacityBook({ persistMs: 0 });
    report(book, 1, 2, 0, 1000, 20_000);
    report(book, 3, 2, 0, 500, 20_000);
    expect(book.carried(1, 2, 12_000)).toBe(1000);
    expect(book.carried(1, 2, 12_001)).toBeNull();
    expect(book.access(2, 0)).toEqual({ sent: 0, received: 1500 });
    expect(book.baseRttUs(1, 2)).toBe(20_000);
    book.removeNode(1);
    expect(book.access(2, 0)).toEqual({ sent: 0, received: 500 });
    expect(book.carried(1, 2, 0)).toBeNull();
  });
});
