/**
 * STAMP test packets in unauthenticated mode, byte for byte as RFC 8762 draws them. Big-endian, both 44 bytes, so that
 * a reply is never larger than what asked for it.
 *
 *        Session-Sender (section 4.2.1)              Session-Reflector (section 4.3.1)
 *    0  Sequence Number                   4       0  Sequence Number                     4
 *    4  Timestamp (T1)                    8       4  Timestamp (T3)                      8
 *   12  Error Estimate                    2      12  Error Estimate                      2
 *   14  MBZ                              30      14  MBZ                                 2
 *                                                16  Receive Timestamp (T2)              8
 *                                                24  Session-Sender Sequence Number      4
 *                                                28  Session-Sender Timestamp (T1)       8
 *                                                36  Session-Sender Error Estimate       2
 *                                                38  MBZ                                 2
 *                                                40  Session-Sender TTL                  1
 *                                                41  MBZ                                 3
 *
 * Error Estimate (RFC 4656 section 4.1.2, Z from RFC 8186 section 2.1): S | Z | Scale (6) | Multiplier (8).
 * The error is Multiplier * 2^(Scale - 32) seconds; a Multiplier of 0 is not valid. Z = 0: NTP time stamps (seconds
 * since 1900, then 2^-32 s), Z = 1: truncated PTPv2 (seconds, then nanoseconds). We write Z = 0 and read both.
 *
 * What follows byte 44 (TLVs of RFC 8972) is sent back as it came, and bytes 14-15 (RFC 8972's session identifier) are
 * answered with zeros: RFC 8972 sections 3 and 4 say that this is how a reflector of RFC 8762 alone behaves.
 */

export const STAMP_PACKET_BYTES = 44;
/** IANA's port of the Session-Reflector (RFC 8762 section 4.1). */
export const STAMP_PORT = 862;
/** node:dgram does not tell the TTL of a received packet; 255 is what RFC 8762 asks senders to use on the way out. */
export const REFLECTED_TTL = 255;

const ERROR_S_BIT = 0x8000;
const ERROR_Z_BIT = 0x4000;

/** A 64-bit NTP time stamp as two unsigned 32-bit halves. Mutable, to be reused. */
export interface NtpTime {
  seconds: number;
  /** In 2^-32 s. */
  fraction: number;
}

/** Fields of a reflected packet. Mutable: `decodeReply` fills one that the caller keeps. */
export interface ReplyFields {
  sequence: number;
  t3: NtpTime;
  errorEstimate: number;
  t2: NtpTime;
  senderSequence: number;
  t1: NtpTime;
  senderErrorEstimate: number;
  senderTtl: number;
}

export function newReplyFields(): ReplyFields {
  return {
    sequence: 0,
    t3: { seconds: 0, fraction: 0 },
    errorEstimate: 0,
    t2: { seconds: 0, fraction: 0 },
    senderSequence: 0,
    t1: { seconds: 0, fraction: 0 },
    senderErrorEstimate: 0,
    senderTtl: 0,
  };
}

/** Writes a Session-Sender packet into the first 44 bytes of `packet`. */
export function encodeProbe(packet: Buffer, sequence: number, t1: NtpTime, errorEstimate: number): void {
  packet.writeUInt32BE(sequence, 0);
  writeTime(packet, 4, t1);
  packet.writeUInt16BE(errorEstimate, 12);
  packet.fill(0, 14, STAMP_PACKET_BYTES);
}

/**
 * Turns a Session-Sender packet into its reflection, in place; bytes from 44 on stay. T3 is written by `stampReply`,
 * as late as possible. False, and nothing changed, when `packet` is shorter than 44 bytes.
 */
export function reflectInPlace(packet: Buffer, sequence: number, t2: NtpTime, errorEstimate: number): boolean {
  if (packet.length < STAMP_PACKET_BYTES) return false;
  packet.copyWithin(24, 0, 14);
  packet.writeUInt32BE(sequence, 0);
  packet.fill(0, 4, 12);
  packet.writeUInt16BE(errorEstimate, 12);
  packet.writeUInt16BE(0, 14);
  writeTime(packet, 16, t2);
  packet.writeUInt16BE(0, 38);
  packet.writeUInt32BE(REFLECTED_TTL * 2 ** 24, 40);
  return true;
}

/** Writes T3 into a reflected packet. */
export function stampReply(packet: Buffer, t3: NtpTime): void {
  writeTime(packet, 4, t3);
}

/** Reads a reflected packet of at least 44 bytes. False, and `into` unchanged, when it is shorter. */
export function decodeReply(packet: Buffer, into: ReplyFields): boolean {
  if (packet.length < STAMP_PACKET_BYTES) return false;
  into.sequence = packet.readUInt32BE(0);
  readTime(packet, 4, into.t3);
  into.errorEstimate = packet.readUInt16BE(12);
  readTime(packet, 16, into.t2);
  into.senderSequence = packet.readUInt32BE(24);
  readTime(packet, 28, into.t1);
  into.senderErrorEstimate = packet.readUInt16BE(36);
  into.senderTtl = packet.readUInt8(40);
  return true;
}

/**
 * T3 - T2 in microseconds (a fraction is kept): how long the reflector held the packet. NaN when the two stamps make
 * no sense: T3 before T2, or nanoseconds of a second or more. Right across the wrap of the NTP era in 2036.
 */
export function residenceUs(reply: ReplyFields): number {
  const { t2, t3 } = reply;
  const wholeUs = ((t3.seconds - t2.seconds) | 0) * 1e6;
  let partUs: number;
  if ((reply.errorEstimate & ERROR_Z_BIT) === 0) {
    partUs = ((t3.fraction - t2.fraction) * 1e6) / 2 ** 32;
  } else {
    if (t2.fraction >= 1e9 || t3.fraction >= 1e9) return Number.NaN;
    partUs = (t3.fraction - t2.fraction) / 1e3;
  }
  const residence = wholeUs + partUs;
  return residence >= 0 ? residence : Number.NaN;
}

/**
 * The Error Estimate of an NTP stamp that may be off by `errorUs` (1 us to about 30 years), rounded up.
 * `synchronized` is the S bit: the clock follows UTC from an external source.
 */
export function encodeErrorEstimate(errorUs: number, synchronized: boolean): number {
  let multiplier = Math.max(1, Math.ceil((errorUs * 2 ** 32) / 1e6));
  let scale = 0;
  while (multiplier > 255 && scale < 63) {
    multiplier = Math.ceil(multiplier / 2);
    scale++;
  }
  return (synchronized ? ERROR_S_BIT : 0) | (scale << 8) | Math.min(multiplier, 255);
}

/** The error that an Error Estimate states, in microseconds. */
export function errorEstimateUs(errorEstimate: number): number {
  return (errorEstimate & 0xff) * 2 ** (((errorEstimate >> 8) & 0x3f) - 32) * 1e6;
}

function writeTime(packet: Buffer, offset: number, time: NtpTime): void {
  packet.writeUInt32BE(time.seconds, offset);
  packet.writeUInt32BE(time.fraction, offset + 4);
}

function readTime(packet: Buffer, offset: number, into: NtpTime): void {
  into.seconds = packet.readUInt32BE(offset);
  into.fraction = packet.readUInt32BE(offset + 4);
}
