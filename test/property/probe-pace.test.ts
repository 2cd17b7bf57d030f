/** Paces of links within a budget, and the word that probes carry. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWord, encodeWord, WORDED_PACKET_BYTES } from '../../overlay/stamp/link-word.ts';
import { allotPaces } from '../../overlay/stamp/probe-pace.ts';
import { STAMP_PACKET_BYTES } from '../../overlay/stamp/stamp-packet.ts';

const links = fc.integer({ min: 0, max: 3000 });
const rules = fc.record({
  watchedMs: fc.integer({ min: 10, max: 2000 }),
  idleMs: fc.integer({ min: 1000, max: 10_000 }),
  packetsPerSecond: fc.integer({ min: 10, max: 20_000 }),
});

describe('allotPaces', () => {
  it('stays within the budget unless each link would be looked at less than once a minute', () => {
    fc.assert(
      fc.property(fc.record({ busy: links, watched: links, idle: links }), rules, (counts, rule) => {
        const { busyMs, watchedMs, idleMs } = allotPaces(counts, rule);
        const perSecond = 2000 * (counts.busy / busyMs + counts.watched / watchedMs + counts.idle / idleMs);
        const slowest = Math.max(busyMs, watchedMs, idleMs);
        if (slowest < 60_000) expect(perSecond).toBeLessThanOrEqual(rule.packetsPerSecond * 1.0001);
        expect(busyMs).toBeGreaterThanOrEqual(rule.watchedMs);
        expect(watchedMs).toBeGreaterThanOrEqual(rule.watchedMs);
        expect(idleMs).toBeGreaterThanOrEqual(watchedMs);
      }),
    );
  });

  it('gives every link what it asks for where the budget allows it', () => {
    const paces = allotPaces(
      { busy: 2, watched: 3, idle: 10 },
      { watchedMs: 250, idleMs: 1000, packetsPerSecond: 500 },
    );
    expect(paces).toEqual({ busyMs: 250, watchedMs: 250, idleMs: 1000 });
  });

  it('serves busy links before watched ones, and stretches all of them alike', () => {
    const tight = { watchedMs: 50, idleMs: 1000, packetsPerSecond: 200 };
    const paces = allotPaces({ busy: 4, watched: 100, idle: 0 }, tight);
    expect(paces.busyMs).toBeLessThan(60);
    expect(paces.watchedMs).toBeGreaterThan(1000);
    const relaxed = { watchedMs: 250, idleMs: 1000, packetsPerSecond: 5000 };
    expect(allotPaces({ busy: 1, watched: 1, idle: 1 }, relaxed, 2)).toEqual({
      busyMs: 500,
      watchedMs: 500,
      idleMs: 2000,
    });
  });
});

describe('link word', () => {
  it('comes back as it was said', () => {
    const word = fc.record({
      lost: fc.boolean(),
      doubts: fc.boolean(),
      nextWithinMs: fc.integer({ min: 0, max: 0xffff }),
    });
    fc.assert(
      fc.property(word, fc.integer({ min: 0, max: 40 }), (said, more) => {
        const packet = Buffer.alloc(WORDED_PACKET_BYTES + more, 7);
        encodeWord(packet, said);
        expect(decodeWord(packet)).toEqual(said);
      }),
    );
  });

  it('is a TLV of RFC 8972 for private use', () => {
    const packet = Buffer.alloc(WORDED_PACKET_BYTES);
    encodeWord(packet, { lost: true, doubts: false, nextWithinMs: 250.2 });
    expect(packet.subarray(STAMP_PACKET_BYTES).toString('hex')).toBe('80fd0004548000fb');
  });

  it('is not found in what is not one, and no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const word = decodeWord(Buffer.from(bytes));
        const isOurs = bytes.length >= WORDED_PACKET_BYTES && bytes[45] === 253 && bytes[48] === 0x54;
        if (!isOurs) expect(word).toBeUndefined();
      }),
    );
  });
});
