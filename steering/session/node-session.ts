/**
 * A node's session as the rest of the core sees it: what it may be told, and who hears what it says. Where the
 * connection is does not show: `AgentSession` has it in this process, `RelayedSession` at another core.
 */
import type { ThalwegError } from '../../protocol/error.ts';
import type { CoreBody } from '../../protocol/frame-codec.ts';
import type { AgentFrame, Hello } from '../../protocol/gen/thalweg/v1/session_pb.ts';

/** Whose session it is. */
export interface SessionIdentity {
  readonly nodeId: string;
  readonly index: number;
  /** Hexadecimal serial of the certificate it came with. */
  readonly serial: string;
  readonly remoteAddress: string | null;
}

export interface SessionOptions extends SessionIdentity {
  readonly heartbeatMs: number;
}

/** After `refuse`, `end`, `restart` or a `fail`, every call is without effect. */
export interface NodeSession {
  readonly options: SessionIdentity;
  /** Of two sessions of a node the one with the higher number is the newer one; 0: not welcomed yet, newer than any. */
  epoch: bigint;
  readonly isOpen: boolean;
  readonly isClosed: boolean;
  /** The Hello was accepted; Welcome follows. Without effect on one that is open. */
  open(): void;
  /** Never throws. An agent that does not take what it is sent loses its session. */
  send(body: CoreBody): void;
  /** Says why, then closes. `retryAfterMs` 0: only a human can help. */
  refuse(error: ThalwegError, retryAfterMs: number): void;
  /** What a frame asked for cannot be done: says why, and closes. */
  fail(cause: unknown): void;
  /** Both sides agree that it is over; `reason` is for metrics and logs. */
  end(reason: string): void;
  /** This core stops. */
  restart(): void;
}

export type OpenBody = Exclude<AgentFrame['body'], { case: undefined } | { case: 'hello' } | { case: 'heartbeat' }>;

export interface SessionOwner {
  /** Answers with Welcome through the session, or throws a ThalwegError, which becomes a refusal. */
  hello(session: NodeSession, hello: Hello): void;
  /** A frame of an open session. A ThalwegError thrown here ends the session. */
  frame(session: NodeSession, body: OpenBody): void;
  /** The agent's wall clock minus the core's, from a heartbeat. */
  clockSkew(session: NodeSession, skewMs: number): void;
  /** Called once. */
  closed(session: NodeSession, reason: string): void;
}
