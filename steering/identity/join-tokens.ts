/** Join tokens: made and revoked by the operator, shown once, checked when a device joins. Secrets are kept as hashes. */
import { randomBytes } from 'node:crypto';
import type { TokenCreate, TokenCreated, TokenView } from '../../protocol/api.ts';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { formatJoinToken } from '../../protocol/join-token.ts';
import type { Actor, Store, TokenRecord } from '../store/store.ts';
import { tokenRefusal, tokenState } from '../store/token-state.ts';
import { randomBase32 } from './random-id.ts';
import { hashSecret, matchesSecret, SECRET_BYTES } from './secret-hash.ts';

export const TOKEN_DEFAULTS = { expiresInS: 3600, uses: 1 } as const;
const TOKEN_ID_CHARACTERS = 12;

export class JoinTokens {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #addresses: () => readonly string[];
  readonly #caFingerprint: () => string;

  /** `addresses`: the `host:port`s that new tokens name. */
  constructor(deps: { store: Store; clock: Clock; addresses: () => readonly string[]; caFingerprint: () => string }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#addresses = deps.addresses;
    this.#caFingerprint = deps.caFingerprint;
  }

  /** `wanted` has been checked against TOKEN_LIMITS. Throws what the store throws. */
  create(wanted: TokenCreate, by: Actor): TokenCreated {
    const secret = new Uint8Array(randomBytes(SECRET_BYTES));
    const createdAtMs = this.#clock.nowMs();
    const record: TokenRecord = {
      id: randomBase32(TOKEN_ID_CHARACTERS),
      secretHash: hashSecret(secret),
      labels: wanted.labels ?? {},
      createdAtMs,
      expiresAtMs: createdAtMs + (wanted.expiresInS ?? TOKEN_DEFAULTS.expiresInS) * 1000,
      uses: wanted.uses ?? TOKEN_DEFAULTS.uses,
      used: 0,
      revokedAtMs: null,
    };
    const addresses = this.#addresses();
    this.#store.insertToken(record, by);
    const token = formatJoinToken({ addresses, caFingerprint: this.#caFingerprint(), id: record.id, secret });
    return { ...this.#view(record), token };
  }

  list(): TokenView[] {
    return this.#store.tokens().map((token) => this.#view(token));
  }

  /** Throws not_found. */
  revoke(id: string, by: Actor): void {
    if (this.#store.revokeToken(id, this.#clock.nowMs(), by)) return;
    throw new ThalwegError('not_found', `there is no token ${id}`, {
      fields: { tokenId: id },
      nextStep: 'list them with `thalweg token list`',
    });
  }

  /**
   * The token's record when id and secret belong together, whatever its state; otherwise throws token_malformed or
   * token_unknown (a wrong secret looks like an unknown token).
   */
  authenticate(id: string, secret: Uint8Array): TokenRecord {
    if (!/^[a-z2-7]{12}$/.test(id) || secret.length !== SECRET_BYTES) {
      throw new ThalwegError('token_malformed', 'the token id is not 12 of a-z2-7, or its secret is not 32 bytes', {
        nextStep: 'paste the whole token as `thalweg token create` printed it',
      });
    }
    const record = this.#store.token(id);
    const matches = matchesSecret(secret, record?.secretHash);
    if (record !== undefined && matches) return record;
    throw tokenRefusal(undefined, this.#clock.nowMs()) as ThalwegError;
  }

  #view(token: TokenRecord): TokenView {
    const { id, createdAtMs, expiresAtMs, uses, used, labels } = token;
    const state = tokenState(token, this.#clock.nowMs());
    return { id, createdAtMs, expiresAtMs, uses, used, revoked: token.revokedAtMs !== null, state, labels };
  }
}
