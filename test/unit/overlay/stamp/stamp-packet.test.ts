/** Vectors written down from RFC 8762's figures, not from our encoder. */
import { describe, expect, it } from 'vitest';
import {
  decodeReply,
  encodeErrorEstimate,
  encodeProbe,
  errorEstimateUs,
  newReplyFields,
  reflectInPlace,
  residenceUs,
  stampReply,
} from '../../../../overlay/stamp/stamp-packet.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s+/g, ''), 'hex');

// Sequence 0x01020304; T1 2020-03-19 14:41:31.25 UTC = 3793617691.25 s since 1900; error 1 * 2^(22-32) s, S = 0, Z = 0.
const PROBE = hex(`
  01020304
  e21e871b 40000000
  1601 0000
  00000000 00000000 00000000 00000000 00000000 00000000 00000000`);
// Its reflection: own sequence 7, T3 1 ms after T2, S = 1.
const REPLY = hex(`
  00000007
  e21e871b 80418937
  9601 0000
  e21e871b 80000000
  01020304
  e21e871b 40000000
  1601 0000
  ff 000000`);
const T1 = { seconds: 0xe21e871b, fraction: 0x40000000 };
const T2 = { seconds: 0xe21e871b, fraction: 0x80000000 };
const T3 = { seconds: 0xe21e871b, fraction: 0x80418937 };

describe('STAMP packets', () => {
  it('encodes a Session-Sender packet, whatever the buffer held', () => {
    const packet = Buffer.alloc(44, 0xaa);
    encodeProbe(packet, 0x01020304, T1, 0x1601);
    expect(packet.toString('hex')).toBe(PROBE.toString('hex'));
  });

  it('turns it into a Session-Reflector packet in place', () => {
    const packet = Buffer.from(PROBE);
    expect(reflectInPlace(packet, 7, T2, 0x9601)).toBe(true);
    stampReply(packet, T3);
    expect(packet.toString('hex')).toBe(REPLY.toString('hex'));
  });

  it('sends back what follows the base packet as it came, and ignores what should be zero', () => {
    const tail = hex('8001000411223344');
    const packet = Buffer.concat([PROBE, tail]);
    packet.fill(0xee, 14, 44);
    reflectInPlace(packet, 7, T2, 0x9601);
    stampReply(packet, T3);
    expect(packet.toString('hex')).toBe(Buffer.concat([REPLY, tail]).toString('hex'));
  });

  it('refuses less than 44 bytes and leaves them alone', () => {
    const short = Buffer.from(PROBE.subarray(0, 43));
    expect(reflectInPlace(short, 7, T2, 0x9601)).toBe(false);
    expect(short.equals(PROBE.subarray(0, 43))).toBe(true);
    expect(decodeReply(short, newReplyFields())).toBe(false);
  });

  it('decodes a reply', () => {
    const reply = newReplyFields();
    expect(decodeReply(REPLY, reply)).toBe(true);
    expect(reply).toEqual({
      sequence: 7,
      t3: T3,
      errorEstimate: 0x9601,
      t2: T2,
      senderSequence: 0x01020304,
      t1: T1,
      senderErrorEstimate: 0x1601,
      senderTtl: 255,
    });
    expect(residenceUs(reply)).toBeCloseTo(1000, 2);
  });

  it.each([
    ['NTP, across a second', 0, [10, 0xc0000000], [11, 0x40000000], 500_000],
    ['NTP, across the era of 2036', 0, [0xffffffff, 0xc0000000], [0, 0x40000000], 500_000],
    ['NTP, backwards', 0, [10, 1000], [10, 999], Number.NaN],
    ['PTP', 0x4000, [10, 999_999_000], [11, 1000], 2],
    ['PTP, a nanosecond field of a second', 0x4000, [10, 1_000_000_000], [11, 1000], Number.NaN],
  ])('takes T3 - T2: %s', (_, errorEstimate, [s2 = 0, f2 = 0], [s3 = 0, f3 = 0], expected) => {
    const reply = { ...newReplyFields(), errorEstimate };
    reply.t2 = { seconds: s2, fraction: f2 };
    reply.t3 = { seconds: s3, fraction: f3 };
    expect(residenceUs(reply)).toBe(expected);
  });

  it('states errors rounded up, with a multiplier that is never 0', () => {
    // 1 ms is 2^22.04 units of 2^-32 s: 132 * 2^15, rounded up at each halving.
    expect(encodeErrorEstimate(1000, false)).toBe((15 << 8) | 132);
    expect(encodeErrorEstimate(0, true)).toBe(0x8001);
    expect(errorEstimateUs(0x1601)).toBeCloseTo(976.5625, 6);
    for (const us of [1, 10, 999, 1000, 500_000, 3.6e9]) {
      const stated = errorEstimateUs(encodeErrorEstimate(us, false));
      expect(stated).toBeGreaterThanOrEqual(us);
      expect(stated).toBeLessThan(us * 1.05 + 0.001);
    }
  });
});
