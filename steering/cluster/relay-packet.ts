/**
 * A packet of a link between two cores, which is one message of core NATS:
 *
 *   0        1      2   4          12         20         28         36
 *   +--------+------+---+----------+----------+----------+----------+---------
 *   | format | kind | 0 | term u64 | link u64 | seq  u64 | ack  u64 | payload
 *   +--------+------+---+----------+----------+----------+----------+---------
 *
 * term: of the solver at one end; it rises with every solver. link: the holder's number for the link, rising. seq: of this packet
 * for `data` and `part`, of the last of those otherwise. ack: the last that the sender has received. A message longer than
 * a packet goes as `part`s and a `data` at its end.
 */
import type { Parsed } from '../../protocol/error.ts';

const FORMAT = 1;
export const PACKET_HEADER_BYTES = 36;
/** Far below the least `max_payload` that anybody sets, and long enough that a packet's own cost does not show. */
export const MAX_PACKET_PAYLOAD_BYTES = 64 * 1024;

/** `reset`: the sender has missed something, or does not know the link; the holder begins another one. */
const KINDS = ['data', 'part', 'beat', 'reset'] as const;
export type PacketKind = (typeof KINDS)[number];

export interface RelayPacket {
  readonly kind: PacketKind;
  readonly term: number;
  readonly link: number;
  readonly seq: number;
  readonly ack: number;
  /** Empty for `beat` and `reset`. */
  readonly payload: Uint8Array;
}

export function encodeRelayPacket({ kind, term, link, seq, ack, payload }: RelayPacket): Uint8Array {
  const bytes = new Uint8Array(PACKET_HEADER_BYTES + payload.length);
  bytes.set([FORMAT, KINDS.indexOf(kind), 0, 0]);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of [term, link, seq, ack].entries()) view.setBigUint64(4 + 8 * i, BigInt(value));
  bytes.set(payload, PACKET_HEADER_BYTES);
  return bytes;
}

/** Never throws. The payload is a view of `bytes`. */
export function decodeRelayPacket(bytes: Uint8Array): Parsed<RelayPacket> {
  if (bytes.length < PACKET_HEADER_BYTES) return bad(`${bytes.length} bytes are no packet`);
  if (bytes[0] !== FORMAT) return bad(`format ${bytes[0]} is not ${FORMAT}`);
  const kind = KINDS[bytes[1] ?? KINDS.length];
  if (kind === undefined || bytes[2] !== 0 || bytes[3] !== 0) return bad(`kind ${bytes[1]} is unknown`);
  const payload = bytes.subarray(PACKET_HEADER_BYTES);
  if (payload.length > MAX_PACKET_PAYLOAD_BYTES) return bad(`a payload of ${payload.length} bytes`);
  if (payload.length > 0 && kind !== 'data' && kind !== 'part') return bad(`a ${kind} with a payload`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = [0, 1, 2, 3].map((i) => Number(view.getBigUint64(4 + 8 * i)));
  if (!numbers.every(Number.isSafeInteger)) return bad('a number beyond 2^53');
  const [term = 0, link = 0, seq = 0, ack = 0] = numbers;
  return { ok: true, value: { kind, term, link, seq, ack, payload } };
}

function bad(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}
