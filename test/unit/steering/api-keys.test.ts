/** API keys over a real store and a clock that the test turns. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEY_LIMITS } from '../../../protocol/api.ts';
import { formatApiKey, parseApiKey } from '../../../protocol/api-key.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { ApiKeys } from '../../../steering/identity/api-keys.ts';
import { SqliteStore } from '../../../steering/store/sqlite-store.ts';
import { aKey } from '../../contract/store-suite.ts';

const MINUTE_MS = 60_000;

let directory: string;
let store: SqliteStore;
let keys: ApiKeys;
let nowMs: number;
const clock = { nowMs: () => nowMs, monoMs: () => nowMs, after: () => ({ cancel: () => {} }) };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'thalweg-key-test-'));
  store = new SqliteStore({ monoMs: () => performance.now() }, { stateDir: directory });
  nowMs = 1_000_000;
  keys = new ApiKeys({ store, clock, log: silentLogger });
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Why a key is not taken. */
function refusal(key: string): unknown {
  try {
    keys.authenticate(key);
    return undefined;
  } catch (cause) {
    return (cause as ThalwegError).fields['reason'];
  }
}

describe('an API key', () => {
  it('belongs to who made it, with the role and the name that were asked for', () => {
    const made = keys.create({ role: 'operator', name: 'ci@site', expiresInS: 60 }, 'socket');
    expect(keys.authenticate(made.key)).toMatchObject({ id: made.id, name: 'ci@site', role: 'operator' });
    const { key, ...view } = made;
    expect(keys.list()).toEqual([{ ...view, lastUsedAtMs: nowMs }]);
    expect(JSON.stringify(keys.list())).not.toContain(key.split('.')[2]);
  });

  it('is named by its id and ends after a year unless asked otherwise; never, if asked', () => {
    const made = keys.create({ role: 'viewer' }, 'socket');
    expect([made.name, made.expiresAtMs]).toEqual([made.id, nowMs + 31_536_000_000]);
    expect(keys.create({ role: 'viewer', expiresInS: null }, 'socket').expiresAtMs).toBeNull();
  });

  it('expires to the millisecond; revoked wins over expired', () => {
    const { id, key } = keys.create({ role: 'viewer', expiresInS: 60 }, 'socket');
    nowMs += MINUTE_MS - 1;
    expect(refusal(key)).toBeUndefined();
    nowMs += 1;
    expect(refusal(key)).toBe('expired_key');
    keys.revoke(id, 'socket');
    expect(refusal(key)).toBe('revoked_key');
    expect(keys.list()[0]?.state).toBe('revoked');
    expect(() => keys.revoke('aaaaaaaaaaaa', 'socket')).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  it('says that it is revoked to its holder alone: with another secret it looks unknown', () => {
    const { id, key } = keys.create({ role: 'viewer' }, 'socket');
    keys.revoke(id, 'socket');
    const guess = formatApiKey({ id, secret: new Uint8Array(32) });
    expect([refusal(key), refusal(guess)]).toEqual(['revoked_key', 'unknown_key']);
    expect(refusal(formatApiKey({ id: 'aaaaaaaaaaaa', secret: new Uint8Array(32) }))).toBe('unknown_key');
    expect(refusal('what is this')).toBe('malformed_key');
  });

  it('leaves no secret on the disk', () => {
    const { key } = keys.create({ role: 'admin' }, 'socket');
    keys.authenticate(key);
    const parsed = parseApiKey(key);
    if (!parsed.ok) throw new Error(parsed.reason);
    const text = key.split('.')[2] ?? '';
    for (const name of ['core.db', 'core.db-wal']) {
      const bytes = readFileSync(join(directory, name));
      expect(bytes.includes(Buffer.from(parsed.value.secret)), name).toBe(false);
      expect(bytes.includes(text), name).toBe(false);
    }
  });

  it('has its last use written every ten minutes, not with each', () => {
    let writes = 0;
    const counting = {
      insertKey: store.insertKey.bind(store),
      key: store.key.bind(store),
      keys: store.keys.bind(store),
      revokeKey: store.revokeKey.bind(store),
      setKeyUsed: (id: string, atMs: number) => {
        writes++;
        store.setKeyUsed(id, atMs);
      },
    };
    keys = new ApiKeys({ store: counting, clock, log: silentLogger });
    const { key, id } = keys.create({ role: 'viewer' }, 'socket');
    for (let i = 0; i < 9; i++) {
      keys.authenticate(key);
      nowMs += MINUTE_MS;
    }
    expect([writes, store.key(id)?.lastUsedAtMs]).toEqual([1, 1_000_000]);
    nowMs += MINUTE_MS;
    keys.authenticate(key);
    // another process of the core, which begins with what the store says
    keys = new ApiKeys({ store: counting, clock, log: silentLogger });
    keys.authenticate(key);
    expect([writes, store.key(id)?.lastUsedAtMs]).toEqual([2, 1_000_000 + 10 * MINUTE_MS]);
  });

  it('that ends first is known, of those that are valid', () => {
    expect(keys.nextExpiryMs()).toBeUndefined();
    keys.create({ role: 'viewer', expiresInS: null }, 'socket');
    expect(keys.nextExpiryMs()).toBeUndefined();
    const [first, second] = [60, 120].map((expiresInS) => keys.create({ role: 'viewer', expiresInS }, 'socket'));
    expect(keys.nextExpiryMs()).toBe(first?.expiresAtMs);
    nowMs += MINUTE_MS;
    expect(keys.nextExpiryMs()).toBe(second?.expiresAtMs);
    keys.revoke(second?.id ?? '', 'socket');
    expect(keys.nextExpiryMs()).toBeUndefined();
  });

  it('is taken while the disk is full', () => {
    const { key, id } = keys.create({ role: 'viewer' }, 'socket');
    const full = {
      insertKey: store.insertKey.bind(store),
      key: store.key.bind(store),
      keys: store.keys.bind(store),
      revokeKey: store.revokeKey.bind(store),
      setKeyUsed: () => {
        throw new ThalwegError('disk_full', 'no room');
      },
    };
    expect(new ApiKeys({ store: full, clock, log: silentLogger }).authenticate(key).id).toBe(id);
  });

  it('is not made where there are too many valid ones', () => {
    store.transaction(() => {
      for (let i = 0; i < KEY_LIMITS.maxKeys; i++) store.insertKey(aKey(`k${i}`, { expiresAtMs: null }), 'socket');
    });
    expect(() => keys.create({ role: 'viewer' }, 'socket')).toThrow(expect.objectContaining({ code: 'conflict' }));
    keys.revoke('k0', 'socket');
    keys.create({ role: 'viewer' }, 'socket');
  });
});
