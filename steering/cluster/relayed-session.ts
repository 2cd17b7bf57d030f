/** The session of an agent whose connection another core holds, at the solver: what it is told goes there, and what it says comes from there. */
import { ThalwegError } from '../../protocol/error.ts';
import { type CoreBody, decodeAgentFrame, encodeCoreFrame } from '../../protocol/frame-codec.ts';
import type { NodeSession, SessionIdentity, SessionOwner } from '../session/node-session.ts';
import { asThalwegError, NEEDS_HUMAN, refusalOf } from '../session/refusal.ts';
import { encodeSolverRecord } from './relay-message.ts';

const RETRY_MS = 1000;

export interface RelayedSessionDeps {
  readonly owner: SessionOwner;
  /** Takes a record for the holder. */
  readonly put: (record: Uint8Array) => void;
  /** It is over, for this reason. Called once, before the owner hears of it. */
  readonly onClosed: (session: RelayedSession, reason: string) => void;
}

export class RelayedSession implements NodeSession {
  readonly options: SessionIdentity;
  epoch: bigint;
  readonly #number: number;
  readonly #deps: RelayedSessionDeps;
  #state: 'announced' | 'open' | 'closed' = 'announced';

  /** `number`: the holder's. `epoch`: 0 where no solver has welcomed it. */
  constructor(deps: RelayedSessionDeps, number: number, options: SessionIdentity, epoch: bigint) {
    this.#deps = deps;
    this.#number = number;
    this.options = options;
    this.epoch = epoch;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** The Hello that the holder announced it with, as a frame. Never throws on its content. */
  announced(bytes: Uint8Array): void {
    const frame = decodeAgentFrame(bytes);
    if (!frame.ok || frame.value.body.case !== 'hello') {
      this.fail(new ThalwegError('protocol_violation', frame.ok ? 'the first frame is no hello' : frame.reason));
      return;
    }
    const { value } = frame.value.body;
    this.#attempt(() => this.#deps.owner.hello(this, value));
  }

  /** A frame that the holder passed on. Never throws on its content. */
  receive(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    const frame = decodeAgentFrame(bytes);
    const body = frame.ok ? frame.value.body : undefined;
    if (body === undefined || body.case === undefined || body.case === 'hello' || body.case === 'heartbeat') {
      const why = frame.ok ? `a holder passed on ${body?.case}` : frame.reason;
      this.fail(new ThalwegError('protocol_violation', why));
      return;
    }
    this.#attempt(() => this.#deps.owner.frame(this, body));
  }

  clockSkew(skewMs: number): void {
    if (this.#state === 'open') this.#deps.owner.clockSkew(this, skewMs);
  }

  open(): void {
    if (this.#state === 'announced') this.#state = 'open';
  }

  send(body: CoreBody): void {
    if (this.#state === 'closed') return;
    const epoch = body.case === 'welcome' ? this.epoch : 0n;
    this.#deps.put(encodeSolverRecord(this.#number, { case: 'frame', value: encodeCoreFrame(0n, body) }, epoch));
  }

  /** The holder closes the connection behind the refusal. */
  refuse(error: ThalwegError, retryAfterMs: number): void {
    if (this.#state === 'closed') return;
    this.send({ case: 'refusal', value: refusalOf(error, retryAfterMs) });
    this.#close(error.code);
  }

  fail(cause: unknown): void {
    const error = asThalwegError(cause);
    this.refuse(error, NEEDS_HUMAN.has(error.code) ? 0 : RETRY_MS);
  }

  end(reason: string): void {
    if (this.#state === 'closed') return;
    this.#deps.put(encodeSolverRecord(this.#number, { case: 'closed', value: reason }));
    this.#close(reason);
  }

  /** The holder keeps the agent for the next solver: nothing is said. */
  restart(): void {
    this.#close('core_stopped');
  }

  /** The agent is gone, or its holder is. */
  disconnected(reason: string): void {
    this.#close(reason);
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.fail(cause);
    }
  }

  #close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#deps.onClosed(this, reason);
    this.#deps.owner.closed(this, reason);
  }
}
