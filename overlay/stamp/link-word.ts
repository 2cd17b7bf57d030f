/**
 * What a prober says of a link in its own probes, so that the other end need not guess: a TLV of RFC 8972 (section 4)
 * behind the 44 bytes of the test packet. Type 253 is for private use; U is set as senders must. A reflector that knows
 * nothing of it sends it back or leaves it out, and either is fine.
 *
 *     0                   1                   2                   3
 *    +-+-+-+-+-+-+-+-+---------------+-------------------------------+
 *    |1 0 0 0 0 0 0 0|  type = 253   |          length = 4           |
 *    +---------------+-+-+-----------+-------------------------------+
 *    |  mark = 0x54  |L|D|  0        |  next probe within, in ms     |      L: lost   D: in doubt
 *    +---------------+-+-+-----------+-------------------------------+
 */
import { STAMP_PACKET_BYTES } from './stamp-packet.ts';

export interface LinkWord {
  /** By its own probes the link is down. */
  readonly lost: boolean;
  /** It misses answers and asks for certainty. */
  readonly doubts: boolean;
  /** Its next probe follows within so many milliseconds, 0 to 65535; 0: it does not say. */
  readonly nextWithinMs: number;
}

const TLV_FLAGS_UNRECOGNIZED = 0x80;
const TLV_PRIVATE = 253;
const VALUE_BYTES = 4;
const MARK = 0x54;
const LOST_BIT = 0x80;
const DOUBT_BIT = 0x40;

export const WORD_BYTES = 8;
/** A probe with a word. */
export const WORDED_PACKET_BYTES = STAMP_PACKET_BYTES + WORD_BYTES;

/** Writes the word behind the test packet; `packet` has at least 52 bytes. */
export function encodeWord(packet: Buffer, { lost, doubts, nextWithinMs }: LinkWord): void {
  packet.writeUInt8(TLV_FLAGS_UNRECOGNIZED, STAMP_PACKET_BYTES);
  packet.writeUInt8(TLV_PRIVATE, STAMP_PACKET_BYTES + 1);
  packet.writeUInt16BE(VALUE_BYTES, STAMP_PACKET_BYTES + 2);
  packet.writeUInt8(MARK, STAMP_PACKET_BYTES + 4);
  packet.writeUInt8((lost ? LOST_BIT : 0) | (doubts ? DOUBT_BIT : 0), STAMP_PACKET_BYTES + 5);
  packet.writeUInt16BE(Math.min(Math.max(Math.ceil(nextWithinMs), 0), 0xffff), STAMP_PACKET_BYTES + 6);
}

/** Undefined where there is none of ours directly behind the test packet. Never throws. */
export function decodeWord(packet: Buffer): LinkWord | undefined {
  if (packet.length < WORDED_PACKET_BYTES) return undefined;
  if (packet.readUInt8(STAMP_PACKET_BYTES + 1) !== TLV_PRIVATE) return undefined;
  if (packet.readUInt16BE(STAMP_PACKET_BYTES + 2) !== VALUE_BYTES) return undefined;
  if (packet.readUInt8(STAMP_PACKET_BYTES + 4) !== MARK) return undefined;
  const bits = packet.readUInt8(STAMP_PACKET_BYTES + 5);
  return {
    lost: (bits & LOST_BIT) !== 0,
    doubts: (bits & DOUBT_BIT) !== 0,
    nextWithinMs: packet.readUInt16BE(STAMP_PACKET_BYTES + 6),
  };
}
