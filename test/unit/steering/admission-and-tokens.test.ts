/** Policies of joining as steps of a clock: tokens' lives, admission, index quarantine, endpoint candidates. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_ADDRESS_PLAN } from '../../../protocol/address-plan.ts';
import type { Clock } from '../../../protocol/clock.ts';
import { parseJoinToken } from '../../../protocol/join-token.ts';
import { JoinTokens } from '../../../steering/identity/join-tokens.ts';
import { IndexAllocator } from '../../../steering/registry/index-allocator.ts';
import { Admission } from '../../../steering/session/admission.ts';
import { EndpointFilter, plainAddress } from '../../../steering/session/endpoint-candidates.ts';
import { SqliteStore } from '../../../steering/store/sqlite-store.ts';
import { tokenRefusal } from '../../../steering/store/token-state.ts';

let nowMs = 1_000_000;
const clock: Clock = { nowMs: () => nowMs, monoMs: () => nowMs, after: () => ({ cancel: () => {} }) };

describe('join tokens', () => {
  let directory: string;
  let store: SqliteStore;
  let tokens: JoinTokens;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'thalweg-token-test-'));
    store = new SqliteStore({ monoMs: clock.monoMs }, { stateDir: directory });
    tokens = new JoinTokens({
      store,
      clock,
      addresses: () => ['192.0.2.1:8470'],
      caFingerprint: () => 'ab'.repeat(32),
    });
  });
  afterEach(() => {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('expire to the millisecond; revoked wins over expired', () => {
    const made = tokens.create({ expiresInS: 60 }, 'socket');
    const parsed = parseJoinToken(made.token);
    if (!parsed.ok) throw new Error(parsed.reason);
    const state = () => {
      const record = tokens.authenticate(parsed.value.id, parsed.value.secret);
      return tokenRefusal(record, nowMs)?.code;
    };
    expect(parsed.value.addresses).toEqual(['192.0.2.1:8470']);
    nowMs += 59_999;
    expect(state()).toBeUndefined();
    nowMs += 1;
    expect(state()).toBe('token_expired');
    expect(tokens.list()[0]?.state).toBe('expired');
    tokens.revoke(made.id, 'socket');
    expect(state()).toBe('token_revoked');
  });

  it('keep no secret in the store', () => {
    const { token, id } = tokens.create({}, 'socket');
    const parsed = parseJoinToken(token);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(Buffer.from(store.token(id)?.secretHash ?? []).equals(parsed.value.secret)).toBe(false);
    const wrong = () => tokens.authenticate(id, new Uint8Array(randomBytes(32)));
    expect(wrong).toThrow(expect.objectContaining({ code: 'token_unknown' }));
  });
});

describe('admission', () => {
  it('holds the bound on concurrent joins, with retry times that differ', () => {
    const admission = new Admission({ clock, random: Math.random }, { maxConcurrent: 2, maxFailures: 5 });
    const places = [admission.enter('a'), admission.enter('b')];
    const refused = [1, 2, 3, 4].map(() => admission.enter('c'));
    expect(
      refused.every((answer) => !answer.admitted && answer.retryAfterMs >= 1000 && answer.retryAfterMs <= 5000),
    ).toBe(true);
    expect(new Set(refused.map((answer) => (answer.admitted ? 0 : answer.retryAfterMs))).size).toBeGreaterThan(1);
    if (places[0]?.admitted) {
      places[0].release(false);
      places[0].release(false);
    }
    expect(admission.enter('c').admitted).toBe(true);
    expect(admission.enter('c').admitted).toBe(false);
  });

  it('bounds the failures of one address and forgives one a second; others are not touched', () => {
    const admission = new Admission({ clock, random: () => 0 }, { maxConcurrent: 9, maxFailures: 3 });
    const fail = () => {
      const answer = admission.enter('x');
      if (answer.admitted) answer.release(true);
      return answer.admitted;
    };
    expect([fail(), fail(), fail(), fail()]).toEqual([true, true, true, false]);
    expect(admission.enter('y').admitted).toBe(true);
    nowMs += 1000;
    expect([fail(), fail()]).toEqual([true, false]);
  });
});

describe('indexes', () => {
  it('are the lowest free one, and rest after a removal', () => {
    const indexes = new IndexAllocator({ maxIndex: 4, quarantineMs: 600 });
    for (const index of [1, 2, 4]) indexes.hold(index);
    expect(indexes.lowestFree(0)).toBe(3);
    indexes.release(1, 1000);
    indexes.hold(3);
    expect(indexes.lowestFree(1599)).toBeUndefined();
    expect(indexes.lowestFree(1600)).toBe(1);
  });
});

describe('endpoint candidates', () => {
  const filter = new EndpointFilter(DEFAULT_ADDRESS_PLAN);
  const reported = [
    { address: '192.168.1.5', port: 51820 },
    { address: '2001:db8::5', port: 51820 },
  ];

  it('put the address outside a NAT first, and keep the order where there is none', () => {
    expect(filter.candidates(reported, '203.0.113.9', 51820)[0]).toEqual({ address: '203.0.113.9', port: 51820 });
    expect(filter.candidates(reported, '2001:db8::5', 51820)).toEqual(reported);
  });

  it('leave out overlay, loopback, link-local and multicast addresses, and duplicates', () => {
    const bad = [
      '100.112.0.3',
      '100.96.9.9',
      'fd74:6861:6c77::5',
      '127.0.0.1',
      '::1',
      '::',
      '169.254.1.1',
      'fe80::1',
      'ff02::1',
      '224.0.0.1',
      '255.255.255.255',
      '0.0.0.0',
    ];
    const all = [...bad.map((address) => ({ address, port: 1 })), ...reported, ...reported];
    expect(filter.candidates(all, '100.112.0.3', 51820)).toEqual(reported);
    expect(filter.candidates(reported, null, 51820)).toEqual(reported);
  });

  it('read a remote address as it is written elsewhere', () => {
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(plainAddress('fe80::1%eth0')).toBe('fe80::1');
    expect(plainAddress(undefined)).toBeNull();
  });
});
