/** The store by itself: schema versions, the lock, and a disk that fills up. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../../steering/store/sqlite-store.ts';
import type { NodeRecord } from '../../../steering/store/store.ts';
import { aNode, aToken } from '../../contract/store-suite.ts';
import { buildChild, CHILD_PREFIX } from '../../fake/build-child.ts';

const deps = { monoMs: () => performance.now() };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'thalweg-store-test-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('a store', () => {
  it('keeps records of the engine in order until a whole state holds them', () => {
    const store = new SqliteStore(deps, { stateDir: directory });
    store.saveEngineState(Uint8Array.of(1));
    store.appendEngineRecord(Uint8Array.of(2));
    store.appendEngineRecord(Uint8Array.of(3, 4));
    store.close();
    const again = new SqliteStore(deps, { stateDir: directory });
    expect([again.engineState(), ...again.engineRecords()].map((bytes) => [...(bytes ?? [])])).toEqual([
      [1],
      [2],
      [3, 4],
    ]);
    again.saveEngineState(Uint8Array.of(5));
    expect(again.engineRecords()).toEqual([]);
    again.close();
  });

  it('gives back what was put in, after it was closed and opened', () => {
    const store = new SqliteStore(deps, { stateDir: directory });
    store.insertToken(aToken('t', { uses: 2 }), 'socket');
    store.admitNode(aNode(1));
    store.saveEngineState(Uint8Array.of(1, 2, 3));
    store.setSetting('k', 'v');
    store.close();
    const again = new SqliteStore(deps, { stateDir: directory });
    expect(again.nodes()).toEqual([aNode(1)]);
    expect(again.tokens()).toEqual([aToken('t', { uses: 2, used: 1 })]);
    expect(again.engineState()).toEqual(Uint8Array.of(1, 2, 3));
    expect(again.setting('k')).toBe('v');
    expect(again.audit(10).map(({ kind }) => kind)).toEqual(['node_joined', 'token_created']);
    again.close();
  });

  it('counts no use and keeps no node when any part of a join does not fit', () => {
    const store = new SqliteStore(deps, { stateDir: directory });
    store.insertToken(aToken('t', { uses: 9 }), 'socket');
    store.admitNode(aNode(1));
    const clash = (change: Partial<NodeRecord>) => () => store.admitNode(aNode(2, change));
    expect(clash({ name: aNode(1).name })).toThrow(expect.objectContaining({ code: 'name_taken' }));
    expect(clash({ index: aNode(1).index })).toThrow(expect.objectContaining({ code: 'conflict' }));
    expect(clash({ publicKey: aNode(1).publicKey })).toThrow(expect.objectContaining({ code: 'conflict' }));
    expect(clash({ joinedAtMs: 9000 })).toThrow(expect.objectContaining({ code: 'token_expired' }));
    expect(clash({ tokenId: 'none' })).toThrow(expect.objectContaining({ code: 'token_unknown' }));
    expect(store.nodes()).toHaveLength(1);
    expect(store.token('t')?.used).toBe(1);
    store.close();
  });

  it('is locked while it is open', () => {
    const store = new SqliteStore(deps, { stateDir: directory });
    const second = () => new SqliteStore(deps, { stateDir: directory });
    expect(second).toThrow(
      expect.objectContaining({ code: 'conflict', nextStep: expect.stringContaining('other core') }),
    );
    store.close();
    second().close();
  });

  it('refuses a database of a newer core, and one that is none', () => {
    new SqliteStore(deps, { stateDir: directory }).close();
    const database = new DatabaseSync(join(directory, 'core.db'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    const open = () => new SqliteStore(deps, { stateDir: directory });
    expect(open).toThrow(expect.objectContaining({ code: 'invalid_config', message: expect.stringContaining('99') }));
    for (const file of ['core.db', 'core.db-wal', 'core.db-shm']) rmSync(join(directory, file), { force: true });
    writeFileSync(join(directory, 'core.db'), 'this is no database, but long enough to be looked at'.repeat(50));
    expect(open).toThrow(expect.objectContaining({ code: 'storage_failed' }));
  });
});

describe('a state directory that cannot be one', () => {
  it('is told from a damaged database', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    for (const stateDir of [file, join(file, 'below'), '/proc/none']) {
      expect(() => new SqliteStore(deps, { stateDir })).toThrow(
        expect.objectContaining({ code: 'storage_failed', nextStep: expect.stringContaining('--state-dir') }),
      );
    }
  });

  it('is a missing privilege where this user may not write', ({ skip }) => {
    if (process.getuid?.() !== 0 || process.seteuid === undefined) skip('not root: another user is NOT tried');
    new SqliteStore(deps, { stateDir: directory }).close();
    chmodSync(directory, 0o700);
    process.seteuid?.(65_534);
    try {
      for (const stateDir of [directory, join(directory, 'below')]) {
        expect(() => new SqliteStore(deps, { stateDir })).toThrow(
          expect.objectContaining({ code: 'missing_privilege', nextStep: expect.stringContaining('as root') }),
        );
      }
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe('a full disk', () => {
  it('is disk_full, loses nothing, and is over when there is space again', ({ skip }) => {
    // a mount namespace of its own: the small file system is gone with the child
    const mount = (then: string, ...args: string[]) =>
      spawnSync(
        'unshare',
        ['-m', 'sh', '-c', `mount -t tmpfs -o size=1m tmpfs "$1" && ${then}`, 'sh', directory, ...args],
        {
          encoding: 'utf8',
        },
      );
    if (mount('true').status !== 0) skip('no tmpfs can be mounted here (not root?): the full disk is NOT tested');
    const built = mkdtempSync(CHILD_PREFIX);
    try {
      const program = buildChild('test/fake/filling-store.ts', built);
      const { stdout, stderr } = mount('exec "$2" "$3" "$1"', process.execPath, program);
      expect(stderr).toBe('');
      const { refused, whileFull, probe, nodes, reopened } = JSON.parse(stdout);
      expect(refused).toMatchObject({ code: 'disk_full', nextStep: expect.stringContaining('free space') });
      expect(probe).toMatchObject({ code: 'disk_full' });
      expect(whileFull).toEqual({ nodes: whileFull.nodes, registered: whileFull.nodes, used: whileFull.nodes });
      expect(nodes).toBe(whileFull.nodes + 1);
      expect(reopened).toEqual({ nodes, used: nodes });
    } finally {
      rmSync(built, { recursive: true, force: true });
    }
  }, 30_000);
});
