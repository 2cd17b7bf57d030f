/** The store contract on SQLite, and its schema brought forward from every version that there was. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../steering/store/migrations.ts';
import { SqliteStore } from '../../steering/store/sqlite-store.ts';
import { aNode, aToken, storeSuite } from './store-suite.ts';

const deps = { monoMs: () => performance.now() };

storeSuite('SQLite', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'thalweg-store-contract-'));
  return {
    open: () => new SqliteStore(deps, { stateDir }),
    clear: () => rmSync(stateDir, { recursive: true, force: true }),
  };
});

/** Written by hand as the core of schema version 1 wrote it: it must not follow the code. */
const CONTENT = `
  INSERT INTO settings VALUES ('address_plan', '{"tunnel":"100.64.0.0/12"}');
  INSERT INTO engine_state VALUES (1, x'0102');
  INSERT INTO tokens VALUES ('t', x'${'07'.repeat(32)}', '{"a":"b"}', 1000, 9000, 2, 1, NULL);
  INSERT INTO nodes VALUES ('n-aaaaaaaaaaaaaaaaaaa1', 1, 'node-1', 'key-1', 'hash', '{"x":"y"}', 't', 2000, 2000, '1',
    NULL, 5000, NULL);
  INSERT INTO removed_nodes VALUES ('n-gone', 2, 'gone', 2500);
  INSERT INTO audit (at_ms, kind, node_id, name, token_id) VALUES (2500, 'node_removed', 'n-gone', 'gone', 't');
`;

describe.each(MIGRATIONS.map((_, i) => i + 1))('a store of schema version %i', (version) => {
  it('is brought forward with all that it holds', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'thalweg-store-contract-'));
    try {
      const old = new DatabaseSync(join(stateDir, 'core.db'));
      old.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS.slice(0, version).join('')} PRAGMA user_version = ${version}`);
      old.exec(CONTENT);
      old.close();
      const store = new SqliteStore(deps, { stateDir });
      expect(store.nodes()).toEqual([aNode(1)]);
      expect(store.tokens()).toEqual([aToken('t', { used: 1 })]);
      expect(store.wasRemoved('n-gone')).toBe(true);
      expect(store.audit(9)).toMatchObject([{ kind: 'node_removed', name: 'gone', keyId: null, by: null }]);
      expect(store.keys()).toEqual([]);
      expect([...(store.engineState() ?? [])]).toEqual([1, 2]);
      store.appendEngineRecord(Uint8Array.of(3));
      store.admitNode(aNode(3));
      store.close();
      const now = new DatabaseSync(join(stateDir, 'core.db'));
      expect(now.prepare('PRAGMA user_version').get()).toEqual({ user_version: MIGRATIONS.length });
      now.close();
    } finally {
      rmSync(stateDir, { recursive: true, force: true });
    }
  });
});
