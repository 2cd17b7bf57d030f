/**
 * One session with the core, from Hello to the end. Holds the stream to the rules: Welcome first, sequence numbers that
 * rise by one, a frame at least every three heartbeats. Every interval is measured on the monotonic clock, so a device
 * whose wall clock is wrong or jumps keeps its session.
 *
 *   agent                     core
 *     | Hello 1 ------------->|
 *     |<------------- 1 Welcome, then PeerUpdate, RouteDelta
 *     | Heartbeat <---------->| every heartbeat_ms, both ways
 *     | reports, acks ------->|
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Clock, Timer } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { type AgentBody, decodeCoreFrame, encodeAgentFrame, routeDeltaFromMessage } from '../protocol/frame-codec.ts';
import type {
  CoreFrame,
  HelloSchema,
  KeyTurn,
  PeerUpdate,
  ProbePlan,
  Refusal,
  Trust,
  Welcome,
} from '../protocol/gen/thalweg/v1/session_pb.ts';
import type { PolicyUpdate } from '../protocol/node-policy.ts';
import { policyUpdateFromMessage } from '../protocol/policy-message.ts';
import type { RouteDelta } from '../protocol/route-table.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from '../protocol/version.ts';
import { refusalError } from './core-error.ts';
import type { CoreStream } from './core-stream.ts';

/** What a session tells the agent. Calls come in the order of the frames. */
export interface SessionListener {
  onWelcome(welcome: Welcome): void;
  onPeerUpdate(update: PeerUpdate): void;
  onRouteDelta(delta: RouteDelta): void;
  onPolicyUpdate(update: PolicyUpdate): void;
  onProbePlan(plan: ProbePlan): void;
  /** The core's wall clock as it was a moment ago. */
  onCoreClock(unixMs: number): void;
  onCertificate(certificateDer: Uint8Array): void;
  onTrust(trust: Trust): void;
  onKeyTurn(turn: KeyTurn): void;
}

/** How a session ended. `error` undefined: this side closed it. */
export interface SessionEnd {
  readonly error: ThalwegError | undefined;
  /** From a Refusal of the core's; undefined where it said none. 0: a human has to act first. */
  readonly retryAfterMs: number | undefined;
  /** From Welcome to the end; 0 without a Welcome. */
  readonly establishedMs: number;
}

export interface SessionDeps {
  readonly clock: Clock;
  readonly stream: CoreStream;
  readonly listener: SessionListener;
}

export interface SessionOptions {
  readonly hello: MessageInitShape<typeof HelloSchema>;
  /** How long the core may take to answer Hello. Default 10 s: it may be admitting a whole fleet. */
  readonly welcomeTimeoutMs?: number;
}

