/**
 * One end of a link between a holder and the solver, over packets that may be lost: what comes out at the other end is
 * what was put in, in order and whole, or the link is broken, and the holder begins another one with everything said anew. Nothing is sent
 * twice: what is missing would be old news by then. A window keeps what is on its way small; what does not fit
 * waits here. Knows no NATS and no clock.
 */
import { MAX_CORE_FRAME_BYTES } from '../../protocol/frame-codec.ts';
import { encodeRelayPacket, MAX_PACKET_PAYLOAD_BYTES, type PacketKind, type RelayPacket } from './relay-packet.ts';

/** A message that grows beyond one packet is sent before more is added, so one frame and a packet are the most it can be. */
const MAX_MESSAGE_BYTES = MAX_CORE_FRAME_BYTES + 2 * MAX_PACKET_PAYLOAD_BYTES;
/**
 * Bytes on their way that the other end has not said it has. At a round trip of 10 ms it is 800 MB/s; and a NATS server, which cuts
 * off a reader that it keeps more than 64 MB for (`max_pending`), never has to.
 */
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** Said to be there after so many bytes, a fraction of the window, and else with the next packet or beat. */
const ACKNOWLEDGE_BYTES = 1024 * 1024;
/** What waits for the window. A mesh of a thousand nodes whose tables all go out at once is half of it. */
export const MAX_QUEUED_BYTES = 128 * 1024 * 1024;

const NO_PAYLOAD = new Uint8Array();

export interface LinkName {
  readonly term: number;
  readonly link: number;
}

/** What a packet brought: a whole message, or nothing yet; `broken`: something is missing, and the link is of no use any more. */
export type Received = { readonly broken: false; readonly message: Uint8Array | null } | { readonly broken: true };

const NOTHING: Received = { broken: false, message: null };
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
  /** Pieces of messages that wait for the window. */
  #queue: { readonly kind: 'data' | 'part'; readonly payload: Uint8Array }[] = [];
  #queuedBytes = 0;
  /** Packets that the other end has not said it has: seq and bytes, oldest first. */
  #unacknowledged: (readonly [seq: number, bytes: number])[] = [];
  #unacknowledgedBytes = 0;
  /** Received since the other end was told what is here. */
  #untoldBytes = 0;
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
    if (this.#isBroken) return false;
    const isFirst = this.#waitingBytes === 0;
    this.#waiting.push(record);
    this.#waitingBytes += record.length;
    if (this.#waitingBytes < MAX_PACKET_PAYLOAD_BYTES) return isFirst;
    this.flush();
    return false;
  }

  /** Sends what waits, as far as the window allows. More waiting than the bound breaks the link. */
  flush(): void {
    if (this.#waitingBytes === 0 || this.#isBroken) return;
    const [first = NO_PAYLOAD, ...others] = this.#waiting;
    const message = others.length === 0 ? first : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let from = 0; from < message.length; from += MAX_PACKET_PAYLOAD_BYTES) {
      const payload = message.subarray(from, from + MAX_PACKET_PAYLOAD_BYTES);
      this.#queue.push({ kind: from + payload.length < message.length ? 'part' : 'data', payload });
      this.#queuedBytes += payload.length;
    }
    this.#pump();
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#break();
  }

  /** Says that this end is there and what it has. */
  beat(): void {
    this.#packet('beat', NO_PAYLOAD);
  }

  /** Says that this end has missed something. */
  reset(): void {
    this.#break();
    this.#packet('reset', NO_PAYLOAD);
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
    this.#untoldBytes += payload.length;
    if (this.#untoldBytes >= ACKNOWLEDGE_BYTES) this.beat();
    if (kind === 'part') return NOTHING;
    const message = this.#parts.length === 1 ? payload : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partsBytes = 0;
    return { broken: false, message };
  }

  #acknowledged(ack: number): void {
    let count = 0;
    for (const [seq, bytes] of this.#unacknowledged) {
      if (seq > ack) break;
      this.#unacknowledgedBytes -= bytes;
      count++;
    }
    if (count === 0) return;
    this.#unacknowledged = this.#unacknowledged.slice(count);
    this.#pump();
  }

  #pump(): void {
    let count = 0;
    for (const { kind, payload } of this.#queue) {
      if (this.#unacknowledgedBytes > WINDOW_BYTES) break;
      count++;
      this.#sentSeq++;
      this.#queuedBytes -= payload.length;
      this.#unacknowledged.push([this.#sentSeq, payload.length]);
      this.#unacknowledgedBytes += payload.length;
      this.#packet(kind, payload);
    }
    if (count > 0) this.#queue = this.#queue.slice(count);
  }

  #break(): Received {
    this.#isBroken = true;
    this.#parts = [];
    this.#queue = [];
    this.#waiting = [];
    this.#waitingBytes = 0;
    return BROKEN;
  }

  #packet(kind: PacketKind, payload: Uint8Array): void {
    this.#untoldBytes = 0;
    const [seq, ack] = [this.#sentSeq, this.#receivedSeq];
    this.#send(encodeRelayPacket({ kind, ...this.name, seq, ack, payload }));
  }
}
