/**
 * One agent's stream, from its first frame to its last: sequence numbers, the Hello, heartbeats, back-pressure and
 * refusals. What frames mean is decided by the owner. Knows no socket: it is driven through `AgentStream`.
 *
 *   awaiting hello --Hello--> open --(refusal, Goodbye, close, silence)--> closed
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { type CoreBody, decodeAgentFrame, encodeCoreFrame, MAX_AGENT_FRAME_BYTES } from '../../protocol/frame-codec.ts';
import type { AgentFrame } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { NodeSession, SessionOptions, SessionOwner } from './node-session.ts';
import { asThalwegError, NEEDS_HUMAN, refusalOf } from './refusal.ts';

/** The first frame has to be there by then; what is not an agent does not keep a place. */
export const HELLO_DEADLINE_MS = 5000;
/** Heartbeats that may be missed in a row. */
const MISSED_HEARTBEATS = 3;
/** Unsent bytes at which an agent is too slow to be worth keeping: two of the largest frames. */
export const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** WebSocket close codes (RFC 6455 section 7.4.1 and the IANA registry). */
export const CLOSE = { normal: 1000, policy: 1008, tooBig: 1009, restart: 1012, tryLater: 1013 } as const;

/** The connection under a session. */
export interface AgentStream {
  send(bytes: Uint8Array): void;
  /** Bytes given to `send` that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Closes in an orderly way after what was sent. Idempotent. */
  close(code: number, reason: string): void;
  /** Drops the connection at once. Idempotent. */
  terminate(): void;
}

export class AgentSession implements NodeSession {
  readonly options: SessionOptions;
  epoch = 0n;
  readonly #stream: AgentStream;
  #owner: SessionOwner;
  readonly #clock: Clock;
  readonly #metrics: CoreMetrics;
  #state: 'awaiting hello' | 'open' | 'closed' = 'awaiting hello';
  #receivedSeq = 0n;
  #sentSeq = 0n;
  /** Heartbeats since the last frame came. Counted, not reckoned from a clock: what came while this core was late is read before the next. */
  #silentBeats = 0;
  #sentBytes = 0;
  /** Bytes that were taken until the last heartbeat, and heartbeats since then at which others waited and none were taken. */
  #takenBefore = 0;
  #stalledBeats = 0;
  #timer: Timer;
  #isWelcomed = false;
  #onOpen: (() => void) | undefined;