/** Intervals without a frame after which the stream counts as dead (protocol: Heartbeat). */
const SILENT_INTERVALS = 3;
/** Heartbeats outside this range are a mistake of the core's: they would cost CPU, or hide a dead stream for long. */
const HEARTBEAT_RANGE_MS = { least: 50, most: 60_000 } as const;
/** A core that takes nothing for this many bytes is as good as gone; reports must not pile up in memory. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export class CoreSession {
  readonly #clock: Clock;
  readonly #stream: CoreStream;
  readonly #listener: SessionListener;
  readonly #options: SessionOptions;
  #sentSeq = 0n;
  #receivedSeq = 0n;
  #heartbeatMs = 0;
  #lastHeardMonoMs = 0;
  #welcomedAtMonoMs: number | undefined;
  #timers: Timer[] = [];
  #end: SessionEnd | undefined;
  #resolve: ((end: SessionEnd) => void) | undefined;

  constructor(deps: SessionDeps, options: SessionOptions) {
    this.#clock = deps.clock;
    this.#stream = deps.stream;
    this.#listener = deps.listener;
    this.#options = options;
  }

  /** True from Welcome to the end. */
  get established(): boolean {
    return this.#welcomedAtMonoMs !== undefined && this.#end === undefined;
  }

  /** Runs the session to its end; never rejects. Called once. */
  run(): Promise<SessionEnd> {
    if (this.#end !== undefined) return Promise.resolve(this.#end);
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#lastHeardMonoMs = this.#clock.monoMs();
      this.#write({ case: 'hello', value: this.#options.hello });
      const timeoutMs = this.#options.welcomeTimeoutMs ?? 10_000;
      this.#after(timeoutMs, () => {
        if (!this.established) this.#fail('timeout', `the core did not answer Hello within ${timeoutMs} ms`);
      });
      this.#stream.listen({
        onFrame: (bytes) => this.#onFrame(bytes),
        onClose: (error) => this.#finish(error ?? new ThalwegError('unreachable', 'the core closed the session')),
      });
    });
  }

  /** Sends a frame; false where there is no established session to send it on. */
  send(body: AgentBody): boolean {
    if (!this.established) return false;
    if (this.#stream.bufferedBytes > MAX_BUFFERED_BYTES) {
      this.#fail('overloaded', `the core takes nothing: ${this.#stream.bufferedBytes} bytes are waiting`);
      return false;
    }
    this.#write(body);
    return true;
  }

  /** Says goodbye and closes; resolves when the core has heard it, or will not any more. Idempotent. */
  close(): Promise<void> {
    this.send({ case: 'goodbye', value: { reason: 'stop' } });
    this.#finish(undefined);
    return this.#stream.close();
  }

  #onFrame(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    const decoded = decodeCoreFrame(bytes);
    if (!decoded.ok) {
      this.#fail('protocol_violation', `the core sent a malformed frame: ${decoded.reason}`);
      return;
    }
    const frame = decoded.value;
    if (frame.seq !== this.#receivedSeq + 1n) {
      this.#fail('out_of_order', `the core sent frame ${frame.seq} after frame ${this.#receivedSeq}`);
      return;
    }
    this.#receivedSeq = frame.seq;
    this.#lastHeardMonoMs = this.#clock.monoMs();
    this.#dispatch(frame.body);
  }

  #dispatch(body: CoreFrame['body']): void {
    if (body.case === 'refusal') {
      this.#refused(body.value);
      return;
    }
    if (body.case === 'welcome') {
      this.#welcomed(body.value);
      return;
    }
    if (!this.established) {
      this.#fail('protocol_violation', `the core sent ${body.case ?? 'nothing'} before Welcome`);
      return;
    }
    switch (body.case) {
      case 'heartbeat':
        this.#listener.onCoreClock(Number(body.value.clockUnixMs));
        return;
      case 'peerUpdate':
        this.#listener.onPeerUpdate(body.value);
        return;
      case 'routeDelta': {
        const delta = routeDeltaFromMessage(body.value);
        if (delta.ok) this.#listener.onRouteDelta(delta.value);
        else this.#fail('protocol_violation', `the core sent a route delta that cannot be installed: ${delta.reason}`);
        return;
      }
      case 'policyUpdate': {
        const update = policyUpdateFromMessage(body.value);
        if (update.ok) this.#listener.onPolicyUpdate(update.value);
        else this.#fail('protocol_violation', `the core sent a policy that cannot be enforced: ${update.reason}`);
        return;
      }
      case 'renewResponse':
        this.#listener.onCertificate(body.value.certificateDer);
        return;
      case 'trust':
        this.#listener.onTrust(body.value);
        return;
      case 'keyTurn':
        this.#listener.onKeyTurn(body.value);
        return;
      case 'probePlan':
        this.#listener.onProbePlan(body.value);
        return;
      case undefined:
        return;
      default:
        body satisfies never;
    }
  }

  #welcomed(welcome: Welcome): void {
    if (this.#welcomedAtMonoMs !== undefined) {
      this.#fail('protocol_violation', 'the core sent Welcome twice');
      return;
    }
    if (welcome.protocol < PROTOCOL_MIN || welcome.protocol > PROTOCOL_MAX) {
      this.#fail(
        'protocol_version',
        `the core chose protocol ${welcome.protocol}; this agent speaks ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
      );
      return;
    }
    const { least, most } = HEARTBEAT_RANGE_MS;
    if (welcome.heartbeatMs < least || welcome.heartbeatMs > most) {
      this.#fail('protocol_violation', `welcome.heartbeat_ms ${welcome.heartbeatMs} is not ${least} to ${most}`);
      return;
    }
    this.#heartbeatMs = welcome.heartbeatMs;
    this.#welcomedAtMonoMs = this.#clock.monoMs();
    this.#beat();
    this.#watchSilence();
    this.#listener.onCoreClock(Number(welcome.clockUnixMs));
    this.#listener.onWelcome(welcome);
  }

  #beat(): void {
    this.#after(this.#heartbeatMs, () => {
      this.send({ case: 'heartbeat', value: { clockUnixMs: BigInt(Math.trunc(this.#clock.nowMs())) } });
      this.#beat();
    });
  }

  #watchSilence(): void {
    const deadlineMonoMs = this.#lastHeardMonoMs + SILENT_INTERVALS * this.#heartbeatMs;
    this.#after(Math.max(1, deadlineMonoMs - this.#clock.monoMs()), () => {
      const silentMs = this.#clock.monoMs() - this.#lastHeardMonoMs;
      if (silentMs >= SILENT_INTERVALS * this.#heartbeatMs) {
        this.#fail('heartbeat_timeout', `the core has been silent for ${Math.round(silentMs)} ms`);
      } else {
        this.#watchSilence();
      }
    });
  }

  #refused(refusal: Refusal): void {
    this.#finish(refusalError(refusal), refusal.retryAfterMs);
  }

  #write(body: AgentBody): void {
    this.#sentSeq += 1n;
    this.#stream.send(encodeAgentFrame(this.#sentSeq, body));
  }

  #fail(
    code: 'protocol_violation' | 'out_of_order' | 'heartbeat_timeout' | 'protocol_version' | 'timeout' | 'overloaded',
    message: string,
  ): void {
    this.#finish(new ThalwegError(code, message));
  }

  #finish(error: ThalwegError | undefined, retryAfterMs?: number): void {
    if (this.#end !== undefined) return;
    const establishedMs = this.#welcomedAtMonoMs === undefined ? 0 : this.#clock.monoMs() - this.#welcomedAtMonoMs;
    this.#end = { error, retryAfterMs, establishedMs };
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    void this.#stream.close();
    this.#resolve?.(this.#end);
  }

  /** Two chains of timers at most, so the list stays short: a timer that fires leaves it. */
  #after(delayMs: number, callback: () => void): void {
    if (this.#end !== undefined) return;
    const timer = this.#clock.after(delayMs, () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
      if (this.#end === undefined) callback();
    });
    this.#timers.push(timer);
  }
}
