/**
 * A packet of the lab's traffic programs, UDP payload, big endian, padded with zeros to the flow's size:
 *
 *    0        4        8                16               24
 *   +--------+--------+----------------+----------------+-----
 *   | "TWT1" | flow   | sequence       | sent, mono ns  | zeros
 *   +--------+--------+----------------+----------------+-----
 */
import type { Parsed } from '../../protocol/error.ts';

const MAGIC = 0x54575431;
export const HEADER_BYTES = 24;

export interface TrafficPacket {
  readonly flow: number;
  /** From 0. */
  readonly sequence: number;
  /** CLOCK_MONOTONIC of the machine, which all namespaces share. */
  readonly sentAtMonoNs: bigint;
}

/** Writes the header into `buffer`, which the caller owns and may reuse once the packet is sent. */
export function writePacket(buffer: Buffer, packet: TrafficPacket): void {
  buffer.writeUInt32BE(MAGIC, 0);
  buffer.writeUInt32BE(packet.flow, 4);
  buffer.writeBigUInt64BE(BigInt(packet.sequence), 8);
  buffer.writeBigUInt64BE(packet.sentAtMonoNs, 16);
}

export function readPacket(bytes: Buffer): Parsed<TrafficPacket> {
  if (bytes.length < HEADER_BYTES) return { ok: false, reason: `${bytes.length} bytes, at least ${HEADER_BYTES}` };
  if (bytes.readUInt32BE(0) !== MAGIC) return { ok: false, reason: 'not a packet of the traffic programs' };
  const sequence = bytes.readBigUInt64BE(8);
  if (sequence > 0xffff_ffffn) return { ok: false, reason: 'the sequence number is out of range' };
  return {
    ok: true,
    value: { flow: bytes.readUInt32BE(4), sequence: Number(sequence), sentAtMonoNs: bytes.readBigUInt64BE(16) },
  };
}
