/** Backups of a core that runs, and what a restored one still refuses. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditView, NodeView, TokenView } from '../../../protocol/api.ts';
import { backupStore } from '../../../steering/store/backup.ts';
import { restoreStore } from '../../../steering/store/restore.ts';
import { TestAgent } from '../../fake/test-agent.ts';
import { TestCore } from '../../fake/test-core.ts';

let core: TestCore;
let file: string;
beforeEach(async () => {
  core = await new TestCore().start();
  file = join(core.directory, 'backup');
});
afterEach(async () => core.stop());

const names = async () => (await core.api.get<NodeView[]>('/v1/nodes')).map(({ name }) => name);

async function restore() {
  const port = core.port;
  await core.running?.stop();
  const report = restoreStore(file, core.stateDir, Date.now());
  await core.start({ listen: `127.0.0.1:${port}` });
  return report;
}

describe('a backup', () => {
  it('is taken while the core runs, is nobody else to read, and is never overwritten', async () => {
    await core.agent('a');
    expect(backupStore(core.stateDir, file, 5)).toMatchObject({ nodes: 1, tokens: 1, madeAtMs: 5 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}.part`)).toBe(false);
    await core.agent('b');
    expect(() => backupStore(core.stateDir, file, 6)).toThrow(/is there already/);
    expect(() => backupStore(join(core.directory, 'no'), `${file}2`, 6)).toThrow(/holds no core.db/);
  });

  it('restores nodes, names, addresses and identities, on another disk too', async () => {
    const a = await core.agent('a');
    backupStore(core.stateDir, file, Date.now());
    const other = mkdtempSync(join(tmpdir(), 'thalweg-restore-test-'));
    try {
      const port = core.port;
      await core.running?.stop();
      const report = restoreStore(file, join(other, 'state'), Date.now());
      expect(report).toMatchObject({ nodes: 1, merged: false, tokensRevoked: 1 });
      await core.start({ listen: `127.0.0.1:${port}`, stateDir: join(other, 'state') });
      expect(await names()).toEqual(['a']);
      (await a.open()).close();
      const tokens = await core.api.get<TokenView[]>('/v1/tokens');
      expect(tokens.map(({ state }) => state)).toEqual(['revoked']);
    } finally {
      await core.running?.stop();
      rmSync(other, { recursive: true, force: true });
    }
  });

  it('gives a node that was removed since nothing: not with its certificate, nor with its token', async () => {
    const { token } = await core.token({ uses: 2 });
    const thief = new TestAgent(core.port);
    await thief.join(token, { name: 'stolen' });
    const stays = new TestAgent(core.port);
    await stays.join(token, { name: 'stays' });
    (await thief.open()).close();
    backupStore(core.stateDir, file, Date.now());
    await core.api.delete('/v1/nodes/stolen');
    expect(await restore()).toMatchObject({ nodes: 1, removedSince: 1, joinedSince: 0, merged: true });
    expect(await names()).toEqual(['stays']);
    const session = await thief.connect();
    session.send(thief.hello());
    const { refusal } = await session.ended();
    expect(refusal).toMatchObject({ code: 'node_removed', retryAfterMs: 0 });
    expect(session.frames.filter(({ body }) => body.case !== 'refusal')).toEqual([]);
    const again = await thief.join(token, { name: 'stolen' });
    expect(again.refusal?.code).toBe('token_used_up');
    (await stays.open()).close();
  });

  it('does not give a token back its uses, nor an address that somebody got since', async () => {
    const once = await core.token({ uses: 1 });
    const revoked = await core.token({ uses: 5 });
    backupStore(core.stateDir, file, Date.now());
    const late = new TestAgent(core.port);
    await late.join(once.token, { name: 'late' });
    await core.api.delete(`/v1/tokens/${revoked.id}`);
    const made = await core.token({ uses: 3 });
    expect(await restore()).toMatchObject({ nodes: 0, joinedSince: 1, merged: true });
    const states = await core.api.get<TokenView[]>('/v1/tokens');
    expect(Object.fromEntries(states.map(({ id, state }) => [id, state]))).toEqual({
      [once.id]: 'used_up',
      [revoked.id]: 'revoked',
      [made.id]: 'valid',
    });
    const next = new TestAgent(core.port);
    const answer = await next.join(made.token, { name: 'next' });
    expect(answer.index).not.toBe(late.joined?.index);
    expect((await (await late.connect()).ended()).refusal?.code).toBe('node_removed');
  });

  it('does not bring an API key back that was revoked since, nor forget one that was made', async () => {
    const [stays, goes] = [await core.key('viewer'), await core.key('admin')];
    backupStore(core.stateDir, file, Date.now());
    const late = await core.key('viewer');
    await core.api.delete(`/v1/keys/${goes.id}`);
    expect(await restore()).toMatchObject({ keysRevoked: 0, merged: true });
    for (const { key } of [stays, late]) expect(await core.apiWith(key).get('/v1/nodes')).toEqual([]);
    await expect(core.apiWith(goes.key).get('/v1/nodes')).rejects.toMatchObject({
      code: 'unauthenticated',
      fields: { reason: 'revoked_key', keyId: goes.id },
    });
    const [restored] = await core.api.get<AuditView[]>('/v1/audit?limit=1');
    expect(restored).toMatchObject({ kind: 'store_restored', by: 'host' });
  });

  it('takes no API key of a backup on another disk: nobody knows what was revoked since', async () => {
    const { key } = await core.key('viewer');
    backupStore(core.stateDir, file, Date.now());
    await core.running?.stop();
    const stateDir = join(core.directory, 'other');
    expect(restoreStore(file, stateDir, Date.now())).toMatchObject({ keysRevoked: 1, merged: false });
    await core.start({ stateDir });
    await expect(core.apiWith(key).get('/v1/nodes')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('keeps certificates that were renewed since', async () => {
    const agent = await core.agent('a');
    backupStore(core.stateDir, file, Date.now());
    const session = await agent.open();
    session.send({ case: 'renewRequest', value: { signingRequestDer: await agent.signingRequest() } });
    const { X509Certificate } = await import('node:crypto');
    agent.certificatePem = new X509Certificate((await session.next('renewResponse')).certificateDer).toString();
    session.close();
    await restore();
    (await agent.open()).close();
  });
});

describe('a restore refuses', () => {
  it('while the core runs', () => {
    backupStore(core.stateDir, file, 1);
    expect(() => restoreStore(file, core.stateDir, 2)).toThrow(/locked/);
  });

  it('what is no backup, and the backup of another mesh, and changes nothing then', async () => {
    await core.agent('a');
    writeFileSync(join(core.directory, 'text'), 'not a database');
    const other = await new TestCore().start();
    const foreign = join(core.directory, 'foreign');
    backupStore(other.stateDir, foreign, 1);
    await other.stop();
    await core.running?.stop();
    expect(() => restoreStore(join(core.directory, 'text'), core.stateDir, 2)).toThrow(/is no backup/);
    expect(() => restoreStore(join(core.directory, 'nothing'), core.stateDir, 2)).toThrow(/is no backup/);
    expect(() => restoreStore(foreign, core.stateDir, 2)).toThrow(/another CA/);
    await core.start();
    expect(await names()).toEqual(['a']);
  });
});