  constructor(
    deps: { stream: AgentStream; owner: SessionOwner; clock: Clock; metrics: CoreMetrics },
    options: SessionOptions,
  ) {
    this.#stream = deps.stream;
    this.#owner = deps.owner;
    this.#clock = deps.clock;
    this.#metrics = deps.metrics;
    this.options = options;
    this.#timer = this.#clock.after(HELLO_DEADLINE_MS, () => {
      this.refuse(new ThalwegError('timeout', `no Hello within ${HELLO_DEADLINE_MS / 1000} s`), 1000);
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** A binary message arrived. Never throws on its content. */
  receive(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#metrics.receivedBytes.inc(bytes.length);
    if (bytes.length > MAX_AGENT_FRAME_BYTES) {
      this.#drop('frame_too_large', `a frame of ${bytes.length} bytes, at most ${MAX_AGENT_FRAME_BYTES}`);
      return;
    }
    const frame = decodeAgentFrame(bytes);
    if (!frame.ok) {
      this.#drop('protocol_violation', frame.reason);
      return;
    }
    if (frame.value.seq !== this.#receivedSeq + 1n) {
      this.#drop('out_of_order', `frame ${frame.value.seq} after frame ${this.#receivedSeq}`);
      return;
    }
    this.#receivedSeq = frame.value.seq;
    this.#silentBeats = 0;
    this.#metrics.frames.inc({ type: String(frame.value.body.case), direction: 'in' });
    try {
      this.#handle(frame.value.body);
    } catch (cause) {
      this.fail(cause);
    }
  }

  /** What a frame asked for cannot be done: says why, and closes. */
  fail(cause: unknown): void {
    const error = asThalwegError(cause);
    this.refuse(error, NEEDS_HUMAN.has(error.code) ? 0 : 1000);
  }

  /** A text message, or another thing that is not a frame. */
  receiveOther(what: string): void {
    if (this.#state !== 'closed') this.#drop('protocol_violation', what);
  }

  /** Sends a frame; a session whose agent does not read is dropped. A second Welcome, of another owner, is no news to the agent. */
  send(body: CoreBody): void {
    if (this.#state === 'closed') return;
    if (body.case === 'welcome') {
      if (this.#isWelcomed) return;
      this.#isWelcomed = true;
    }
    const bytes = encodeCoreFrame(++this.#sentSeq, body);
    this.#metrics.frames.inc({ type: String(body.case), direction: 'out' });
    this.#metrics.sentBytes.inc(bytes.length);
    this.#sentBytes += bytes.length;
    this.#stream.send(bytes);
    if (this.#stream.bufferedBytes > MAX_BUFFERED_BYTES) this.#dropSlow();
  }

  /** The Hello was accepted: from here on heartbeats go both ways. */
  open(): void {
    if (this.#state === 'awaiting hello') {
      this.#state = 'open';
      this.#timer.cancel();
      this.#scheduleHeartbeat();
    }
    const onOpen = this.#onOpen;
    this.#onOpen = undefined;
    if (onOpen !== undefined) queueMicrotask(onOpen);
  }

  /** From now on `owner` hears of it; `onOpen` is called back once that one has welcomed it, after what it sends then. */
  adopt(owner: SessionOwner, onOpen: () => void): void {
    this.#owner = owner;
    this.#onOpen = onOpen;
  }

  /** Says why, then closes. `retryAfterMs` 0: only a human can help. */
  refuse(error: ThalwegError, retryAfterMs: number): void {
    if (this.#state === 'closed') return;
    this.send({ case: 'refusal', value: refusalOf(error, retryAfterMs) });
    const code =
      error.code === 'overloaded' ? CLOSE.tryLater : error.code === 'frame_too_large' ? CLOSE.tooBig : CLOSE.policy;
    this.#stream.close(code, error.code);
    this.#close(error.code);
  }

  /** Both sides agree that it is over; `reason` is for metrics and logs. Idempotent. */
  end(reason: string): void {
    if (this.#state === 'closed') return;
    this.#stream.close(CLOSE.normal, reason);
    this.#close(reason);
  }

  /** The core stops: agents come back by themselves. */
  restart(): void {
    this.#stream.close(CLOSE.restart, 'the core restarts');
    this.#close('core_stopped');
  }

  /** The connection is gone. */
  disconnected(reason = 'disconnected'): void {
    this.#close(reason);
  }

  #handle(body: AgentFrame['body']): void {
    if (body.case === undefined) return;
    if (this.#state === 'awaiting hello') {
      if (body.case !== 'hello') {
        this.#drop('protocol_violation', `the first frame is ${body.case}, not hello`);
        return;
      }
      this.#owner.hello(this, body.value);
      return;
    }
    switch (body.case) {
      case 'hello':
        this.#drop('protocol_violation', 'a second hello');
        return;
      case 'heartbeat':
        this.#owner.clockSkew(this, Number(body.value.clockUnixMs) - this.#clock.nowMs());
        return;
      default:
        this.#owner.frame(this, body);
    }
  }

  #drop(code: 'frame_too_large' | 'protocol_violation' | 'out_of_order', why: string): void {
    this.#metrics.droppedFrames.inc({ reason: code });
    this.refuse(new ThalwegError(code, why), 1000);
  }

  #scheduleHeartbeat(): void {
    const { heartbeatMs } = this.options;
    this.#timer = this.#clock.after(heartbeatMs, () => {
      if (++this.#silentBeats > MISSED_HEARTBEATS) {
        const error = new ThalwegError('heartbeat_timeout', `nothing heard for ${MISSED_HEARTBEATS} heartbeats`);
        this.refuse(error, 1000);
        return;
      }
      if (this.#isStalled()) {
        this.#dropSlow();
        return;
      }
      this.send({ case: 'heartbeat', value: { clockUnixMs: BigInt(this.#clock.nowMs()) } });
      if (this.#state === 'open') this.#scheduleHeartbeat();
    });
  }

  /** For three heartbeats something waited and nothing was taken: the agent reads nothing, and more is not kept for it. */
  #isStalled(): boolean {
    const waiting = this.#stream.bufferedBytes;
    const taken = this.#sentBytes - waiting;
    this.#stalledBeats = waiting > 0 && taken <= this.#takenBefore ? this.#stalledBeats + 1 : 0;
    this.#takenBefore = taken;
    return this.#stalledBeats >= MISSED_HEARTBEATS;
  }

  /** At once: a refusal would wait behind what it does not read. */
  #dropSlow(): void {
    this.#stream.terminate();
    this.#close('overloaded');
  }

  #close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#timer.cancel();
    this.#metrics.sessionsClosed.inc({ reason });
    this.#owner.closed(this, reason);
  }
}
