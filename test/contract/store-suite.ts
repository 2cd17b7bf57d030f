/**
 * What every store must do, whatever is below it. `open` opens the same store each time: what was in it before the last
 * `close` is there again.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeId, NodeIndex, NodeName, PublicKey } from '../../protocol/identifier.ts';
import type { KeyRecord, NodeHost, NodeRecord, Store, TokenRecord } from '../../steering/store/store.ts';

export interface StorePlace {
  open(): Store;
  /** Takes everything away. */
  clear(): void | Promise<void>;
}

export function aToken(id: string, change: Partial<TokenRecord> = {}): TokenRecord {
  const times = { createdAtMs: 1000, expiresAtMs: 9000, revokedAtMs: null };
  return { id, secretHash: new Uint8Array(32).fill(7), labels: { a: 'b' }, ...times, uses: 2, used: 0, ...change };
}

export function aKey(id: string, change: Partial<KeyRecord> = {}): KeyRecord {
  const times = { createdAtMs: 1000, expiresAtMs: 9000, revokedAtMs: null, lastUsedAtMs: null };
  return { id, name: 'ci', role: 'admin', secretHash: new Uint8Array(32).fill(8), ...times, ...change };
}

export function aNode(index: number, change: Partial<NodeRecord> = {}): NodeRecord {
  return {
    id: `n-${String(index).padStart(20, 'a')}` as NodeId,
    index: index as NodeIndex,
    name: `node-${index}` as NodeName,
    publicKey: `key-${index}` as PublicKey,
    tlsKeyHash: 'hash',
    labels: { x: 'y' },
    tokenId: 't',
    joinedAtMs: 2000,
    lastSeenAtMs: 2000,
    serial: '1',
    previousSerial: null,
    certificateExpiresAtMs: 5000,
    host: null,
    ...change,
  };
}

const HOST: NodeHost = {
  endpoints: ['192.0.2.1:51820'],
  listenPort: 51820,
  underlayMtuBytes: 1500,
  transit: true,
  stampPort: 862,
  software: '1',
  wireguardBackend: 'kernel',
  leafCapacity: 4,
};

