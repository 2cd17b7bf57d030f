/** The CA is replaced under real TLS, with the real agent's side of it: nobody has to join again who was there. */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchCa } from '../../../agent/core-ca.ts';
import { openCoreStream } from '../../../agent/core-stream.ts';
import { nextBundle, readBundle } from '../../../agent/trust-bundle.ts';
import type { CaView } from '../../../protocol/api.ts';
import { systemClock } from '../../../protocol/clock.ts';
import { parseJoinToken } from '../../../protocol/join-token.ts';
import { CertificateAuthority } from '../../../steering/identity/certificate-authority.ts';
import { MeshAuthority } from '../../../steering/identity/mesh-authority.ts';
import { backupStore } from '../../../steering/store/backup.ts';
import { restoreStore } from '../../../steering/store/restore.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';
import { TestDevice } from '../../fake/test-device.ts';

const NOW_MS = Date.UTC(2030, 0, 2);
let folder: string;
let core: TestCore;
const devices: TestDevice[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'thalweg-ca-rotation-'));
  core = await new TestCore().start({ heartbeatMs: 100 });
});
afterEach(async () => {
  for (const device of devices.splice(0)) await device.stop();
  await core.stop();
  rmSync(folder, { recursive: true, force: true });
});

const made = (name: string) => {
  const device = new TestDevice(join(folder, name));
  devices.push(device);
  return device;
};
const device = async (name: string) => await made(name).join((await core.token()).token, name);
const ca = () => core.api.get<CaView>('/v1/ca');
const rotate = () => core.api.post<CaView>('/v1/ca', { action: 'rotate' });
const finish = (force = false) => core.api.post<CaView>('/v1/ca', { action: 'finish', force });
const fetchFor = (token: string) => {
  const parsed = parseJoinToken(token);
  if (!parsed.ok) throw new Error(parsed.reason);
  return fetchCa(`127.0.0.1:${core.port}`, parsed.value.caFingerprint, systemClock);
};

describe('a rotation of the CA', () => {
  it('moves nodes that are there by themselves, and lets them in before, meanwhile and after', async () => {
    const before = await ca();
    const [a, b] = [await (await device('a')).connect(), await device('b')];
    const early = (await core.token({ uses: 2 })).token;
    const begun = await rotate();
    expect(begun.fingerprint, 'the server keeps the certificate that everybody can check').toBe(before.fingerprint);
    const next = begun.rotation?.fingerprint ?? '';
    await eventually('a has moved', async () => (await ca()).rotation?.moved === 1);
    expect(a.trusted).toEqual([before.fingerprint, next]);
    expect((await ca()).rotation).toMatchObject({ moved: 1, waiting: 0, away: 1, names: ['b'] });
    // a node that was away, one that joins meanwhile, and a core that starts again meanwhile
    const port = core.port;
    await core.restart({ heartbeatMs: 100, listen: `127.0.0.1:${port}` });
    await b.connect();
    await (await made('c').join(early, 'c')).connect();
    await eventually('all have moved', async () => (await ca()).rotation?.moved === 3);
    const after = await finish();
    expect(after).toMatchObject({ fingerprint: next, rotation: null });
    await eventually('the old CA is forgotten', () => devices.every(({ trusted }) => trusted.join() === next));
    for (const one of [a, b]) {
      await one.stop();
      await one.connect();
      await one.stop();
    }
    // a token that pins the old CA, by the old CA's word for the new one
    const late = await (await made('d').join(early, 'd')).connect();
    expect(late.trusted).toEqual([next]);
    const kinds = (await core.api.get<{ kind: string }[]>('/v1/audit')).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind.startsWith('ca_'))).toEqual(['ca_retired', 'ca_rotated']);
  });

  it('is not ended while a node needs the old one, but by force; that node is a stranger then', async () => {
    const away = await device('away');
    await expect(finish()).rejects.toMatchObject({ code: 'conflict' });
    await rotate();
    await expect(rotate()).rejects.toMatchObject({ code: 'conflict' });
    await expect(finish()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('away') });
    const credentials = await away.store.loadCredentials();
    const address = `127.0.0.1:${core.port}`;
    await (await openCoreStream(address, credentials)).close();
    await finish(true);
    await expect(openCoreStream(address, credentials)).rejects.toMatchObject({ code: 'ca_mismatch' });
    // even one that is told of the new CA somehow: its certificate is nobody's
    const caPem = (await fetchFor((await core.token()).token)).caPem;
    await expect(openCoreStream(address, { ...credentials, caPem })).rejects.toMatchObject({
      code: 'certificate_invalid',
    });
  });

  it('does not hand a node whose agent knows nothing of it a certificate that it would refuse', async () => {
    const old = await core.agent('old');
    const session = await old.open();
    await rotate();
    session.send({ case: 'renewRequest', value: { signingRequestDer: await old.signingRequest() } });
    const { certificateDer } = await session.next('renewResponse');
    const issued = new X509Certificate(certificateDer);
    expect(issued.verify(new X509Certificate(old.caPem).publicKey)).toBe(true);
    expect(session.frames.some(({ body }) => body.case === 'trust')).toBe(false);
    expect((await ca()).rotation).toMatchObject({ moved: 0 });
    session.close();
  });

  it('is in a backup, and a backup from before it does not take it back', async () => {
    const a = await (await device('a')).connect();
    const [before, during] = [join(folder, 'before'), join(folder, 'during')];
    backupStore(core.stateDir, before, Date.now());
    const next = (await rotate()).rotation?.fingerprint;
    await eventually('a has moved', async () => (await ca()).rotation?.moved === 1);
    backupStore(core.stateDir, during, Date.now());
    const again = async (file: string) => {
      const port = core.port;
      await core.running?.stop();
      restoreStore(file, core.stateDir, Date.now());
      await core.start({ heartbeatMs: 100, listen: `127.0.0.1:${port}` });
    };
    await again(before);
    expect((await ca()).rotation?.fingerprint).toBe(next);
    await eventually('a is back', async () => (await ca()).rotation?.moved === 1);
    await finish();
    await again(during);
    expect(await ca()).toMatchObject({ fingerprint: next, rotation: null });
    // on an empty disk: the overlap goes on, with both keys
    const other = join(folder, 'other-disk');
    restoreStore(during, other, Date.now());
    expect(statSync(join(other, 'ca-rotation.json')).mode & 0o777).toBe(0o600);
    expect(MeshAuthority.open(other, Date.now()).next?.fingerprint).toBe(next);
    await a.stop();
  });
});

