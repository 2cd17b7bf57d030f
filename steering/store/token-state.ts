/** Whether a join token is good now, and the refusal when it is not. */
import type { TokenView } from '../../protocol/api.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { TokenRecord } from './store.ts';

const NEW_TOKEN = 'make a new one with `thalweg token create` on the core';

/** Revoked wins over expired, expired over used up: the first is a decision, the others happen by themselves. */
export function tokenState(token: TokenRecord, nowMs: number): TokenView['state'] {
  if (token.revokedAtMs !== null) return 'revoked';
  if (nowMs >= token.expiresAtMs) return 'expired';
  return token.used >= token.uses ? 'used_up' : 'valid';
}

/** Undefined when a node may join with it. */
export function tokenRefusal(token: TokenRecord | undefined, nowMs: number): ThalwegError | undefined {
  if (token === undefined) {
    return new ThalwegError('token_unknown', 'this core has not made this token', {
      nextStep: 'check that the token is for this core; otherwise make one with `thalweg token create`',
    });
  }
  const fields = { tokenId: token.id };
  switch (tokenState(token, nowMs)) {
    case 'valid':
      return undefined;
    case 'revoked':
      return new ThalwegError('token_revoked', `token ${token.id} was revoked`, { fields, nextStep: NEW_TOKEN });
    case 'expired': {
      const at = new Date(token.expiresAtMs).toISOString();
      return new ThalwegError('token_expired', `token ${token.id} expired at ${at}`, { fields, nextStep: NEW_TOKEN });
    }
    case 'used_up':
      return new ThalwegError('token_used_up', `token ${token.id} has been used ${token.used} of ${token.uses} times`, {
        fields,
        nextStep: NEW_TOKEN,
      });
  }
}