export function storeSuite(name: string, makePlace: () => StorePlace): void {
  describe(`store contract: ${name}`, () => {
    let place: StorePlace;
    let store: Store;
    beforeEach(() => {
      place = makePlace();
      store = place.open();
    });
    afterEach(async () => {
      store.close();
      await place.clear();
    });
    const reopen = () => {
      store.close();
      store = place.open();
    };

    it('keeps settings and the engine, and a whole state takes the place of the records before it', () => {
      store.setSetting('a', '1');
      store.setSetting('a', '2');
      store.setSetting('b', '3');
      expect([store.deleteSetting('b'), store.deleteSetting('b'), store.setting('b')]).toEqual([
        true,
        false,
        undefined,
      ]);
      store.saveEngineState(Uint8Array.of(1));
      store.appendEngineRecord(Uint8Array.of(2));
      store.appendEngineRecord(Uint8Array.of(3));
      reopen();
      expect(store.setting('a')).toBe('2');
      expect(store.setting('b')).toBeUndefined();
      expect([...(store.engineState() ?? [])]).toEqual([1]);
      expect(store.engineRecords().map((record) => [...record])).toEqual([[2], [3]]);
      store.saveEngineState(Uint8Array.of(4));
      expect(store.engineRecords()).toEqual([]);
    });

    it('keeps a token as it was given, and the first time of its revocation', () => {
      store.insertToken(aToken('t'), 'socket');
      reopen();
      expect(store.token('t')).toEqual(aToken('t'));
      expect(store.token('u')).toBeUndefined();
      expect(store.revokeToken('u', 1, 'socket')).toBe(false);
      expect([store.revokeToken('t', 3000, 'socket'), store.revokeToken('t', 4000, 'socket')]).toEqual([true, true]);
      reopen();
      expect(store.tokens()).toEqual([aToken('t', { revokedAtMs: 3000 })]);
    });

    it('keeps an API key as it was given, when it was used last, and the first time of its revocation', () => {
      store.insertKey(aKey('k', { expiresAtMs: null }), 'socket');
      store.insertKey(aKey('l', { createdAtMs: 500, role: 'viewer' }), 'socket');
      store.setKeyUsed('k', 2000);
      store.setKeyUsed('nobody', 2000);
      reopen();
      expect(store.key('k')).toEqual(aKey('k', { expiresAtMs: null, lastUsedAtMs: 2000 }));
      expect(store.key('nobody')).toBeUndefined();
      expect(store.revokeKey('nobody', 1, 'socket')).toBe(false);
      expect([store.revokeKey('l', 3000, 'socket'), store.revokeKey('l', 4000, 'host')]).toEqual([true, true]);
      expect(() => store.insertKey(aKey('k'), 'socket')).toThrow(expect.objectContaining({ code: 'conflict' }));
      reopen();
      expect(store.keys().map(({ id, revokedAtMs }) => [id, revokedAtMs])).toEqual([
        ['l', 3000],
        ['k', null],
      ]);
      expect(store.audit(9).map(({ kind, keyId, name, by }) => [kind, keyId, name, by])).toEqual([
        ['key_revoked', 'l', 'ci', 'socket'],
        ['key_created', 'l', 'ci', 'socket'],
        ['key_created', 'k', 'ci', 'socket'],
      ]);
    });

    it('admits a node and counts the use of its token in one', () => {
      store.insertToken(aToken('t'), 'socket');
      store.admitNode(aNode(1));
      reopen();
      expect(store.nodes()).toEqual([aNode(1)]);
      expect(store.token('t')?.used).toBe(1);
    });

    it.each([
      ['a token that nobody made', {}, aNode(1, { tokenId: 'u' }), 'token_unknown'],
      ['an expired token', { expiresAtMs: 2000 }, aNode(2), 'token_expired'],
      ['a revoked token', { revokedAtMs: 1500 }, aNode(2), 'token_revoked'],
      ['a token that is used up', { uses: 1 }, aNode(2), 'token_used_up'],
      ['a name that is taken', {}, aNode(2, { name: 'node-1' as NodeName }), 'name_taken'],
      ['an index that is taken', {}, aNode(2, { index: 1 as NodeIndex }), 'conflict'],
      ['a key that is taken', {}, aNode(2, { publicKey: 'key-1' as PublicKey }), 'conflict'],
    ] as const)('admits nobody with %s, and counts no use', (_what, change, node, code) => {
      store.insertToken(aToken('first', { uses: 1 }), 'socket');
      store.insertToken(aToken('t', change), 'socket');
      store.admitNode(aNode(1, { tokenId: code === 'token_used_up' ? 't' : 'first' }));
      const before = store.tokens();
      expect(() => store.admitNode(node)).toThrow(expect.objectContaining({ code }));
      expect(store.tokens()).toEqual(before);
      expect(store.nodes()).toHaveLength(1);
    });

    it('keeps what a node says, when it was seen, and its certificates', () => {
      store.insertToken(aToken('t'), 'socket');
      store.admitNode(aNode(1));
      const { id } = aNode(1);
      store.setHost(id, HOST, 2100);
      store.setLastSeen(new Map([[id, 2200]]));
      store.setCertificate(id, '2', '1', 6000);
      reopen();
      const renewed = { serial: '2', previousSerial: '1', certificateExpiresAtMs: 6000 };
      expect(store.nodes()).toEqual([aNode(1, { host: HOST, lastSeenAtMs: 2200, ...renewed })]);
      store.readmitNode(aNode(1, { serial: '3', previousSerial: '2', certificateExpiresAtMs: 7000 }));
      expect(store.nodes()[0]).toMatchObject({ serial: '3', previousSerial: '2', host: HOST });
    });

    it('keeps the labels of a node, and says in the audit what became of them', () => {
      store.insertToken(aToken('t'), 'socket');
      store.admitNode(aNode(1));
      const { id, name } = aNode(1);
      store.setLabels(id, { app: 'web', env: '' }, 2500, { detail: 'app=web env= x-', by: 'socket' });
      store.setLabels(aNode(2).id, { app: 'db' }, 2600, { detail: 'app=db', by: 'socket' });
      reopen();
      expect(store.nodes()).toEqual([aNode(1, { labels: { app: 'web', env: '' } })]);
      const about = { nodeId: id, name, tokenId: null, keyId: null };
      const entry = { atMs: 2500, kind: 'node_labelled', ...about, by: 'socket', detail: 'app=web env= x-' };
      expect(store.audit(1)).toEqual([entry]);
    });

    it('changes the key of a node, to none that another one holds', () => {
      store.insertToken(aToken('t', { uses: 2 }), 'socket');
      store.admitNode(aNode(1));
      store.admitNode(aNode(2));
      const [one, two] = [aNode(1), aNode(2)];
      expect(() => store.setPublicKey(one.id, two.publicKey, 3000)).toThrow(
        expect.objectContaining({ code: 'conflict' }),
      );
      const other = aNode(3).publicKey;
      store.setPublicKey(one.id, other, 3100);
      reopen();
      expect(store.nodes()).toEqual([{ ...one, publicKey: other }, two]);
      const { kind, atMs, nodeId, name, by } = store.audit(1)[0] ?? {};
      expect([kind, atMs, nodeId, name, by]).toEqual(['node_key_changed', 3100, one.id, one.name, 'device']);
    });

    it('remembers who was removed, and since when', () => {
      store.insertToken(aToken('t'), 'socket');
      store.admitNode(aNode(1));
      const { id } = aNode(1);
      expect([store.removeNode(id, 3000, 'socket'), store.removeNode(id, 4000, 'socket')]).toEqual([true, false]);
      reopen();
      expect(store.nodes()).toEqual([]);
      expect([store.wasRemoved(id), store.wasRemoved('n-other')]).toEqual([true, false]);
      expect(store.removedSince(2999)).toEqual([{ id, index: 1, name: 'node-1', removedAtMs: 3000 }]);
      expect(store.removedSince(3000)).toEqual([]);
      // the index is for whoever comes next
      store.admitNode(aNode(1, { id: aNode(2).id }));
    });

    it('writes every change of tokens and nodes into the audit, newest first', () => {
      store.insertToken(aToken('t'), 'socket');
      store.admitNode(aNode(1));
      store.readmitNode(aNode(1, { serial: '2' }));
      store.removeNode(aNode(1).id, 3000, 'key:ci:abcdefghijkl');
      store.revokeToken('t', 4000, 'key:ci:abcdefghijkl');
      reopen();
      const kinds = store.audit(10).map(({ kind, tokenId, by }) => [kind, tokenId, by]);
      expect(kinds).toEqual([
        ['token_revoked', 't', 'key:ci:abcdefghijkl'],
        ['node_removed', 't', 'key:ci:abcdefghijkl'],
        ['node_rejoined', 't', 'device'],
        ['node_joined', 't', 'device'],
        ['token_created', 't', 'socket'],
      ]);
      expect(store.audit(2)).toHaveLength(2);
      const nothing = { nodeId: null, name: null, tokenId: null, keyId: null };
      const entry = { atMs: 5000, kind: 'load_off', ...nothing, by: 'key:ci:abcdefghijkl' } as const;
      store.noteAudit(entry);
      reopen();
      expect(store.audit(1)).toEqual([entry]);
    });

    it('undoes alone what fails inside a transaction, and keeps the rest', () => {
      store.insertToken(aToken('t', { uses: 1 }), 'socket');
      const refused: unknown[] = [];
      store.transaction(() => {
        for (const index of [1, 2]) {
          try {
            store.admitNode(aNode(index));
          } catch (cause) {
            refused.push((cause as { code: string }).code);
          }
        }
        store.setSetting('a', '1');
      });
      reopen();
      expect(refused).toEqual(['token_used_up']);
      expect(store.nodes().map(({ index }) => index)).toEqual([1]);
      expect([store.token('t')?.used, store.setting('a')]).toEqual([1, '1']);
    });

    it('undoes all of a transaction that throws, and is good for the next', () => {
      store.insertToken(aToken('t'), 'socket');
      const fails = () =>
        store.transaction(() => {
          store.admitNode(aNode(1));
          store.setSetting('a', '1');
          throw new Error('no');
        });
      expect(fails).toThrow();
      expect(store.nodes()).toEqual([]);
      expect([store.token('t')?.used, store.setting('a')]).toEqual([0, undefined]);
      store.admitNode(aNode(2));
      reopen();
      expect(store.nodes().map(({ index }) => index)).toEqual([2]);
    });
  });
}
