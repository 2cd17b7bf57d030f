/** Errors as the refusals that go to agents: the next step is part of the message, because an agent prints one line. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type ErrorCode, ThalwegError } from '../../protocol/error.ts';
import type { RefusalSchema } from '../../protocol/gen/thalweg/v1/session_pb.ts';

/** Refusals that a retry does not help. */
export const NEEDS_HUMAN: ReadonlySet<ErrorCode> = new Set(['protocol_version', 'certificate_invalid', 'node_removed']);

export type RefusalInit = MessageInitShape<typeof RefusalSchema>;

/** `retryAfterMs` 0: only a human can help. */
export function refusalOf(error: ThalwegError, retryAfterMs = 0): RefusalInit {
  const message = error.nextStep === undefined ? error.message : `${error.message}; ${error.nextStep}`;
  return { code: error.code, message: message.slice(0, 1000), retryAfterMs };
}

/** Anything thrown as a ThalwegError. What is not ours is `internal`, and its text stays here. */
export function asThalwegError(cause: unknown): ThalwegError {
  if (cause instanceof ThalwegError) return cause;
  return new ThalwegError('internal', 'the core failed to do this', { cause, nextStep: "look at the core's log" });
}
