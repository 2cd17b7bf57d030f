/** API keys: made and revoked by an admin, shown once, checked with every request. Secrets are kept as hashes. */
import { randomBytes } from 'node:crypto';
import { KEY_LIMITS, type KeyCreate, type KeyCreated, type KeyView } from '../../protocol/api.ts';
import { formatApiKey, parseApiKey } from '../../protocol/api-key.ts';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { Actor, KeyRecord, Store } from '../store/store.ts';
import { randomBase32 } from './random-id.ts';
import { hashSecret, matchesSecret, SECRET_BYTES } from './secret-hash.ts';

/** A year: a key that nobody looks after ends by itself, and one that is looked after is replaced once a year. */
export const KEY_DEFAULTS = { expiresInS: 31_536_000 } as const;
const KEY_ID_CHARACTERS = 12;
/** The time of last use tells which keys are in use; a disk flush for each request would be too much for that. */
const USE_NOTED_EVERY_MS = 600_000;
const NEW_KEY = 'ask an admin of the mesh for another one (`thalweg key create`)';

/** Why a key is not taken: a label of the metric of refusals. */
export type KeyRefusal = 'malformed_key' | 'unknown_key' | 'expired_key' | 'revoked_key';

export class ApiKeys {
  readonly #store: Pick<Store, 'insertKey' | 'key' | 'keys' | 'revokeKey' | 'setKeyUsed'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Key id -> when its use was written last, or tried to be. As many as there are keys. */
  readonly #noted = new Map<string, number>();

  constructor(deps: {
    store: Pick<Store, 'insertKey' | 'key' | 'keys' | 'revokeKey' | 'setKeyUsed'>;
    clock: Clock;
    log: Logger;
  }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** `wanted` has been checked against KEY_LIMITS. Throws conflict when there are too many, and what the store throws. */
  create(wanted: KeyCreate, by: Actor): KeyCreated {
    const createdAtMs = this.#clock.nowMs();
    if (this.#store.keys().filter((key) => keyState(key, createdAtMs) === 'valid').length >= KEY_LIMITS.maxKeys) {
      throw new ThalwegError('conflict', `there are ${KEY_LIMITS.maxKeys} valid API keys, which is the most`, {
        nextStep: 'revoke those that nobody uses: `thalweg key list`, `thalweg key revoke ID`',
      });
    }
    const secret = new Uint8Array(randomBytes(SECRET_BYTES));
    const id = randomBase32(KEY_ID_CHARACTERS);
    const expiresInS = wanted.expiresInS === undefined ? KEY_DEFAULTS.expiresInS : wanted.expiresInS;
    const record: KeyRecord = {
      id,
      name: wanted.name ?? id,
      role: wanted.role,
      secretHash: hashSecret(secret),
      createdAtMs,
      expiresAtMs: expiresInS === null ? null : createdAtMs + expiresInS * 1000,
      revokedAtMs: null,
      lastUsedAtMs: null,
    };
    this.#store.insertKey(record, by);
    return { ...this.#view(record), key: formatApiKey({ id, secret }) };
  }

  list(): KeyView[] {
    return this.#store.keys().map((key) => this.#view(key));
  }

  /** When the first of the valid keys expires; undefined: none does. */
  nextExpiryMs(): number | undefined {
    const nowMs = this.#clock.nowMs();
    const valid = this.#store.keys().filter((key) => keyState(key, nowMs) === 'valid');
    const ends = valid.flatMap(({ expiresAtMs }) => (expiresAtMs === null ? [] : [expiresAtMs]));
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /** From now on no request is taken with it. Throws not_found. */
  revoke(id: string, by: Actor): void {
    if (this.#store.revokeKey(id, this.#clock.nowMs(), by)) return;
    throw new ThalwegError('not_found', `there is no API key ${id}`, {
      fields: { keyId: id },
      nextStep: 'list them with `thalweg key list`',
    });
  }

  /**
   * The key that belongs to what a caller sent. Throws unauthenticated with the field `reason` (KeyRefusal): a wrong
   * secret looks like an unknown key; that a key is expired or revoked is said only to its holder.
   */
  authenticate(text: string): KeyRecord {
    const parsed = parseApiKey(text);
    if (!parsed.ok) throw refusal('malformed_key', `the API key cannot be read: ${parsed.reason}`);
    const { id, secret } = parsed.value;
    const record = this.#store.key(id);
    const matches = matchesSecret(secret, record?.secretHash);
    if (record === undefined || !matches) throw refusal('unknown_key', 'this core does not know this API key');
    const nowMs = this.#clock.nowMs();
    const state = keyState(record, nowMs);
    if (state === 'revoked') throw refusal('revoked_key', `API key ${id} (${record.name}) was revoked`, id);
    if (state === 'expired') {
      const at = new Date(record.expiresAtMs ?? 0).toISOString();
      throw refusal('expired_key', `API key ${id} (${record.name}) expired at ${at}`, id);
    }
    this.#noteUse(record, nowMs);
    return record;
  }

  /** A store that cannot write (a full disk) must not lock those out who come to look why. */
  #noteUse({ id, lastUsedAtMs }: KeyRecord, nowMs: number): void {
    if (Math.abs(nowMs - Math.max(this.#noted.get(id) ?? 0, lastUsedAtMs ?? 0)) < USE_NOTED_EVERY_MS) return;
    this.#noted.set(id, nowMs);
    try {
      this.#store.setKeyUsed(id, nowMs);
    } catch (cause) {
      this.#log.warn('the use of an api key was not saved', {
        keyId: id,
        error: cause instanceof Error ? cause.message : String(cause),
      });
    }
  }

  #view(key: KeyRecord): KeyView {
    const { id, name, role, createdAtMs, expiresAtMs, lastUsedAtMs } = key;
    return { id, name, role, createdAtMs, expiresAtMs, lastUsedAtMs, state: keyState(key, this.#clock.nowMs()) };
  }
}

/** Revoked wins over expired: the one is a decision, the other happens by itself. */
function keyState(key: KeyRecord, nowMs: number): KeyView['state'] {
  if (key.revokedAtMs !== null) return 'revoked';
  return key.expiresAtMs !== null && nowMs >= key.expiresAtMs ? 'expired' : 'valid';
}

function refusal(reason: KeyRefusal, message: string, keyId?: string): ThalwegError {
  return new ThalwegError('unauthenticated', message, {
    fields: { reason, ...(keyId === undefined ? {} : { keyId }) },
    nextStep: reason === 'malformed_key' ? 'pass the whole key as `thalweg key create` printed it' : NEW_KEY,
  });
}