describe('the CA of the mesh', () => {
  it('is whole again after a crash in the middle of finishing', () => {
    const stateDir = join(folder, 'state');
    const authority = open(stateDir);
    const old = authority.fingerprint;
    authority.rotate(NOW_MS);
    const next = authority.next?.fingerprint ?? '';
    const files = Object.fromEntries(
      ['ca.key', 'ca.crt', 'ca-rotation.json'].map((name) => [name, readFileSync(join(stateDir, name), 'utf8')]),
    );
    authority.finish();
    const finished = readFileSync(join(stateDir, 'ca.key'), 'utf8');
    const word = authority.predecessor;
    // what finishing writes first, with none or one of the files behind it
    const rotation = JSON.parse(files['ca-rotation.json'] ?? '') as { next: object };
    const predecessor = (
      JSON.parse(readFileSync(join(stateDir, 'ca-rotation.json'), 'utf8')) as { predecessor: object }
    ).predecessor;
    const final = JSON.stringify({ next: { ...rotation.next, isFinal: true }, predecessor });
    for (const done of [[], ['ca.crt']]) {
      for (const name of ['ca.key', 'ca.crt']) {
        if (!done.includes(name)) writeFileSync(join(stateDir, name), files[name] ?? '');
      }
      writeFileSync(join(stateDir, 'ca-rotation.json'), final);
      const opened = open(stateDir);
      expect([opened.fingerprint, opened.next]).toEqual([next, null]);
      expect(readFileSync(join(stateDir, 'ca.key'), 'utf8')).toBe(finished);
      expect(opened.predecessor).toEqual(word);
      expect(readFileSync(join(stateDir, 'ca-rotation.json'), 'utf8'), 'no private key is left').not.toContain(
        'PRIVATE',
      );
    }
    expect(old).not.toBe(next);
    expect(existsSync(join(stateDir, 'ca.crt.new'))).toBe(false);
  });

  it('refuses a damaged rotation file', () => {
    const stateDir = join(folder, 'state');
    open(stateDir).rotate(NOW_MS);
    writeFileSync(join(stateDir, 'ca-rotation.json'), '{"next":');
    expect(() => open(stateDir)).toThrow(/ca-rotation.json is damaged/);
  });

  function open(stateDir: string): MeshAuthority {
    mkdirSync(stateDir, { recursive: true });
    return MeshAuthority.open(stateDir, NOW_MS);
  }
});

describe('an agent', () => {
  const der = (authority: CertificateAuthority) => new Uint8Array(authority.certificate.raw);
  const [present, next, foreign] = [0, 1, 2].map(() => CertificateAuthority.make(NOW_MS)) as [
    CertificateAuthority,
    CertificateAuthority,
    CertificateAuthority,
  ];
  const held = readBundle(present.certificate.toString());

  it('takes other CAs only beside one that it trusts', () => {
    expect(nextBundle([der(present), der(next)], held)).toMatchObject({ ok: true });
    expect(nextBundle([der(next)], held)).toMatchObject({ ok: false });
    expect(nextBundle([der(foreign), der(next)], held)).toMatchObject({ ok: false });
    expect(nextBundle([], held)).toMatchObject({ ok: false });
    expect(nextBundle([der(present), new Uint8Array(40)], held)).toMatchObject({ ok: false });
  });

  it('takes no certificate for a CA that is none', () => {
    const server = present.makeServerIdentity(NOW_MS).certificate;
    const bytes = new Uint8Array(new X509Certificate(server).raw);
    expect(nextBundle([der(present), bytes], held)).toMatchObject({
      ok: false,
      reason: 'one of its certificates is no CA',
    });
  });
});
