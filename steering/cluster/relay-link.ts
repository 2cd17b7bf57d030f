/**
 * One end of a link between a holder and the solver, over packets that may be lost: what comes out at the other end is
 * what was put in, in order and whole, or the link is broken, and the holder begins another one with everything said anew. Nothing is sent
 * twice: what is missing would be old news by then. Knows no NATS and no clock.
 */
import { MAX_CORE_FRAME_BYTES } from '../../protocol/frame-codec.ts';
import { encodeRelayPacket, MAX_PACKET_PAYLOAD_BYTES, type PacketKind, type RelayPacket } from './relay-packet.ts';

/** A message that grows beyond one packet is sent before more is added, so one frame and a packet are the most it can be. */
const MAX_MESSAGE_BYTES = MAX_CORE_FRAME_BYTES + 2 * MAX_PACKET_PAYLOAD_BYTES;
/**
 * Bytes on their way that the other end has not said it has: twice what an agent may have waiting. What is more would wait in
 * NATS, whose server cuts off readers that it keeps too much for (`max_pending`, 64 MB).
 */
export const MAX_UNACKNOWLEDGED_BYTES = 32 * 1024 * 1024;

export interface LinkName {
  readonly term: number;
  readonly link: number;
}

/** What a packet brought: whole messages, or nothing yet; `broken`: something is missing, and the link is of no use any more. */
export type Received = { readonly broken: false; readonly messages: readonly Uint8Array[] } | { readonly broken: true };

const NOTHING: Received = { broken: false, messages: [] };
const BROKEN: Received = { broken: true };

export class RelayLink {
  readonly name: LinkName;
  readonly #send: (packet: Uint8Array) => void;
  #sentSeq = 0;
  #receivedSeq = 0;
  #isBroken = false;
  /** Records that wait to be one message. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Packets that the other end has not said it has: seq and bytes, oldest first. */
  readonly #unacknowledged: (readonly [number, number])[] = [];
  #unacknowledgedBytes = 0;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;

  /** `send` takes a packet; whether it arrives is not known. */
  constructor(send: (packet: Uint8Array) => void, name: LinkName) {
    this.#send = send;
    this.name = name;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Adds a record; true: it is the first that waits, and `flush` is to be called soon. */
  put(record: Uint8Array): boolean {
    const isFirst = this.#waitingBytes === 0;
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    if (this.#waitingBytes < MAX_PACKET_PAYLOAD_BYTES) return isFirst;
    this.flush();
    return false;
  }

  /** Sends what waits. More unacknowledged than the bound breaks the link. */
  flush(): void {
    if (this.#waitingBytes === 0 || this.#isBroken) return;
    const message = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (message === undefined) return;
    for (let from = 0; from < message.length; from += MAX_PACKET_PAYLOAD_BYTES) {
      const payload = message.subarray(from, from + MAX_PACKET_PAYLOAD_BYTES);
      this.#sentSeq++;
      this.#unacknowledged.push([this.#sentSeq, payload.length]);
      this.#unacknowledgedBytes += payload.length;
      this.#packet(from + payload.length < message.length ? 'part' : 'data', payload);
    }
    if (this.#unacknowledgedBytes > MAX_UNACKNOWLEDGED_BYTES) this.#isBroken = true;
  }

  /** Says that this end is there and what it has. */
  beat(): void {
    this.#packet('beat', new Uint8Array());
  }

  /** Says that this end has missed something. */
  reset(): void {
    this.#isBroken = true;
    this.#packet('reset', new Uint8Array());
  }

  /** A packet of this link. */
  receive({ kind, seq, ack, payload }: RelayPacket): Received {
    if (this.#isBroken || kind === 'reset' || ack > this.#sentSeq) return this.#break();
    this.#acknowledged(ack);
    if (kind === 'beat') return seq === this.#receivedSeq ? NOTHING : this.#break();
    if (seq !== this.#receivedSeq + 1) return this.#break();
    this.#receivedSeq = seq;
    this.#parts.push(payload);
    this.#partsBytes += payload.length;
    if (this.#partsBytes > MAX_MESSAGE_BYTES) return this.#break();
    if (kind === 'part') return NOTHING;
    const message = this.#parts.length === 1 ? payload : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partsBytes = 0;
    return { broken: false, messages: [message] };
  }

  #acknowledged(ack: number): void {
    let taken = 0;
    for (const [seq, bytes] of this.#unacknowledged) {
      if (seq > ack) break;
      this.#unacknowledgedBytes -= bytes;
      taken++;
    }
    if (taken > 0) this.#unacknowledged.splice(0, taken);
  }

  #break(): Received {
    this.#isBroken = true;
    this.#parts = [];
    return BROKEN;
  }

  #packet(kind: PacketKind, payload: Uint8Array): void {
    const [seq, ack] = [this.#sentSeq, this.#receivedSeq];
    this.#send(encodeRelayPacket({ kind, ...this.name, seq, ack, payload }));
  }
}
